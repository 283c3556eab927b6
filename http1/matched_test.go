package http1_test

import (
	"fmt"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// whole is a pattern of one wildcard, which stands for all behind the first slash.
type whole struct{}

func (whole) Names() []string { return []string{"all"} }

func (whole) Find(path []byte, name string) []byte {
	if name != "all" {
		return nil
	}
	return path[1:]
}

func TestMatched(t *testing.T) {
	t.Run("a route's name and its values are the request's and the record's", func(t *testing.T) {
		var values, nothing string
		r := http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			nothing = r.Route() + r.PathValue("all")
			for range r.PathValues() {
				nothing += "a value"
			}
			r.SetRoute("the route", whole{})
			for name, value := range r.PathValues() {
				values += fmt.Sprintf("%s=%q of %s", name, value, r.Route())
			}
		}), http1test.Request{Target: "/a%20b/c"})
		if values != `all="a b/c" of the route` || r.Route != "the route" || nothing != "" {
			t.Errorf("values %s, record %q, before that %q", values, r.Route, nothing)
		}
	})
	t.Run("the next request of a pooled pair has neither", func(t *testing.T) {
		var left string
		set := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			left += r.Route() + r.PathValue("all")
			r.SetRoute("x", whole{})
		})
		for range 10 {
			http1test.Do(set, http1test.Request{Target: "/y"})
		}
		if left != "" {
			t.Errorf("%q is left of another request", left)
		}
	})
	t.Run("a rewritten path is what later handlers see, and the target stays", func(t *testing.T) {
		var seen string
		http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			r.SetRoute("x", whole{})
			if r.Rewritten() {
				t.Error("rewritten before it was")
			}
			r.SetPath("/new%20path")
			if !r.Rewritten() {
				t.Error("not rewritten")
			}
			seen = fmt.Sprintf("%s %s %s ?%s %s %s", r.Path(), r.PathView(), r.Target(), r.Query(), r.PathValue("all"), r.EscapedPathValue("all"))
		}), http1test.Request{Target: "/o%6Cd?q"})
		if want := "/new%20path /new%20path /o%6Cd?q ?q old o%6Cd"; seen != want {
			t.Errorf("%q, want %q", seen, want)
		}
	})
	for _, path := range []string{"", "*", "a/b"} {
		t.Run(fmt.Sprintf("a rewritten path %q panics", path), func(t *testing.T) {
			r := http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) { r.SetPath(path) }), http1test.Request{})
			if _, ok := r.Result.Err.(*http1.PanicError); !ok {
				t.Errorf("ended with %v", r.Result.Err)
			}
		})
	}
}
