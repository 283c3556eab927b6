package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/holdfast-server/holdfast/http1"
)

func (e *explainCmd) run(c *call) outcome {
	if len(c.faults) > 0 {
		return outcome{exit: report(c.std.err, c.faults)}
	}
	reasons := http1.Reasons()
	if len(e.Code) == 0 {
		listReasons(c.std.out, reasons)
		return outcome{exit: exitOK}
	}
	var found []*http1.Reason
	var faults []fault
	for _, code := range e.Code {
		i := slices.IndexFunc(reasons, func(r *http1.Reason) bool { return r.Code == code })
		if i < 0 {
			faults = append(faults, unknownCode(code, reasons))
			continue
		}
		found = append(found, reasons[i])
	}
	if len(faults) > 0 {
		return outcome{exit: report(c.std.err, faults)}
	}
	for _, r := range found {
		fmt.Fprintf(c.std.out, "%s\n  status   %d\n  section  %s\n  why      %s\n", r.Code, r.Status, r.Section, r.Why)
	}
	return outcome{exit: exitOK}
}

func listReasons(w io.Writer, reasons []*http1.Reason) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "CODE\tSTATUS\tSECTION")
	for _, r := range reasons {
		fmt.Fprintf(table, "%s\t%d\t%s\n", r.Code, r.Status, r.Section)
	}
}

func unknownCode(code string, reasons []*http1.Reason) fault {
	var codes []string
	for _, r := range reasons {
		codes = append(codes, r.Code)
	}
	return fault{
		What: "unknown reason code " + quote(code), Usage: true,
		Mend: suggest(code, codes, "", "holdfast explain lists them all"),
	}
}
