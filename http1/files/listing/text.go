package listing

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// link is a relative reference to an entry of the directory. RFC 3986 §3.3 allows more than
// the bytes that stay as they are here; §4.2 is why it begins with "./".
func link(name string, directory bool) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, len("./")+len(name)+len("/"))
	b = append(b, "./"...)
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if letter || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	if directory {
		b = append(b, '/')
	}
	return string(b)
}

// visible is a name as a person can read it and no display is led astray by it; it is still
// to be escaped for the markup around it.
func visible(name string) string {
	var b strings.Builder
	for _, c := range name { // a byte that is no UTF-8 comes as utf8.RuneError
		switch {
		case c < ' ':
			c += '\u2400' // the picture of the control
		case c == 0x7F:
			c = '\u2421'
		case unicode.Is(unicode.Cc, c), unicode.Is(unicode.Bidi_Control, c), c == '\u2028', c == '\u2029':
			c = utf8.RuneError
		}
		b.WriteRune(c)
	}
	return b.String()
}

// text is visible, ready for markup, in an attribute's quotes too.
func text(name string) string { return html.EscapeString(visible(name)) }

// size is a number of bytes in a few characters, in powers of 1000 as disks are sold.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n)/1000, 0
	for units := "kMGTPE"; value >= 999.5 && unit < len(units)-1; unit++ {
		value /= 1000
	}
	form := "%.0f %cB"
	if value < 9.95 {
		form = "%.1f %cB"
	}
	return fmt.Sprintf(form, value, "kMGTPE"[unit])
}

// exactSize is a number of bytes with its thousands set apart.
func exactSize(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if n == 1 {
		return b.String() + " byte"
	}
	return b.String() + " bytes"
}

// age is a time as one tells it: by what has passed since, for a week, which is right in every
// time zone, and by the date before that.
func age(t, now time.Time) string {
	switch d := now.Sub(t); {
	case d < 0 || d >= 7*24*time.Hour:
		return t.UTC().Format("2 Jan 2006")
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min ago"
	case d < 24*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h ago"
	case d < 48*time.Hour:
		return "yesterday"
	default:
		return strconv.Itoa(int(d/(24*time.Hour))) + " days ago"
	}
}

// machineTime is a time for programs, in whole seconds. A disk can hold years that RFC 3339
// cannot write: those come out as its first or its last.
func machineTime(t time.Time) string {
	t = t.UTC()
	switch {
	case t.Year() < 0:
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	case t.Year() > 9999:
		t = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t.Format(time.RFC3339)
}
