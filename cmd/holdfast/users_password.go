package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast-server/holdfast/http1/account"
)

// passwordLineBytes bounds the line that holds a password: one byte more than any has, and the
// end of the line.
const passwordLineBytes = account.PasswordMostBytes + 3

// withPassword has work done with a password that is typed twice, read or made, and says what
// the work says it has done. One that is made goes to stdout alone, for a script to take.
func (r *roster) withPassword(ctx context.Context, generate bool, work func(password string) (done string, err error), name string) *fault {
	password, f := generatedPassword(), (*fault)(nil)
	if !generate {
		if password, f = r.readPassword(ctx, name); f != nil {
			return f
		}
	}
	done, err := work(password)
	if err != nil {
		return memberFault(name, err)
	}
	if generate {
		fmt.Fprintln(r.std.err, done+" The password is shown this once:")
		done = password
	}
	fmt.Fprintln(r.std.out, done)
	return nil
}

// generatedPassword has 100 random bits, in groups that can be read out.
func generatedPassword() string {
	text := strings.ToLower(rand.Text()) // 26 characters of 5 bits
	return text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:20]
}

// readPassword asks on a terminal, twice and without showing what is typed, or reads one line.
func (r *roster) readPassword(ctx context.Context, name string) (string, *fault) {
	in, ok := r.std.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return readPasswordLine(r.std.in)
	}
	first, f := r.typedPassword(ctx, in, "New password for "+plain(name)+": ")
	if f != nil {
		return "", f
	}
	again, f := r.typedPassword(ctx, in, "The same again: ")
	if f == nil && first != again {
		f = &fault{What: "the passwords are not the same", Why: "nothing was changed", Mend: "try again"}
	}
	return first, f
}

// typedPassword reads a line from a terminal that shows nothing meanwhile. A signal gives the
// terminal back as it was.
func (r *roster) typedPassword(ctx context.Context, in *os.File, question string) (string, *fault) {
	terminal := int(in.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", &fault{What: "the terminal cannot be asked to hide what is typed", Why: plain(err.Error()), Mend: "write the password to standard input"}
	}
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	fmt.Fprint(r.std.err, question)
	go func() {
		text, err := term.ReadPassword(terminal)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		fmt.Fprintln(r.std.err)
		switch {
		case l.err != nil:
			return "", &fault{What: "no password was typed", Why: plain(l.err.Error()), Mend: "type one, and then Enter"}
		case len(l.text) == 0:
			return "", &fault{What: "no password was typed", Mend: "type one, or add --generate to have one made"}
		}
		return string(l.text), nil
	case <-ctx.Done():
		_ = term.Restore(terminal, before)
		fmt.Fprintln(r.std.err)
		return "", &fault{What: "no password was typed"}
	}
}

// readPasswordLine reads the first line, or all there is when no line ends.
func readPasswordLine(in io.Reader) (string, *fault) {
	line, err := bufio.NewReaderSize(io.LimitReader(in, passwordLineBytes), passwordLineBytes).ReadString('\n')
	text := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", &fault{What: "cannot read a password from standard input", Why: reason(err)}
	case text == "":
		return "", &fault{What: "there is no password on standard input", Mend: "write it there as one line, or run this on a terminal to type it, or add --generate"}
	}
	return text, nil
}

// confirm asks on a terminal for consent.
func (r *roster) confirm(question string) *fault {
	in, ok := r.std.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return &fault{What: "nothing was done", Why: "there is no terminal on which to ask", Mend: "add --yes", Usage: true}
	}
	fmt.Fprint(r.std.err, question)
	answer, _ := bufio.NewReader(in).ReadString('\n') // none is no
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &fault{What: "nothing was done"}
}
