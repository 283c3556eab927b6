package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// write shows the status as a table. What the server says of itself can quote a certificate's
// file, and goes to a terminal: hence plain.
func (s *serverStatus) write(w io.Writer, now time.Time) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, plain(fmt.Sprintf(format, args...)))
	}
	row("server", "pid %d, version %s", s.PID, s.Version)
	row("phase", "%s", s.phase())
	row("up", "%s, since %s", time.Duration(s.UptimeSeconds*float64(time.Second)).Round(time.Second), s.Since.Format(time.RFC3339))
	for _, l := range s.Listeners {
		row(l.Name, "%s", l.Address)
	}
	c := s.Connections
	row("connections", "%d open: %d new, %d idle, %d active, %d detached, %d closing", c.Open, c.New, c.Idle, c.Active, c.Detached, c.Closing)
	row("", "%d accepted: %d quiet, %d refused, %d handshake failed, %d peer left, %d forced",
		c.Accepted, c.Quiet, c.Refused, c.HandshakeFailed, c.PeerLeft, c.Forced)
	q := s.Requests
	row("requests", "%d under way", q.Open)
	row("", "%d begun: %d completed, %d refused, %d aborted, %d forced", q.Begun, q.Completed, q.Refused, q.Aborted, q.Forced)
	s.certificateList.rows(row, now)
}

// phase is the phase, and what is left of the drain.
func (s *serverStatus) phase() string {
	if s.DrainLeft == nil {
		return s.Phase
	}
	return fmt.Sprintf("%s, %s left", s.Phase, span(*s.DrainLeft))
}

// rows are a row for each certificate.
func (l certificateList) rows(row func(name, format string, args ...any), now time.Time) {
	for _, c := range l.Certificates {
		names := strings.Join(c.Names, ", ")
		if c.NotListed > 0 {
			names += fmt.Sprintf(" and %d more", c.NotListed)
		}
		row("certificate", "%s: %s, %s", names, expiry(c.NotAfter, now), c.Source)
	}
	if l.NotListed > 0 {
		row("", "and %d more certificates", l.NotListed)
	}
}

// expiry says when a certificate ends, for one who may have to act.
func expiry(notAfter, now time.Time) string {
	date := notAfter.UTC().Format(time.DateOnly)
	left := notAfter.Sub(now)
	switch days := int(left / (24 * time.Hour)); {
	case left <= 0:
		return "expired on " + date
	case days == 0:
		return "expires on " + date + ", in " + left.Round(time.Minute).String()
	case days == 1:
		return "expires on " + date + ", in 1 day"
	default:
		return fmt.Sprintf("expires on %s, in %d days", date, days)
	}
}

// span is a short duration as people read it.
func span(n float64) string {
	return time.Duration(n * float64(time.Second)).Round(100 * time.Millisecond).String()
}
