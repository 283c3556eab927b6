package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast-server/holdfast/http1/account"
)

func (cmd *usersExportCmd) run(c *call) outcome {
	return c.roster(false, func(ctx context.Context, r *roster) *fault {
		// On stderr, and before the first hash is anywhere.
		fmt.Fprintln(r.std.err, "This has the hashes of all passwords in it: whoever reads it can guess at them. Keep it as you keep the store.")
		if cmd.Output == "" {
			n, err := r.members.Export(ctx, r.std.out)
			return r.exported(n, err)
		}
		return r.exportTo(ctx, cmd.Output)
	})
}

func (r *roster) exported(members int, err error) *fault {
	if err != nil {
		return &fault{What: "the members were not all exported", Why: reason(err)}
	}
	fmt.Fprintf(r.std.err, "%s exported.\n", someMembers(members))
	return nil
}

func someMembers(n int) string {
	if n == 1 {
		return "1 member is"
	}
	return fmt.Sprintf("%d members are", n)
}

// exportTo writes to a new file, which is gone again where that fails: half of the members looks
// like all of them.
func (r *roster) exportTo(ctx context.Context, path string) *fault {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &fault{What: "the file " + quote(path) + " is there already", Where: "--output", Why: "it may be an older export, and others may be able to read it", Mend: "name another file, or remove this one"}
	}
	if err != nil {
		return &fault{What: "cannot make the file " + quote(path), Where: "--output", Why: reason(err), Mend: "check the path and its permissions"}
	}
	n, err := r.members.Export(ctx, file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path) // it is half of what was asked for
	}
	return r.exported(n, err)
}

func (cmd *usersImportCmd) run(c *call) outcome {
	var file *os.File
	switch len(cmd.File) {
	case 0:
		if in, ok := c.std.in.(*os.File); ok && term.IsTerminal(int(in.Fd())) {
			c.faults = append(c.faults, fault{What: "there is nothing to import", Why: "no FILE is named, and standard input is a terminal", Mend: "name the file that users export wrote", Usage: true})
		}
	case 1:
		var err error
		if file, err = os.Open(cmd.File[0]); err != nil {
			c.faults = append(c.faults, fault{What: "cannot read the file " + quote(cmd.File[0]), Why: reason(err), Mend: "check the path and its permissions"})
		}
	default:
		c.faults = append(c.faults, fault{What: plain("unexpected argument " + cmd.File[1]), Mend: "name one file", Usage: true})
	}
	return c.roster(true, func(ctx context.Context, r *roster) *fault {
		from := r.std.in
		if file != nil {
			defer file.Close()
			from = file
		}
		return r.importFrom(ctx, from, cmd.Replace)
	})
}

func (r *roster) importFrom(ctx context.Context, from io.Reader, replace bool) *fault {
	n, err := r.members.Import(ctx, from, replace)
	if err != nil {
		f := &fault{What: "nothing was imported", Why: strings.TrimPrefix(plain(err.Error()), "account: ")}
		if n > 0 {
			f.What, f.Mend = fmt.Sprintf("of the members only the first %d were imported", n), "mend that, and import all again with --replace"
		}
		if errors.Is(err, account.ErrTaken) && n == 0 {
			f.Mend = "add --replace to have the imported ones in their places, or leave them out"
		}
		return f
	}
	fmt.Fprintf(r.std.out, "%s imported.\n", someMembers(n))
	return nil
}
