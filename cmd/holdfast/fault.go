package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/holdfast-server/holdfast/http1/observe"
)

// What a fault repeats of the user's own words, and of what the system or a package says.
const (
	quotedLimitBytes = 200
	plainLimitBytes  = 2000
)

// A fault is why Holdfast does not start, in the words of one line for the person who
// has to mend it. Parts that do not apply are empty.
type fault struct {
	What  string // what is wrong, with the value: `idle-timeout "60" is no duration`
	Where string // the flag, the variable or file:line that says so
	Why   string // the rule it breaks or what the system answered
	Mend  string // what to do, as an imperative

	// Usage says that the command line, the environment or the file is wrong, which no
	// restart mends; else something on the machine is in the way.
	Usage bool
}

// line is the fault as one sentence without its end.
func (f fault) line() string {
	var b strings.Builder
	b.WriteString(f.What)
	if f.Where != "" {
		b.WriteString(" (" + f.Where + ")")
	}
	if f.Why != "" {
		b.WriteString(": " + f.Why)
	}
	if f.Mend != "" {
		b.WriteString("; " + f.Mend)
	}
	return b.String()
}

// report prints each fault on a line and returns the exit code: 2 when any of them is
// one of usage, else 1.
func report(w io.Writer, faults []fault) int {
	exit := exitCannotStart
	for _, f := range faults {
		fmt.Fprintln(w, "holdfast: "+f.line())
		if f.Usage {
			exit = exitUsage
		}
	}
	return exit
}

// plain is s as one printable line.
func plain(s string) string { return observe.Escape(s, plainLimitBytes) }

// quote shows a value that may hold anything.
func quote(s string) string { return `"` + observe.Escape(s, quotedLimitBytes) + `"` }
