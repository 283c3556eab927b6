package files

import (
	"strings"
	"time"
)

// formatDate writes an IMF-fixdate, the one form that may be sent (RFC 9110 §5.6.7).
func formatDate(t time.Time) string {
	return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
}

const (
	shortDays = "Mon Tue Wed Thu Fri Sat Sun "
	months    = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec "
)

var longDays = [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// parseDate reads an HTTP-date in any of its three forms (RFC 9110 §5.6.7), which are
// case-sensitive. The name of the day must be one but is not held against the date. now is
// what a year of two digits is near to.
func parseDate(s string, now time.Time) (time.Time, bool) {
	day, rest, comma := strings.Cut(s, ", ")
	switch {
	case comma && len(day) == 3:
		return parseFixdate(day, rest)
	case comma:
		return parseRFC850(day, rest, now)
	}
	return parseAsctime(s)
}

// parseFixdate reads "Sun, 06 Nov 1994 08:49:37 GMT", less its day and comma.
func parseFixdate(day, s string) (time.Time, bool) {
	if len(s) != 24 || !shaped(s, "00 aaa 0000 00:00:00 GMT") || named(shortDays, day) < 0 {
		return time.Time{}, false
	}
	return dateOf(number(s[7:11]), named(months, s[3:6]), number(s[0:2]), s[12:20])
}

// parseRFC850 reads "Sunday, 06-Nov-94 08:49:37 GMT", less its day and comma.
func parseRFC850(day, s string, now time.Time) (time.Time, bool) {
	if len(s) != 22 || !shaped(s, "00-aaa-00 00:00:00 GMT") || !longDay(day) {
		return time.Time{}, false
	}
	// A date more than 50 years ahead is the last one in the past with those digits.
	year := now.UTC().Year()
	year += number(s[7:9]) - year%100
	t, ok := dateOf(year, named(months, s[3:6]), number(s[0:2]), s[10:18])
	if ok && t.After(now.AddDate(50, 0, 0)) {
		return dateOf(year-100, named(months, s[3:6]), number(s[0:2]), s[10:18])
	}
	return t, ok
}

// parseAsctime reads "Sun Nov  6 08:49:37 1994".
func parseAsctime(s string) (time.Time, bool) {
	if len(s) != 24 || !shaped(s, "aaa aaa _0 00:00:00 0000") || named(shortDays, s[0:3]) < 0 {
		return time.Time{}, false
	}
	day := s[8:10]
	if day[0] == ' ' {
		day = day[1:]
	}
	return dateOf(number(s[20:24]), named(months, s[4:7]), number(day), s[11:19])
}

// dateOf puts a date together; clock is "15:04:05", its second up to 60 for a leap
// second, which is the next minute's first to us.
func dateOf(year, month, day int, clock string) (time.Time, bool) {
	hour, minute, second := number(clock[0:2]), number(clock[3:5]), number(clock[6:8])
	if month < 0 || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, false
	}
	date := time.Date(year, time.Month(month+1), day, 0, 0, 0, 0, time.UTC)
	if date.Day() != day {
		return time.Time{}, false // such as the 31st of February
	}
	return time.Date(year, time.Month(month+1), day, hour, minute, second, 0, time.UTC), true
}

// shaped compares s with a form of the same length, in which 0 stands for a digit, _ for
// a digit or a space, a for any byte and everything else for itself.
func shaped(s, form string) bool {
	for i := range len(form) {
		c := s[i]
		digit := '0' <= c && c <= '9'
		switch form[i] {
		case '0':
			if !digit {
				return false
			}
		case '_':
			if !digit && c != ' ' {
				return false
			}
		case 'a':
		default:
			if c != form[i] {
				return false
			}
		}
	}
	return true
}

// named is the place of a name of three letters in a list of such, -1 for none.
func named(list, name string) int {
	i := strings.Index(list, name+" ")
	if i < 0 || i%4 != 0 {
		return -1
	}
	return i / 4
}

func longDay(name string) bool {
	for _, d := range longDays {
		if d == name {
			return true
		}
	}
	return false
}

// number is the value of decimal digits.
func number(digits string) (n int) {
	for i := range len(digits) {
		n = n*10 + int(digits[i]-'0')
	}
	return n
}
