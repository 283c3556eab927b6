package http1

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

func TestBrokenHandlers(t *testing.T) {
	overBoth(t, demo, func(t *testing.T, s *site) {
		cutAfter := func(t *testing.T, path, content string) {
			t.Helper()
			c := s.ask(get(path) + get("/ok"))
			a := c.answer("GET")
			if a.content != content || !errors.Is(a.err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: got %q and %v, want %q and an unexpected end", path, a.content, a.err, content)
			}
			if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil {
				t.Errorf("%s: got %q and %v behind the cut", path, rest, err)
			}
		}
		t.Run("a panic behind the head cuts the response", func(t *testing.T) { cutAfter(t, "/panic-sent", "half") })
		t.Run("an abort behind the head cuts the response", func(t *testing.T) { cutAfter(t, "/abort-sent", "half") })
		t.Run("content shorter than declared is cut", func(t *testing.T) { cutAfter(t, "/short", "short") })
		t.Run("an abort before the head sends nothing", func(t *testing.T) { s.ask(get("/abort")).ends() })
		t.Run("responses before an abort arrive whole", func(t *testing.T) {
			c := s.ask(get("/ok") + get("/large") + get("/abort"))
			c.gets("GET", 200, "OK")
			c.gets("GET", 200, strings.Repeat("x", 100_000))
			c.ends()
		})
		t.Run("a response that only its end delimits ends in a reset", func(t *testing.T) {
			c := s.ask("GET /abort-sent HTTP/1.0\r\n\r\n")
			res, err := http.ReadResponse(c.in, nil)
			if err == nil {
				_, err = io.ReadAll(res.Body)
			}
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read until %v, want a reset: an orderly end would make it whole", err)
			}
		})
		t.Run("content beyond what was declared is not sent", func(t *testing.T) {
			c := s.ask(get("/too-much-sent"))
			c.gets("GET", 200, "two")
			c.ends()
		})
	})
}

