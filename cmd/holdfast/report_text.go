package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// tableRows is how many connections the table names: what is more nobody reads on a
// terminal.
const tableRows = 40

// text is the report for people. What clients chose is in it escaped: see conn.Task.
func (r *drainReport) text() string {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "  %-12s %s\n", name, text) }
	fmt.Fprintf(&b, "\nStopped: %s, exit %d\n", plain(r.stop.Cause()), r.exit)
	line("phases", r.phases())
	c, q := r.connections, r.requests
	line("connections", fmt.Sprintf("%d accepted = %d quiet + %d refused + %d handshake failed + %d peer left + %d forced",
		c.Accepted, c.Quiet, c.Refused, c.HandshakeFailed, c.PeerLeft, c.Forced)+andOpen(c.Open))
	line("requests", fmt.Sprintf("%d begun = %d completed + %d refused + %d aborted + %d forced",
		q.Begun, q.Completed, q.Refused, q.Aborted, q.Forced)+andOpen(q.Open))
	if c.LateBytes > 0 {
		line("lost", fmt.Sprintf("%d bytes that clients sent after the end of their connection was announced", c.LateBytes))
	}
	if r.books != nil {
		line("books", "do not balance, which is a bug: "+plain(r.books.Error()))
	}
	line("at signal", fmt.Sprintf("%d connections were open, with %d requests under way", r.roll.Open, r.tasks()))
	r.writeTable(&b)
	b.WriteString("\n")
	return b.String()
}

func andOpen(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" + %d open", n)
}

func (r *drainReport) phases() string {
	var all []string
	for _, p := range r.stop.Phases {
		all = append(all, p.Phase.String()+" "+short(p.Took))
	}
	return strings.Join(all, ", ")
}

// writeTable writes a row for each connection that has something to tell.
func (r *drainReport) writeTable(b *strings.Builder) {
	rows := 0
	for _, e := range r.roll.Entries {
		if named(e) {
			rows++
		}
	}
	if rows == 0 {
		return
	}
	b.WriteString("\n")
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  id\tclient\tage\tphase\treceived\tsent\tended\tafter\trequest")
	for _, e := range r.roll.Entries[:min(rows, tableRows)] { // worst first: those with something to tell
		fmt.Fprintln(table, tableRow(newEntryJSON(e), e))
	}
	_ = table.Flush() // into memory
	if rows > tableRows {
		fmt.Fprintf(b, "  and %d more\n", rows-tableRows)
	}
}

func tableRow(j entryJSON, e conn.Entry) string {
	id, age, outcome, request := strconv.FormatUint(j.ID, 10), e.Age, e.Outcome, ""
	if e.Task != nil {
		id, age, outcome = e.Task.ID, e.Task.Age, e.Task.Outcome
		request = strings.TrimSpace(j.Request.Method + " " + j.Request.Target)
	}
	after := short(outcome.After)
	if outcome.End == "" {
		outcome.End, after = "not yet", "-"
	}
	return fmt.Sprintf("  %s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s", id, j.Client, short(age), e.Phase,
		outcome.Carried.Received, outcome.Carried.Sent, spaced(outcome.End), after, request)
}

// short is a duration that is easy to compare with others: 1.25s, 3ms.
func short(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
