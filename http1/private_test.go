package http1_test

import (
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func TestSetPrivate(t *testing.T) {
	rows := []struct {
		name               string
		set                [][2]string
		cacheControl, vary string
	}{
		{"without a word of caching it is private", nil, "private", "Cookie"},
		{"public is taken back", [][2]string{{"Cache-Control", "public, max-age=31536000, immutable"}}, "private, max-age=31536000, immutable", "Cookie"},
		{"in whatever case, and without s-maxage (RFC 9111 §5.2.2.10)", [][2]string{{"Cache-Control", "PUBLIC ,S-MaxAge=60, max-age=5"}}, "private, max-age=5", "Cookie"},
		{"no-store stays as it is", [][2]string{{"Cache-Control", "no-store"}}, "no-store", "Cookie"},
		{"private stays as it is", [][2]string{{"Cache-Control", "Private, max-age=5"}}, "Private, max-age=5", "Cookie"},
		{"private for some fields alone is not enough (RFC 9111 §5.2.2.7)", [][2]string{{"Cache-Control", `private="set-cookie", max-age=5`}}, "private, max-age=5", "Cookie"},
		{"no-cache is not either", [][2]string{{"Cache-Control", "no-cache"}}, "private, no-cache", "Cookie"},
		{"lines are one list", [][2]string{{"Cache-Control", "max-age=5"}, {"Cache-Control", "public"}}, "private, max-age=5", "Cookie"},
		{"Vary keeps what it has", [][2]string{{"Vary", "Accept"}, {"Vary", "Accept-Encoding"}}, "private", "Accept, Accept-Encoding, Cookie"},
		{"Vary has Cookie once", [][2]string{{"Vary", "Accept, cookie"}}, "private", "Accept, cookie"},
		{"a Vary of all is more", [][2]string{{"Vary", "*"}}, "private", "*"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			answer := http1test.Do(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) {
				w.SetPrivate()
				for _, line := range row.set {
					w.Add(line[0], line[1])
				}
				w.Text(200, "for one\n")
			}), http1test.Request{})
			if got := answer.Get("Cache-Control"); got != row.cacheControl {
				t.Errorf("Cache-Control: %s, want %s", got, row.cacheControl)
			}
			if got := strings.Join(answer.Values("Vary"), ", "); got != row.vary {
				t.Errorf("Vary: %s, want %s", got, row.vary)
			}
		})
	}
	t.Run("it survives a reset and is on a 500", func(t *testing.T) {
		answer := http1test.Do(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) {
			w.SetPrivate()
			w.Reset()
			w.Text(500, "no\n")
		}), http1test.Request{})
		if answer.Get("Cache-Control") != "private" {
			t.Errorf("Cache-Control: %s", answer.Get("Cache-Control"))
		}
	})
	t.Run("nothing is private by itself", func(t *testing.T) {
		answer := http1test.Do(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.Text(200, "for all\n") }), http1test.Request{})
		if answer.Get("Cache-Control") != "" || answer.Get("Vary") != "" {
			t.Errorf("%q, %q", answer.Get("Cache-Control"), answer.Get("Vary"))
		}
	})
}
