package media

import (
	"strings"
	"testing"
)

func TestQuality(t *testing.T) {
	for _, c := range []struct {
		clause, accept, mediaType string
		want                      int
	}{
		{"no field takes everything (RFC 9110 §12.5.1)", "", "text/html", 1000},
		{"nor does one without ranges refuse any", " , ,", "text/html", 1000},
		{"a type by its name", "text/html", "text/html", 1000},
		{"in any case", "TEXT/Html", "text/html", 1000},
		{"what is not named is not taken", "text/html", "application/json", 0},
		{"a subtype's star", "text/*;q=0.5", "text/html", 500},
		{"the star of all", "*/*;q=0.125", "text/html", 125},
		{"the most specific range counts, not the first", "*/*, text/*;q=0.3, text/html;q=0.7", "text/html", 700},
		{"nor the gladdest", "text/html;q=0, */*", "text/html", 0},
		{"a browser's own", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json", 800},
		{"other parameters are passed over", "text/html;level=1;q=0.4", "text/html", 400},
		{"blanks around all", " text/html \t; Q=1.000 ", "text/html", 1000},
		{"a weight over one is malformed (§12.4.2)", "text/html;q=1.001", "text/html", 0},
		{"so is a negative one", "text/html;q=-1", "text/html", 0},
		{"one with four decimals", "text/html;q=0.1234", "text/html", 0},
		{"one that is a word", "text/html;q=high", "text/html", 0},
		{"an empty one", "text/html;q=", "text/html", 0},
		{"one without its point", "text/html;q=05", "text/html", 0},
		{"after a malformed range the others count", "text/html;q=x, text/*;q=0.2", "text/html", 200},
		{"ranges past the limit do not", strings.Repeat("a/b,", rangesLimit) + "text/html", "text/html", 0},
	} {
		t.Run(c.clause, func(t *testing.T) {
			if got := Quality(c.accept, c.mediaType); got != c.want {
				t.Errorf("Quality(%q, %q) is %d, want %d", c.accept, c.mediaType, got, c.want)
			}
		})
	}
}

func TestPrefersJSON(t *testing.T) {
	for _, c := range []struct {
		clause, accept string
		want           bool
	}{
		{"a program that names it", "application/json", true},
		{"with the rest behind it, as libraries send", "application/json, text/plain, */*", true},
		{"a problem's own type (RFC 9457)", "application/problem+json", true},
		{"a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
		{"curl, which takes anything", "*/*", false},
		{"no field", "", false},
		{"one that would sooner have HTML", "application/json;q=0.5, text/html", false},
		{"one that refuses it", "application/json;q=0, text/plain", false},
	} {
		t.Run(c.clause, func(t *testing.T) {
			if got := PrefersJSON(c.accept); got != c.want {
				t.Errorf("PrefersJSON(%q) is %v", c.accept, got)
			}
		})
	}
}

// Any field gives a quality within bounds, and no range makes a refused type welcome.
func FuzzQuality(f *testing.F) {
	for _, seed := range []string{"", "*/*", "text/html;q=0.5,*/*;q=0.1", "a/b;q=1.0000", ",;,=;q", "text/html;q=0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		q := Quality(accept, "text/html")
		if q < 0 || q > 1000 {
			t.Fatalf("Quality(%q) is %d", accept, q)
		}
		if refused := "text/html;q=0," + accept; Quality(refused, "text/html") != 0 {
			t.Fatalf("%q takes what it refused first", refused)
		}
		if PrefersJSON(accept) && !strings.Contains(strings.ToLower(accept), "json") {
			t.Fatalf("%q names no JSON", accept)
		}
	})
}
