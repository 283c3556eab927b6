package nethttp_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

// first is a pattern whose wildcard stands for what follows the first slash.
type first struct{}

func (first) Names() []string                      { return []string{"id"} }
func (first) Find(path []byte, name string) []byte { return path[1:] }

func TestPattern(t *testing.T) {
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
