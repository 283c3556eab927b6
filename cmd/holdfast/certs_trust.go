package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/holdfast-server/holdfast/cmd/holdfast/trust"
)

// The words of --only.
const (
	onlySystem   = "system"
	onlyBrowsers = "browsers"
)

func (cmd *certsTrustCmd) run(c *call) outcome { return cmd.change(c, true, "") }

func (cmd *certsUntrustCmd) run(c *call) outcome { return cmd.change(c, false, cmd.Fingerprint) }

// A trustChange puts the local CA into stores, or takes it out of them.
type trustChange struct {
	in      bool
	ca      trust.Certificate // of the state directory; none with a fingerprint
	state   string
	print   string // the fingerprint that was given
	only    string
	machine *trust.Machine
	plan    trust.Plan
}

// change plans, says so, asks, and does it. A signal ends the process, also between two
// commands: the same command again finds what is left to do.
func (cmd *trustFlags) change(c *call, in bool, fingerprint string) outcome {
	values, _, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...)}
	dir, why := r.stateDir(c.env)
	if why != "" && fingerprint == "" {
		r.faults = append(r.faults, fault{What: why})
	}
	t := &trustChange{in: in, only: cmd.Only, print: fingerprint, machine: newMachine(c.env)}
	scope, f := parseScope(cmd.Only)
	if f != nil {
		r.faults = append(r.faults, *f)
	}
	if f := checkFingerprint(fingerprint); f != nil {
		r.faults = append(r.faults, *f)
	}
	if len(r.faults) == 0 && fingerprint == "" {
		if f := t.read(dir); f != nil {
			r.faults = append(r.faults, *f)
		}
	}
	if len(r.faults) > 0 {
		return outcome{exit: report(c.std.err, r.faults)}
	}
	t.prepare(scope)
	t.describe(c.std.out)
	return t.carryOut(c.std, cmd.DryRun, cmd.Yes)
}

// prepare plans. It changes nothing.
func (t *trustChange) prepare(scope trust.Scope) {
	switch {
	case t.in:
		t.plan = t.machine.Trust(context.Background(), t.ca, scope)
	case t.print != "":
		t.planByFingerprint(scope)
	default:
		t.plan = t.machine.Untrust(context.Background(), t.ca, scope)
		t.noteOthers(scope)
	}
}

// carryOut asks, unless it need not, and does what is planned.
func (t *trustChange) carryOut(std streams, dry, yes bool) outcome {
	switch {
	case dry:
		return outcome{exit: exitOK}
	case t.plan.Idle():
		fmt.Fprintln(std.out, "Nothing is to be done.")
		return outcome{exit: exitOK}
	}
	if !yes && t.possible() {
		if f := consent(std); f != nil {
			return outcome{exit: report(std.err, []fault{*f})}
		}
	}
	return outcome{exit: t.do(std)}
}

func parseScope(only string) (trust.Scope, *fault) {
	switch only {
	case "":
		return trust.Scope{System: true, Browsers: true}, nil
	case onlySystem:
		return trust.Scope{System: true}, nil
	case onlyBrowsers:
		return trust.Scope{Browsers: true}, nil
	}
	return trust.Scope{}, &fault{
		What: "only " + quote(only) + " is neither " + onlySystem + " nor " + onlyBrowsers, Where: "--only", Usage: true,
		Mend: suggest(only, []string{onlySystem, onlyBrowsers}, "", "write one of them, or leave it out for both"),
	}
}

