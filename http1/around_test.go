package http1_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// What stands around handlers has means of its own: defaults, contexts, failures.

func TestSetDefault(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http1.HandlerFunc
		want    []string // values of X-A
	}{
		{"is sent where nothing is set", func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-A", "1") }, []string{"1"}},
		{"gives way to what was set before", func(w *http1.Response, _ *http1.Request) { w.Set("x-a", "2"); w.SetDefault("X-A", "1") }, []string{"2"}},
		{"and to what is set afterwards", func(w *http1.Response, _ *http1.Request) {
			w.SetDefault("X-A", "1")
			w.Add("x-a", "2")
			w.Add("X-A", "3")
		}, []string{"2", "3"}},
		{"is there once", func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-A", "1"); w.SetDefault("x-a", "2") }, []string{"2"}},
		{"can be taken back", func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-A", "1"); w.SetDefault("x-a", "") }, nil},
		{"survives a reset", func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-A", "1"); w.Set("X-A", "2"); w.Reset() }, []string{"1"}},
		{"survives a panic", func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-A", "1"); w.Set("X-A", "2"); panic("no") }, []string{"1"}},
		{"comes too late behind the head", func(w *http1.Response, _ *http1.Request) { _ = w.Flush(); w.SetDefault("X-A", "1") }, nil},
		{"is with a stream", func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-A", "1"); _ = w.Flush() }, []string{"1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := http1test.Do(c.handler, http1test.Request{}).Values("X-A"); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("is forgotten with its request", func(t *testing.T) {
		for range 100 { // a Response is used again and again
			http1test.Do(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-A", "1") }), http1test.Request{})
			if res := http1test.Do(write("", nil), http1test.Request{}); len(res.Fields) > 0 {
				t.Fatalf("the next response has %v", res.Fields)
			}
		}
	})
	for _, name := range []string{"Content-Length", "connection", "Transfer-Encoding", "Keep-Alive", "Date", "Trailer", "Upgrade", "a b", ""} {
		t.Run("panics on "+name, func(t *testing.T) {
			res := http1test.Do(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.SetDefault(name, "1") }), http1test.Request{})
			if res.Status != 500 {
				t.Errorf("got %d", res.Status)
			}
		})
	}
}

func TestFail(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name    string
		handler http1.HandlerFunc
		ask     http1test.Request
		status  int
		cut     bool
		err     error
	}{
		{"before the head it is a 500", func(w *http1.Response, _ *http1.Request) { w.Text(200, "a"); w.Fail(broken) }, http1test.Request{}, 500, false, broken},
		{"behind it a cut", func(w *http1.Response, _ *http1.Request) { _ = w.Flush(); w.Fail(broken) }, http1test.Request{}, 200, true, broken},
		{"behind part of what was declared too", func(w *http1.Response, _ *http1.Request) { w.SetLength(2); _, _ = w.WriteString("a"); w.Fail(broken) },
			http1test.Request{}, 200, true, broken},
		{"what is whole stays whole", func(w *http1.Response, _ *http1.Request) { w.SetLength(1); _, _ = w.WriteString("a"); w.Fail(broken) }, http1test.Request{}, 200, false, nil},
		{"so does what has no content", func(w *http1.Response, _ *http1.Request) { w.SetStatus(204); _ = w.Flush(); w.Fail(broken) }, http1test.Request{}, 204, false, nil},
		{"and the answer to HEAD", func(w *http1.Response, _ *http1.Request) { _ = w.Flush(); w.Fail(broken) }, http1test.Request{Method: "HEAD"}, 200, false, nil},
		{"the first error counts", func(w *http1.Response, _ *http1.Request) {
			w.SetLength(1)
			_, _ = w.WriteString("ab")
			w.Fail(broken)
		}, http1test.Request{}, 500, false, http1.ErrContentLength},
		{"a reset takes it back", func(w *http1.Response, _ *http1.Request) { w.Fail(broken); w.Reset(); w.Text(503, "later") }, http1test.Request{}, 503, false, nil},
		{"nothing can be written any more", func(w *http1.Response, _ *http1.Request) {
			_ = w.Flush()
			w.Fail(broken)
			if _, err := w.WriteString("a"); err != broken {
				panic(err)
			}
		}, http1test.Request{}, 200, true, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := http1test.Do(c.handler, c.ask)
			if res.Status != c.status || res.Cut != c.cut || !errors.Is(res.Result.Err, c.err) {
				t.Errorf("got %d, cut %t, %v; want %d, %t, %v", res.Status, res.Cut, res.Result.Err, c.status, c.cut, c.err)
			}
		})
	}
}

func TestSetContext(t *testing.T) {
	type key struct{}
	var before, inside context.Context
	inner := http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) { inside = r.Context() })
	around := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		before = r.Context()
		r.SetContext(context.WithValue(before, key{}, "v"))
		inner.Serve(w, r)
	})
	http1test.Do(around, http1test.Request{})
	if inside.Value(key{}) != "v" || before.Value(key{}) != nil {
		t.Errorf("the handler's context has %v, the request's own %v", inside.Value(key{}), before.Value(key{}))
	}
	http1test.Do(inner, http1test.Request{})
	if inside.Value(key{}) != nil {
		t.Error("the next request has the context of the one before")
	}
}

func TestCauseOfADerivedContext(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	if got := http1.Cause(ctx); got != nil {
		t.Errorf("before its end: %v", got)
	}
	cancel(why)
	if got := http1.Cause(ctx); got != why {
		t.Errorf("got %v, want %v", got, why)
	}
	plain, end := context.WithCancel(t.Context())
	end()
	if got := http1.Cause(plain); got != context.Canceled {
		t.Errorf("without a cause of its own: %v", got)
	}
}
