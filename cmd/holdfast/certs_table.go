package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// write shows the listing as a table.
func (l *certsListing) write(w io.Writer, now time.Time) {
	if len(l.Certificates) == 0 {
		fmt.Fprintln(w, "the server has no certificates")
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	fmt.Fprintln(table, "HOST\tSOURCE\tISSUER\tEXPIRES\tLIFE LEFT\tNEXT RENEWAL\tLAST ERROR")
	for _, c := range l.Certificates {
		cells := []string{c.hosts(), c.Source, orDash(c.Issuer), c.expires(now), c.share(), c.next(now), orDash(c.lastError())}
		for i := range cells {
			cells[i] = plain(cells[i])
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if l.NotListed > 0 {
		fmt.Fprintf(table, "and %d more\n", l.NotListed)
	}
}

// write shows an explanation as lines.
func (e *certsExplanation) write(w io.Writer, now time.Time) {
	if c := e.Certificate; c != nil {
		row := func(name, text string) { fmt.Fprintf(w, "%-13s %s\n", name, plain(text)) }
		row("host", e.Host)
		row("source", c.Source)
		if c.NotAfter != nil {
			row("issuer", c.Issuer)
			row("serial", c.Serial)
			row("expires", c.expires(now)+", with "+c.share()+" of its life left")
		}
		row("next renewal", c.next(now))
		row("last error", orDash(c.lastError()))
		fmt.Fprintln(w)
	}
	for _, s := range e.Sentences {
		fmt.Fprintln(w, plain(s))
	}
}

// hosts are a name or two and the number of the others.
func (c *certsRow) hosts() string {
	const shown = 2
	text := strings.Join(c.Hosts[:min(len(c.Hosts), shown)], ", ")
	if more := len(c.Hosts) + c.NotListed - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (c *certsRow) expires(now time.Time) string {
	if c.NotAfter == nil {
		return "no certificate yet"
	}
	date := c.NotAfter.UTC().Format(time.DateOnly)
	if !now.Before(*c.NotAfter) {
		return date + " (expired)"
	}
	return date + " (in " + roughly(c.NotAfter.Sub(now)) + ")"
}

func (c *certsRow) share() string {
	if c.LifeLeft == nil {
		return "-"
	}
	return fmt.Sprintf("%d%%", int(*c.LifeLeft*100))
}

// next is when and why then.
func (c *certsRow) next(now time.Time) string {
	switch {
	case c.NextRenewal == nil:
		return orDash(c.Why)
	case !now.Before(*c.NextRenewal):
		return words("due:", c.Why)
	}
	return words(c.NextRenewal.UTC().Format(time.DateOnly), "(in", roughly(c.NextRenewal.Sub(now))+"):", c.Why)
}

func (c *certsRow) lastError() string {
	if c.LastError == "" || c.LastErrorAt == nil {
		return c.LastError
	}
	return c.LastErrorAt.UTC().Format(time.RFC3339) + ": " + c.LastError
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// roughly is a span in its largest unit, from days to seconds.
func roughly(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}