// newMachine is this one, as its environment has it. Users have no sbin in their PATH, where
// the programs are.
func newMachine(env environment) *trust.Machine {
	return &trust.Machine{
		OS: runtime.GOOS, Home: env.get("HOME"), UID: os.Geteuid(), Superuser: os.Geteuid() == 0,
		Path: append(filepath.SplitList(env.get("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin"),
	}
}

// read reads the CA's certificate. It opens no state directory: root would leave files there
// that shut its owner out.
func (t *trustChange) read(dir string) *fault {
	const certificateName = "ca.pem"
	path := filepath.Join(dir, certificateName)
	ca, err := trust.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &fault{What: "there is no local CA in " + quote(dir), Mend: t.mendMissing()}
	case err != nil && !errors.Is(err, fs.ErrPermission):
		return &fault{What: "the local CA's certificate " + quote(path) + " cannot be used", Why: reason(err), Mend: "see who put it there; holdfast certs ca makes a CA in an empty directory"}
	case err != nil:
		return &fault{What: "cannot read the local CA's certificate " + quote(path), Why: reason(err), Mend: "run this as the server's user, or as root"}
	}
	t.ca, t.state = ca, filepath.Dir(ca.Path)
	return nil
}

// describe says what will be done, command by command.
func (t *trustChange) describe(w io.Writer) {
	if t.print == "" {
		fmt.Fprintf(w, "%s\n  %s\n  SHA-256 %s\n", plain(t.ca.Subject.CommonName), plain(t.ca.Path), t.ca.Fingerprint())
	}
	for _, s := range t.plan.Steps {
		fmt.Fprintf(w, "\n%s", plain(s.Store))
		switch {
		case len(s.Commands) == 0 && t.in:
			fmt.Fprintln(w, " trusts it already")
		case len(s.Commands) == 0:
			fmt.Fprintln(w, " does not have it")
		case s.NeedsRoot:
			fmt.Fprintln(w, ", as root")
		default:
			fmt.Fprintln(w)
		}
		for _, command := range s.Commands {
			fmt.Fprintf(w, "  %s\n", plain(shellLine(command)))
		}
	}
	for _, note := range t.plan.Notes {
		fmt.Fprintf(w, "\n%s\n", plain(note))
	}
	fmt.Fprintln(w)
}

// possible tells whether there is something that this user may do.
func (t *trustChange) possible() bool {
	for _, s := range t.plan.Steps {
		if len(s.Commands) > 0 && !s.NeedsRoot {
			return true
		}
	}
	return false
}

// consent asks for it on a terminal.
func consent(std streams) *fault {
	in, ok := std.in.(io.Writer) // a file, if it is a terminal
	if !ok || !isTerminal(in) {
		return &fault{What: "nothing was done", Why: "there is no terminal on which to ask", Mend: "add --yes, or --dry-run to see the commands alone", Usage: true}
	}
	fmt.Fprint(std.out, "Shall these commands be run? [y/N] ")
	answer, _ := bufio.NewReader(std.in).ReadString('\n') // none is no
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &fault{What: "nothing was done"}
}

// do runs what this user may run, and says what is left for root.
func (t *trustChange) do(std streams) int {
	var faults []fault
	for _, s := range t.plan.Steps {
		switch {
		case len(s.Commands) == 0:
			continue
		case s.NeedsRoot:
			faults = append(faults, fault{What: plain(s.Store) + " was left as it is", Why: "it needs root", Mend: t.line("sudo ", t.in, onlySystem)})
			continue
		}
		if err := t.machine.Do(context.Background(), s); err != nil {
			faults = append(faults, fault{What: "failed at " + plain(s.Store), Why: plain(err.Error())})
			continue
		}
		if t.in {
			fmt.Fprintf(std.out, "%s trusts it now.\n", plain(s.Store))
		} else {
			fmt.Fprintf(std.out, "%s does not trust it any more.\n", plain(s.Store))
		}
	}
	if t.in {
		fmt.Fprintf(std.out, "Browsers see it when they are started again. To undo: %s\n", t.line("", false, t.only))
	}
	if len(faults) > 0 {
		return report(std.err, faults)
	}
	return exitOK
}

// line is a command line of ours, with full paths since root's PATH and home are others.
func (t *trustChange) line(before string, in bool, only string) string {
	self, err := os.Executable()
	if err != nil {
		self = "holdfast"
	}
	verb := "trust"
	if !in {
		verb = "untrust"
	}
	words := []string{self, "certs", verb}
	if t.print == "" {
		words = append(words, "--state", t.state)
	} else {
		words = append(words, "--fingerprint", t.print)
	}
	if only != "" {
		words = append(words, "--only", only)
	}
	if before != "" {
		words = append(words, "--yes")
	}
	return before + plain(shellLine(words))
}

// shellLine is a command as a POSIX shell takes it.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellWord(word)
	}
	return strings.Join(quoted, " ")
}
