package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// waiting is a handler that waits for its context and tells why it ended.
func waiting(entered chan<- struct{}, causes chan<- error) Handler {
	return HandlerFunc(func(w *Response, r *Request) {
		if r.Path() == "/ok" {
			_, _ = w.WriteString("OK")
			return
		}
		ctx := r.Context()
		done := ctx.Done()
		entered <- struct{}{}
		<-done
		if ctx.Err() != context.Canceled {
			causes <- errors.New("the context is done and has no error")
			return
		}
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		causes <- Cause(derived)
	})
}

func TestContextEnds(t *testing.T) {
	for _, row := range []struct {
		name      string
		transport string
		message   string
		leave     func(c *client)
		want      error
		configure func(*site)
	}{
		{"with a reset", "plain", get("/"), (*client).vanish, ErrClientLeft, nil},
		{"with a reset over TLS", "tls", get("/"), (*client).vanish, ErrClientLeft, nil},
		{"with close_notify", "tls", get("/"), func(c *client) { _ = c.nc.(*tls.Conn).CloseWrite() }, ErrClientLeft, nil},
		{"with a FIN where that is asked for", "plain", get("/"), (*client).finish, ErrClientLeft, func(s *site) { s.server.CancelOnFIN = true }},
		{"with a reset behind content", "plain", "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", (*client).vanish, ErrClientLeft, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			entered, causes := make(chan struct{}, 1), make(chan error, 1)
			inner := waiting(entered, causes)
			s := open(t, row.transport, HandlerFunc(func(w *Response, r *Request) {
				if r.Path() == "/read" {
					_, _ = r.Body().Read(make([]byte, 10))
				}
				inner.Serve(w, r)
			}), row.configure)
			c := s.ask(row.message)
			<-entered
			row.leave(c)
			if got := <-causes; !errors.Is(got, row.want) {
				t.Errorf("the context ended because of %v, want %v", got, row.want)
			}
		})
	}
}

func TestContextLives(t *testing.T) {
	t.Run("past a FIN: the client may read on", func(t *testing.T) {
		overBothPlain := HandlerFunc(func(w *Response, r *Request) {
			done := r.Context().Done()
			v := w.x.Sink.(*sink).visit
			await(t, "the FIN to be seen", v.conn.Ended)
			select {
			case <-done:
				t.Error("a half-close was taken for a departure")
			default:
			}
			_, _ = w.WriteString("OK")
		})
		s := open(t, "plain", overBothPlain, nil)
		c := s.ask(get("/"))
		c.finish()
		c.gets("GET", 200, "OK")
		c.ends()
	})
	t.Run("past a pipelined request, which is answered", func(t *testing.T) {
		overBoth(t, HandlerFunc(func(w *Response, r *Request) {
			if r.Path() == "/slow" {
				_ = r.Context().Done()
				v := w.x.Sink.(*sink).visit
				if v.watcher.running != nil { // else both came together
					<-v.watcher.running
				}
			}
			_, _ = w.WriteString("OK")
		}), func(t *testing.T, s *site) {
			c := s.ask(get("/slow"))
			c.send(get("/ok"))
			c.gets("GET", 200, "OK")
			c.gets("GET", 200, "OK")
			c.isOpen()
		})
	})
}

func TestContextIsOverWithItsRequest(t *testing.T) {
	contexts := make(chan context.Context, 2)
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		if r.Path() == "/watched" {
			_ = r.Context().Done()
		}
		contexts <- r.Context()
		_, _ = w.WriteString("OK")
	}), func(t *testing.T, s *site) {
		c := s.dial()
		for _, path := range []string{"/watched", "/unwatched", "/watched"} {
			c.send(get(path))
			c.gets("GET", 200, "OK")
			ctx := <-contexts
			select {
			case <-ctx.Done():
			case <-time.After(patience):
				t.Fatalf("%s: the context outlives its request", path)
			}
			if !errors.Is(Cause(ctx), context.Canceled) {
				t.Errorf("%s: ended because of %v", path, Cause(ctx))
			}
		}
	})
}

func TestFailedWriteEndsContext(t *testing.T) {
	entered, causes := make(chan struct{}), make(chan error, 1)
	s := open(t, "plain", HandlerFunc(func(w *Response, r *Request) {
		ctx := r.Context()
		entered <- struct{}{}
		for chunk := strings.Repeat("x", 64<<10); ; {
			if _, err := w.WriteString(chunk); err != nil {
				break
			}
		}
		causes <- Cause(ctx)
	}), nil)
	c := s.ask(get("/"))
	<-entered
	c.vanish()
	if cause := <-causes; !errors.Is(cause, ErrClientLeft) {
		t.Errorf("the context ended because of %v, want %v", cause, ErrClientLeft)
	}
}

func TestReadDeadline(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		if r.Path() == "/ok" {
			_, _ = io.Copy(w, r.Body())
			_, _ = w.WriteString("OK")
			return
		}
		_ = w.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if r.Path() == "/past" {
			_ = w.SetReadDeadline(time.Unix(1, 0))
			return
		}
		_, err := r.Body().Read(make([]byte, 10))
		w.Text(http.StatusGatewayTimeout, err.Error())
	}), func(t *testing.T, s *site) {
		c := s.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
		c.gets("POST", 504, "i/o timeout")
		c.ends()

		// It is of its own request alone, with content or without.
		c = s.ask(get("/past"))
		c.gets("GET", 200, "")
		c.send("POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
		c.send("abc")
		c.gets("POST", 200, "abcOK")
	})
}
