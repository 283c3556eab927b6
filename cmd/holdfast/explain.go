package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-server/holdfast/http1"
)

// handshakesFailed is the metric whose reasons are in handshakeFailures.
const handshakesFailed = "holdfast_handshakes_failed_total"

// handshakeFailures say why a connection came to no TLS session, by conn's names for it. There is
// no request then, so no status and no section of HTTP.
var handshakeFailures = map[string]string{
	"timeout":            "The handshake, or the PROXY header before it, was not whole within --handshake-timeout.",
	"preface":            "A trusted proxy began its connection without a PROXY header, or with a broken one.",
	"not-tls":            "What came first is no TLS, such as plain HTTP or a port scanner's probe.",
	"unknown-name":       "The client asked for a name that no certificate here has.",
	"alert":              "The client broke off by an alert, most often since it does not trust our certificate.",
	"client-certificate": "The client showed no certificate where one is required, or one that is not good.",
	"peer-left":          "The client closed the connection before the handshake was done.",
	"protocol":           "All else, such as no version or cipher suite in common.",
}

func (e *explainCmd) run(c *call) outcome {
	if len(c.faults) > 0 {
		return outcome{exit: report(c.std.err, c.faults)}
	}
	if len(e.Code) == 0 {
		listReasons(c.std.out)
		return outcome{exit: exitOK}
	}
	var found strings.Builder
	var faults []fault
	for _, code := range e.Code {
		text := explained(code)
		if text == "" {
			faults = append(faults, unknownCode(code))
		}
		found.WriteString(text)
	}
	if len(faults) > 0 {
		return outcome{exit: report(c.std.err, faults)}
	}
	_, _ = io.WriteString(c.std.out, found.String())
	return outcome{exit: exitOK}
}

// explained is what there is to say of a code, nothing of one that is unknown.
func explained(code string) string {
	if why := handshakeFailures[code]; why != "" {
		return fmt.Sprintf("%s\n  metric   %s\n  why      %s\n", code, handshakesFailed, why)
	}
	for _, r := range http1.Reasons() {
		if r.Code == code {
			return fmt.Sprintf("%s\n  status   %d\n  section  %s\n  why      %s\n", r.Code, r.Status, r.Section, r.Why)
		}
	}
	return ""
}

func listReasons(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "CODE\tSTATUS\tSECTION OR METRIC")
	for _, r := range http1.Reasons() {
		fmt.Fprintf(table, "%s\t%d\t%s\n", r.Code, r.Status, r.Section)
	}
	for _, code := range slices.Sorted(maps.Keys(handshakeFailures)) {
		fmt.Fprintf(table, "%s\t-\t%s\n", code, handshakesFailed)
	}
}

func unknownCode(code string) fault {
	codes := slices.Sorted(maps.Keys(handshakeFailures))
	for _, r := range http1.Reasons() {
		codes = append(codes, r.Code)
	}
	return fault{
		What: "unknown reason code " + quote(code), Usage: true,
		Mend: suggest(code, codes, "", "holdfast explain lists them all"),
	}
}