func TestPanicsAreLogged(t *testing.T) {
	for _, c := range []struct {
		name, path string
		logged     []string
	}{
		{"with value, stack and request", "/panic?key=hidden", []string{"handler panicked", "out of luck", "demo_test.go", "path=/panic", "method=GET"}},
		{"behind the head as well", "/panic-sent", []string{"handler panicked", "too late"}},
		{"but not an abort", "/abort", nil},
		{"nor an abort behind the head", "/abort-sent", nil},
		{"a short response is a warning", "/short", []string{"level=WARN", "response broken", "cut=true", "less content"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, "plain", demo, nil)
			ask := s.ask(get(c.path))
			_, _ = io.ReadAll(ask.in)
			s.observed(1)
			ask.nc.Close()
			await(t, "the connection's end", func() bool { return s.conns.Ledger().Open == 0 })
			log := s.log.String()
			for _, want := range c.logged {
				if !strings.Contains(log, want) {
					t.Errorf("the log lacks %q: %s", want, log)
				}
			}
			if c.logged == nil && log != "" || strings.Contains(log, "hidden") {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

// A panic is our fault even where the client is at fault as well.
func TestPanicOverRefusedContent(t *testing.T) {
	s := open(t, "plain", HandlerFunc(func(_ *Response, r *Request) {
		if _, err := io.ReadAll(r.Body()); err != nil {
			panic(err)
		}
	}), nil)
	c := s.ask(chunked("/", "zz\r\n"))
	c.gets("POST", 500, "500 Internal Server Error\n")
	c.ends()
	var p *PanicError
	if r := s.observed(1)[0]; !errors.As(r.Err, &p) || r.Ending != Completed || r.Status != 500 {
		t.Errorf("observed %+v", r)
	}
	await(t, "the log", func() bool { return strings.Contains(s.log.String(), "handler panicked") })
}

// Content is refused with the status that its fault deserves, or cut where the head has
// gone.
func TestRefusedContent(t *testing.T) {
	limited := func(s *site) {
		s.server.Limits = DefaultLimits()
		s.server.Limits.BodyBytes = 10
	}
	for _, transport := range transports {
		s := open(t, transport, demo, limited)
		for _, c := range []struct {
			name, send string
			status     int
		}{
			{"a length over the limit is 413", post("/echo", 11, ""), 413},
			{"a length at the limit is served", post("/echo", 10, "0123456789"), 200},
			{"a chunk over the limit is 413", chunked("/echo", "B\r\n"), 413},
			{"chunks over the limit together are 413", chunked("/echo", "5\r\nhello\r\n6\r\n"), 413},
			{"chunks at the limit are served", chunked("/echo", "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"), 200},
			{"the handler's own status does not hide it", chunked("/length-of", "B\r\n"), 413},
			{"trailers too large are 431", chunked("/echo", "0\r\nA: "+strings.Repeat("x", 9000)+"\r\n\r\n"), 431},
		} {
			t.Run(transport+"/"+c.name, func(t *testing.T) {
				cl := s.ask(c.send)
				cl.t = t
				a := cl.answer("POST")
				if a.StatusCode != c.status || a.err != nil || a.Close != (c.status != 200) {
					t.Errorf("got %d (%v), close %t; want %d", a.StatusCode, a.err, a.Close, c.status)
				}
			})
		}
		t.Run(transport+"/content that breaks behind a committed head cuts it", func(t *testing.T) {
			c := s.ask(chunked("/answer-first", "5\r\nhello\r\nzz\r\n"))
			c.t = t
			a := c.answer("POST")
			if a.StatusCode != 200 || !errors.Is(a.err, io.ErrUnexpectedEOF) {
				t.Errorf("got %d and %v, want 200 and a cut", a.StatusCode, a.err)
			}
		})
		t.Run(transport+"/content that ends too soon is 400", func(t *testing.T) {
			c := s.ask(post("/echo", 10, "hel"))
			c.t = t
			c.finish()
			a := c.answer("POST")
			if a.StatusCode != 400 || !strings.Contains(a.content, "incomplete-body") {
				t.Errorf("got %d %q", a.StatusCode, a.content)
			}
		})
	}
}

// An answer that comes before the content was read must survive the content's arrival: a
// close with unread bytes would reset the connection and destroy it.
func TestEarlyAnswersAreReadable(t *testing.T) {
	const size = 512 << 10
	configure := func(s *site) {
		s.server.Limits = DefaultLimits()
		s.server.Limits.BodyBytes = 1 << 20
	}
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			s := open(t, transport, demo, configure)
			for _, c := range []struct {
				name, head string
				status     int
			}{
				{"refused for its size", post("/echo", 2<<20, ""), 413},
				{"refused for its expectation", strings.Replace(post("/echo", size, ""), "\r\n\r\n", "\r\nExpect: tea\r\n\r\n", 1), 417},
				{"not wanted by the handler", post("/ignore", size, ""), 200},
				{"fatal to the handler", post("/panic", size, ""), 500},
			} {
				t.Run(c.name, func(t *testing.T) {
					for range 25 {
						cl := s.ask(c.head)
						cl.t = t
						sent := make(chan error, 1)
						go func() {
							_, err := io.WriteString(cl.nc, strings.Repeat("x", size))
							sent <- err
						}()
						<-sent // the server may have closed before it was through: the answer counts
						a := cl.answer("POST")
						if a.StatusCode != c.status || a.err != nil || !a.Close {
							t.Fatalf("got %d (%v), close %t; want %d with its end announced", a.StatusCode, a.err, a.Close, c.status)
						}
						_ = cl.nc.Close()
					}
				})
			}
		})
	}
}

// The drain's deadline ends an exchange whatever its handler does afterwards.
func TestForced(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	for _, path := range []string{"/quiet", "/loud"} {
		t.Run(path, func(t *testing.T) {
			h := HandlerFunc(func(w *Response, r *Request) {
				entered <- struct{}{}
				<-r.Context().Done()
				<-release
				_, _ = w.WriteString("too late")
				if path == "/loud" {
					_ = w.Flush()
				}
			})
			s := open(t, "plain", h, nil)
			c := s.ask(get(path))
			<-entered
			if n := s.conns.Cut(); n != 1 {
				t.Errorf("%d connections cut, want 1", n)
			}
			if rest, err := io.ReadAll(c.in); len(rest) > 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client got %q and %v", rest, err)
			}
			release <- struct{}{}
			if r := s.observed(1)[0]; r.Ending != Forced {
				t.Errorf("booked as %s, want forced: nobody got a response", r.Ending)
			}
		})
	}
}
