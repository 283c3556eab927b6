package http1

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// around is a middleware as a program writes one: it panics where the path says so.
func around(next Handler) Handler {
	return HandlerFunc(func(w *Response, r *Request) {
		w.SetDefault("X-Around", "yes")
		if r.Path() == "/before" {
			panic("before the handler")
		}
		next.Serve(w, r)
		if r.Path() == "/after" {
			panic("after the handler")
		}
		if r.Path() == "/after-sent" {
			_ = w.Flush()
			panic("after the head")
		}
	})
}

// Whoever panics, at whatever point, costs one response and one log record: the request is
// booked once, the process and the other connections go on. site.close audits the books.
func TestPanicsAnywhere(t *testing.T) {
	for _, c := range []struct {
		name, path string
		status     int
		cut        bool
		ending     Ending
	}{
		{"in the handler before the head", "/panic", 500, false, Completed},
		{"in the handler with content written", "/panic-written", 500, false, Completed},
		{"in the handler behind the head", "/panic-sent", 200, true, Aborted},
		{"in a middleware before the handler", "/before", 500, false, Completed},
		{"in a middleware after the handler", "/after", 500, false, Completed},
		{"in a middleware behind the head", "/after-sent", 404, true, Aborted},
	} {
		overBoth(t, around(around(demo)), func(t *testing.T, s *site) {
			t.Run(c.name, func(t *testing.T) {
				ask := s.ask(get("/ok") + get(c.path) + get("/ok"))
				ask.t = t
				ask.gets("GET", 200, "OK")
				a := ask.answer("GET")
				if a.StatusCode != c.status || errors.Is(a.err, io.ErrUnexpectedEOF) != c.cut || a.Header.Get("X-Around") != "yes" {
					t.Errorf("got %d, %v, %v", a.StatusCode, a.err, a.Header)
				}
				if _, err := http.ReadResponse(ask.in, nil); err == nil {
					t.Error("the connection went on behind a panic")
				}
				s.dial().isOpen() // others do
				records := s.observed(3)
				var p *PanicError
				if r := records[1]; r.Ending != c.ending || !errors.As(r.Err, &p) || len(p.Stack) == 0 {
					t.Errorf("booked as %s with %v", r.Ending, r.Err)
				}
				if n := strings.Count(s.log.String(), "handler panicked"); n != 1 {
					t.Errorf("%d records in the log", n)
				}
			})
		})
	}
}

// The id that a trusted caller gave goes with its request alone.
func TestCallerIDInTheRecord(t *testing.T) {
	h := HandlerFunc(func(_ *Response, r *Request) {
		if r.Path() == "/named" {
			r.SetCallerID("edge-7")
		}
	})
	s := open(t, "plain", h, nil)
	c := s.ask(get("/named") + get("/") + get("/named") + "GET / HTTP/1.1\r\n\r\n")
	_, _ = io.ReadAll(c.in)
	for i, want := range []string{"edge-7", "", "edge-7", ""} {
		if got := s.observed(4)[i].CallerID; got != want {
			t.Errorf("record %d has %q, want %q", i, got, want)
		}
	}
}
