package http1_test

import (
	"slices"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func TestFieldViews(t *testing.T) {
	fields := []string{"Cookie", "a=b", "Accept", "text/html", "cookie", "c=d", "COOKIE", ""}
	for _, c := range []struct {
		name, field string
		first       bool // only
		want        []string
	}{
		{"every line of the name, in whatever case (RFC 9110 §5.1)", "Cookie", false, []string{"a=b", "c=d", ""}},
		{"as many as are asked for", "Cookie", true, []string{"a=b"}},
		{"none of another", "Host-Cookie", false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				for view := range r.FieldViews(c.field) {
					if got = append(got, string(view)); c.first {
						break
					}
				}
			}), http1test.Request{Fields: fields})
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSetCookie(t *testing.T) {
	cookies := func(f func(w *http1.Response)) []string {
		return http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) { f(w) }), http1test.Request{}).Values("Set-Cookie")
	}
	t.Run("takes the place of one of that name, and of no other", func(t *testing.T) {
		got := cookies(func(w *http1.Response) {
			w.SetCookie("a=1; Path=/")
			w.Add("set-cookie", "b=2")
			w.SetCookie("ab=3")
			w.SetCookie("A=4") // names are compared to the byte
			w.SetCookie("a=5")
		})
		if want := []string{"b=2", "ab=3", "A=4", "a=5"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("does nothing to a committed response", func(t *testing.T) {
		got := cookies(func(w *http1.Response) {
			w.SetCookie("a=1")
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
			w.SetCookie("a=2")
		})
		if !slices.Equal(got, []string{"a=1"}) {
			t.Errorf("got %q", got)
		}
	})
	for _, line := range []string{"", "a", "=1", "a b=1", "a; b=1", "a=1\r\nX: y"} {
		t.Run("panics on a line that is none", func(t *testing.T) {
			panicked := false
			cookies(func(w *http1.Response) {
				defer func() { panicked = recover() != nil }()
				w.SetCookie(line)
			})
			if !panicked {
				t.Errorf("%q was set", line)
			}
		})
	}
}
