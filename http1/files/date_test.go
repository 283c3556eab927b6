package files

import (
	"net/http"
	"testing"
	"time"
)

// today is when these tests take place.
var today = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func TestDate(t *testing.T) {
	example := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for _, c := range []struct {
		clause, value string
		want          time.Time // zero means malformed
	}{
		{"IMF-fixdate (RFC 9110 §5.6.7)", "Sun, 06 Nov 1994 08:49:37 GMT", example},
		{"rfc850-date (RFC 9110 §5.6.7)", "Sunday, 06-Nov-94 08:49:37 GMT", example},
		{"asctime-date (RFC 9110 §5.6.7)", "Sun Nov  6 08:49:37 1994", example},
		{"asctime-date with two digits", "Wed Nov 16 08:49:37 1994", example.AddDate(0, 0, 10)},
		{"a leap day", "Thu, 29 Feb 2024 00:00:00 GMT", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"a leap second is the next minute", "Sat, 31 Dec 2016 23:59:60 GMT", time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"the day's name is not held against the date", "Mon, 06 Nov 1994 08:49:37 GMT", example},
		{"two digits up to 50 years ahead are ahead", "Monday, 04-May-76 03:02:01 GMT", today.AddDate(50, 0, 0)},
		{"more than 50 years ahead are past (RFC 9110 §5.6.7)", "Tuesday, 04-May-76 03:02:02 GMT", time.Date(1976, 5, 4, 3, 2, 2, 0, time.UTC)},

		{"nothing", "", time.Time{}},
		{"seconds since 1970", "784111777", time.Time{}},
		{"the wrong case (RFC 9110 §5.6.7)", "sun, 06 nov 1994 08:49:37 gmt", time.Time{}},
		{"another zone", "Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"an offset", "Sun, 06 Nov 1994 08:49:37 +0000", time.Time{}},
		{"one digit of day", "Sun, 6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"a day that is not", "Sun, 31 Feb 2024 08:49:37 GMT", time.Time{}},
		{"day nought", "Sun, 00 Nov 1994 08:49:37 GMT", time.Time{}},
		{"hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", time.Time{}},
		{"minute 60", "Sun, 06 Nov 1994 08:60:37 GMT", time.Time{}},
		{"second 61", "Sun, 06 Nov 1994 08:49:61 GMT", time.Time{}},
		{"a month that is not", "Sun, 06 Nev 1994 08:49:37 GMT", time.Time{}},
		{"a month out of two", "Sun, 06 an  1994 08:49:37 GMT", time.Time{}},
		{"a day's name that is not", "Sin, 06 Nov 1994 08:49:37 GMT", time.Time{}},
		{"a short day in the long form", "Sun, 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"a long day that is not", "Someday, 06-Nov-94 08:49:37 GMT", time.Time{}},
		{"something behind it", "Sun, 06 Nov 1994 08:49:37 GMT;", time.Time{}},
		{"a fraction", "Sun, 06 Nov 1994 08:49:37.5 GMT", time.Time{}},
		{"a sign for a digit", "Sun, 06 Nov 1994 08:49:-7 GMT", time.Time{}},
		{"two dates", "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", time.Time{}},
	} {
		t.Run(c.clause, func(t *testing.T) {
			got, ok := parseDate(c.value, today)
			if ok == c.want.IsZero() || ok && !got.Equal(c.want) {
				t.Errorf("parseDate(%q) is %v, %v; want %v", c.value, got, ok, c.want)
			}
		})
	}
}

func TestDateIsSentAsFixdate(t *testing.T) {
	east := time.Date(1994, 11, 6, 10, 49, 37, 0, time.FixedZone("east", 2*60*60))
	if got := formatDate(east); got != "Sun, 06 Nov 1994 08:49:37 GMT" {
		t.Errorf("formatDate is %q", got)
	}
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"Thu, 29 Feb 2023 00:00:00 GMT", "Sat, 31 Dec 2016 23:59:60 GMT", "Sun, 06 Nov 0000 00:00:00 GMT",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseDate(s, today)
		if !ok {
			return
		}
		if again, ok := parseDate(formatDate(got), today); got.Year() <= 9999 && (!ok || !again.Equal(got)) {
			t.Fatalf("%q is %v, and read again %v", s, got, again)
		}
		// Known differences: net/http knows no leap second and turns two digits at 69.
		if theirs, err := http.ParseTime(s); err == nil && !theirs.Equal(got) && theirs.Year()%100 != got.Year()%100 {
			t.Fatalf("%q is %v, to net/http %v", s, got, theirs)
		}
	})
}
