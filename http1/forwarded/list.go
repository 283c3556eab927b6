package forwarded

import "strings"

const (
	walkLimitHops  = 32      // entries; no real chain of proxies is so long
	walkLimitBytes = 4 << 10 // of list
)

// A list is a comma-separated list over several field lines (RFC 9110 §5.3), read from the right.
type list struct {
	lines  []string // not yet begun
	rest   string   // of the line that was begun
	begun  bool
	quoted bool // commas in quoted strings separate nothing
	hops   int
	bytes  int
}

// next is the next entry to the left, without the white space around it; ok is false behind
// the leftmost one and at the limits.
func (l *list) next() (entry string, ok bool) {
	if !l.begun {
		if len(l.lines) == 0 {
			return "", false
		}
		last := len(l.lines) - 1
		l.rest, l.lines, l.begun = l.lines[last], l.lines[:last], true
	}
	low := max(0, len(l.rest)-(walkLimitBytes-l.bytes))
	comma := lastComma(l.rest, low, l.quoted)
	if l.hops++; l.hops > walkLimitHops || comma < 0 && low > 0 {
		return "", false
	}
	entry = l.rest[comma+1:]
	l.bytes += len(entry) + 1
	if comma < 0 {
		l.begun = false
	} else {
		l.rest = l.rest[:comma]
	}
	return strings.Trim(entry, " \t"), l.bytes <= walkLimitBytes
}

// lastComma finds the last comma at or behind low, -1 without one. Quotes pair up from the
// right, so that what a proxy appended is delimited by itself, whatever stands before it.
func lastComma(s string, low int, quoted bool) int {
	inside := false
	for i := len(s) - 1; i >= low; i-- {
		switch {
		case s[i] == ',' && !inside:
			return i
		case s[i] == '"' && quoted:
			if !inside || !escaped(s[:i]) {
				inside = !inside
			}
		}
	}
	return -1
}

// escaped tells whether what follows s is the second half of a quoted-pair.
func escaped(s string) bool {
	return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1
}
