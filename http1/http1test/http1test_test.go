package http1test_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func Example() {
	greet := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if r.Method() != "GET" && r.Method() != "HEAD" {
			w.Set("Allow", "GET, HEAD")
			w.Text(405, "405 Method Not Allowed\n")
			return
		}
		fmt.Fprintf(w, "Hello %s!\n", r.Field("X-Name"))
	})

	res := http1test.Do(greet, http1test.Request{Fields: []string{"X-Name", "Ada"}})
	fmt.Printf("%d %s", res.Status, res.Content)

	res = http1test.Do(greet, http1test.Request{Method: "DELETE"})
	fmt.Printf("%d, but %s\n", res.Status, res.Get("Allow"))
	// Output:
	// 200 Hello Ada!
	// 405, but GET, HEAD
}

func TestDo(t *testing.T) {
	t.Run("the usual request", func(t *testing.T) {
		res := http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			_, _ = fmt.Fprint(w, r.Method(), r.Target(), r.Authority(), r.Scheme(), r.Proto(), r.ContentLength(), r.TLS() == nil, r.Client(), r.Local())
		}), http1test.Request{})
		if want := "GET/example.testhttpHTTP/1.10 true 192.0.2.1:50000 127.0.0.1:8443"; string(res.Content) != want {
			t.Errorf("the handler saw %q, want %q", res.Content, want)
		}
	})
	t.Run("as if over TLS, from a client of the test's choice", func(t *testing.T) {
		client := netip.MustParseAddrPort("203.0.113.7:4711")
		res := http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			_, _ = fmt.Fprint(w, r.Scheme(), " ", r.TLS().ServerName, " ", r.Client())
		}), http1test.Request{Secure: true, Client: client})
		if want := "https example.test 203.0.113.7:4711"; string(res.Content) != want {
			t.Errorf("the handler saw %q, want %q", res.Content, want)
		}
	})
	t.Run("fields that were set several times", func(t *testing.T) {
		res := http1test.Do(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) {
			w.Add("Vary", "A")
			w.Add("vary", "B")
		}), http1test.Request{})
		if got := res.Values("VARY"); !slices.Equal(got, []string{"A", "B"}) || res.Get("vary") != "A" || res.Get("Absent") != "" {
			t.Errorf("values %q, first %q", got, res.Get("vary"))
		}
	})
	t.Run("flushes are counted", func(t *testing.T) {
		res := http1test.Do(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) {
			_ = w.Flush()
			_ = w.Flush()
		}), http1test.Request{})
		if res.Flushes != 2 {
			t.Errorf("%d flushes, want 2", res.Flushes)
		}
	})
	t.Run("the context is the test's", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var got error
		http1test.Do(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) { got = r.Context().Err() }), http1test.Request{Context: ctx})
		if !errors.Is(got, context.Canceled) {
			t.Errorf("context error %v, want canceled", got)
		}
	})
}

func TestWhatOutlivesARequest(t *testing.T) {
	var view []byte
	var value string
	var body io.Reader
	http1test.Do(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
		view, value, body = r.FieldView("Cookie"), r.Field("Cookie"), r.Body()
	}), http1test.Request{Fields: []string{"Cookie", "secret"}, Content: "content"})
	if bytes.Equal(view, []byte("secret")) {
		t.Error("a view that was kept still shows the field: its owner's test would not notice")
	}
	if value != "secret" {
		t.Errorf("a string that was kept became %q", value)
	}
	if n, err := body.Read(make([]byte, 8)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("the body that was kept gave %d bytes and %v, want an error", n, err)
	}
}

func TestRefused(t *testing.T) {
	tooLarge := http1.Reasons()[slices.IndexFunc(http1.Reasons(), func(r *http1.Reason) bool { return r.Code == "body-too-large" })]
	ask := http1test.Request{Method: "PUT", Content: "first part", Refused: tooLarge}
	t.Run("the handler gets the reason behind the content", func(t *testing.T) {
		var content []byte
		var err error
		res := http1test.Do(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) { content, err = io.ReadAll(r.Body()) }), ask)
		if string(content) != "first part" || !errors.Is(err, tooLarge) {
			t.Errorf("read %q and %v", content, err)
		}
		if res.Status != 413 || !res.Close || !errors.Is(res.Result.Err, tooLarge) {
			t.Errorf("answered %d, close %t, for %v; want 413 and the end", res.Status, res.Close, res.Result.Err)
		}
	})
	t.Run("a handler that does not read is answered for", func(t *testing.T) {
		if res := http1test.Do(http1.HandlerFunc(func(*http1.Response, *http1.Request) {}), ask); res.Status != 413 {
			t.Errorf("answered %d, want 413", res.Status)
		}
	})
	t.Run("unless its response is on the way", func(t *testing.T) {
		flush := http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { _ = w.Flush() })
		if res := http1test.Do(flush, ask); res.Status != 200 || res.Result.Err != nil {
			t.Errorf("answered %d, %v, want 200", res.Status, res.Result.Err)
		}
	})
}

func TestHeadTooLarge(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a head that its memory cannot hold was taken")
		}
	}()
	http1test.Do(http1.HandlerFunc(func(*http1.Response, *http1.Request) {}), http1test.Request{Target: "/" + string(make([]byte, 65<<10))})
}
