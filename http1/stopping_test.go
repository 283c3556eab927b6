package http1

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// A response that began before the stop said that the connection goes on: the client's
// next request may be on its way when it ends.
func TestRequestBehindAnUnannouncedResponse(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		_, _ = w.WriteString("OK")
		if r.Path() == "/long" {
			_ = w.Flush()
			begun <- struct{}{}
			<-release
		}
	}), func(t *testing.T, s *site) {
		c := s.ask(get("/long"))
		<-begun
		s.conns.Announce()
		drained := make(chan error, 1)
		go func() { drained <- s.drainOnce() }()
		<-s.closing()
		release <- struct{}{}
		if a := c.answer("GET"); a.content != "OK" || a.Close {
			t.Fatalf("got %q, close %t", a.content, a.Close)
		}
		c.send(get("/ok"))
		if a := c.gets("GET", 200, "OK"); !a.Close {
			t.Error("the last response does not say so")
		}
		c.ends()
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

// Requests that were written before the stop have reached us, wherever reads cut them.
func TestPipelinedBeforeTheStop(t *testing.T) {
	for _, size := range []int{64, 67} {
		overBoth(t, HandlerFunc(func(w *Response, r *Request) { _, _ = w.WriteString("OK") }), func(t *testing.T, s *site) {
			const requests = 200
			message := get("/ok", "X: "+strings.Repeat("x", size-len(get("/ok", "X: "))))
			if len(message) != size {
				t.Fatalf("a request of %d bytes", len(message))
			}
			s.conns.Announce()
			c := s.ask(strings.Repeat(message, requests))
			for range requests {
				c.gets("GET", 200, "OK")
			}
			c.ends()
		})
	}
}

func TestContextAskedForTooLate(t *testing.T) {
	entered, causes := make(chan struct{}), make(chan error, 1)
	s := open(t, "plain", HandlerFunc(func(w *Response, r *Request) {
		entered <- struct{}{}
		for chunk := strings.Repeat("x", 64<<10); ; {
			if _, err := w.WriteString(chunk); err != nil {
				break
			}
		}
		<-r.Context().Done()
		causes <- Cause(r.Context())
	}), nil)
	c := s.ask(get("/"))
	<-entered
	c.vanish()
	if cause := <-causes; !errors.Is(cause, ErrClientLeft) {
		t.Errorf("the context ended because of %v, want %v", cause, ErrClientLeft)
	}
}

// A handler that ends its goroutine leaves books that balance; open's cleanup checks them.
func TestGoexit(t *testing.T) {
	s := open(t, "plain", HandlerFunc(func(*Response, *Request) { runtime.Goexit() }), func(s *site) { s.server.Observe = nil })
	c := s.ask(get("/"))
	if _, err := c.in.ReadByte(); err == nil {
		t.Error("the client got an answer")
	}
}

// An answer does not wait for chunks that nobody wants and that do not come.
func TestEarlyAnswerBeforeChunks(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) { w.Text(405, "no") }), func(t *testing.T, s *site) {
		c := s.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
		if a := c.gets("POST", 405, "no"); !a.Close {
			t.Error("the connection cannot go on, and the response does not say so")
		}
		c.ends()
	})
}
