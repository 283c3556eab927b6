package nethttp_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/nethttp"
	"github.com/holdfast-server/holdfast/http1/vhost"
)

// first is a pattern whose wildcard stands for what follows the first slash.
type first struct{}

func (first) Names() []string                      { return []string{"id"} }
func (first) Find(path []byte, name string) []byte { return path[1:] }

func TestPattern(t *testing.T) {
	t.Run("a path that was rewritten is the URL's, and RequestURI stays", func(t *testing.T) {
		inner := nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.URL.Path+" "+r.URL.EscapedPath()+" "+r.URL.RawQuery+" "+r.RequestURI)
		}))
		rules := &vhost.Rules{Site: inner}
		if err := rules.Add(vhost.Rule{From: "/app/{x...}", To: "/new/{x}"}); err != nil {
			t.Fatal(err)
		}
		got := http1test.Do(rules, http1test.Request{Target: "/app/a%2Fb?c=d"})
		if string(got.Content) != "/new/a/b /new/a%2Fb c=d /app/a%2Fb?c=d" {
			t.Errorf("%q", got.Content)
		}
	})
	t.Run("a router's name and values are the http.Request's", func(t *testing.T) {
		inner := nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Pattern+" "+r.PathValue("id"))
		}))
		got := http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			r.SetRoute("/{id}", first{})
			inner.Serve(w, r)
		}), http1test.Request{Target: "/a%20b"})
		if string(got.Content) != "/{id} a b" {
			t.Errorf("%q", got.Content)
		}
	})
}
