package doctor

import "fmt"

// Level is how much a finding matters.
type Level uint8

const (
	// OK is what is as it should be.
	OK Level = iota
	// Note is what is worth knowing, and what could not be tried.
	Note
	// Warning is what may keep a certificate from being issued or renewed.
	Warning
	// Fault is what will.
	Fault
)

var levelNames = [...]string{"ok", "note", "warning", "fault"}

func (l Level) String() string { return levelNames[l] }

// MarshalText writes the level's name.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads it.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if name == string(text) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("no level is called %q", text)
}

// A Finding is one thing that was looked at. Its sentences can quote what a stranger's
// server or the DNS said, without any escaping.
type Finding struct {
	Level Level `json:"level"`
	// Check is what looked: name, dns, caa, http, https, ca, clock, store, dry-run.
	Check string `json:"check"`
	// Domain is the name that it is about, "" for all of them.
	Domain string `json:"domain,omitempty"`
	What   string `json:"what"`
	// Mend is what to do about it, "" where there is nothing to do.
	Mend string `json:"mend,omitempty"`
}

// A Report is what was found, in the order of the looking.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Count is how many findings have the level.
func (r Report) Count(l Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// A chart collects the findings of one check about one domain.
type chart struct {
	check, domain string
	findings      []Finding
}

func (c *chart) add(l Level, mend, format string, args ...any) {
	c.findings = append(c.findings, Finding{Level: l, Check: c.check, Domain: c.domain, What: fmt.Sprintf(format, args...), Mend: mend})
}

func (c *chart) ok(format string, args ...any)            { c.add(OK, "", format, args...) }
func (c *chart) note(mend, format string, args ...any)    { c.add(Note, mend, format, args...) }
func (c *chart) warning(mend, format string, args ...any) { c.add(Warning, mend, format, args...) }
func (c *chart) fault(mend, format string, args ...any)   { c.add(Fault, mend, format, args...) }
