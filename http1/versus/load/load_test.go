package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// site counts what it is asked, and by how many connections.
type site struct {
	*httptest.Server
	asked, opened atomic.Int64
}

func newSite(t *testing.T, overTLS bool, h http.HandlerFunc) *site {
	t.Helper()
	s := new(site)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		h(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.opened.Add(1)
		}
	}
	if overTLS {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *site) target() Target {
	return Target{Addr: s.Listener.Addr().String(), TLS: s.Server.TLS != nil, Path: "/a?b", Fields: []Field{{"Host", "h"}, {"X-Mark", "m"}}}
}

func hello(w http.ResponseWriter, r *http.Request) {
	if r.Host != "h" || r.Header.Get("X-Mark") != "m" || r.URL.String() != "/a?b" || len(r.Header) != 1 {
		w.WriteHeader(400)
	}
	_, _ = io.WriteString(w, "hello")
}

func TestRun(t *testing.T) {
	for name, overTLS := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name+": it counts as many answers as were given", func(t *testing.T) {
			s := newSite(t, overTLS, hello)
			target := s.target()
			target.Connections = 4
			r, err := Run(t.Context(), target, 20*time.Millisecond)
			if err != nil || r.Elapsed <= 0 || r.Requests < 4 || r.Requests != s.asked.Load() || s.opened.Load() != 4 {
				t.Errorf("%+v, %v; the server was asked %d times by %d connections", r, err, s.asked.Load(), s.opened.Load())
			}
		})
	}
	t.Run("pipelined requests go in batches behind the first", func(t *testing.T) {
		s := newSite(t, false, hello)
		target := s.target()
		target.Pipeline = 16
		r, err := Run(t.Context(), target, 20*time.Millisecond)
		if err != nil || r.Requests%16 != 1 || r.Requests != s.asked.Load() {
			t.Errorf("%+v, %v; the server was asked %d times", r, err, s.asked.Load())
		}
	})
	for name, h := range map[string]http.HandlerFunc{
		"another status":             func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"no length":                  func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"more than the buffer holds": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2*answerBytes)) },
		"an answer cut short":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			s := newSite(t, false, h)
			if r, err := Run(t.Context(), s.target(), time.Hour); err == nil {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("an answer that changes is an error", func(t *testing.T) {
		var n atomic.Int64
		s := newSite(t, false, func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) == 3 {
				w.WriteHeader(503)
			}
			_, _ = io.WriteString(w, "hello")
		})
		if r, err := Run(t.Context(), s.target(), time.Hour); err == nil || r.Requests != 2 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("the first error ends all connections", func(t *testing.T) {
		var n atomic.Int64
		s := newSite(t, false, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 1 {
				w.WriteHeader(404)
				return
			}
			<-r.Context().Done() // the others get no answer at all
		})
		target := s.target()
		target.Connections = 3
		if _, err := Run(t.Context(), target, time.Hour); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("the end of the context ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newSite(t, false, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		if _, err := Run(ctx, s.target(), time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestAnswerLength(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "HTTP/1.1 200 OK\r\nContent-Le": 0,
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n":             41,
		"HTTP/1.1 200 OK\r\ncontent-length:0\r\nA: b\r\n\r\nHTTP/": 43,
	} {
		if got, err := answerLength([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n"} {
		if got, err := answerLength([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestHold(t *testing.T) {
	for name, overTLS := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name+": each connection has asked once and stays open", func(t *testing.T) {
			s := newSite(t, overTLS, hello)
			target := s.target()
			target.Connections = openers + 10
			h, err := Hold(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			if n := int64(target.Connections); s.asked.Load() != n || s.opened.Load() != n {
				t.Errorf("asked %d, opened %d", s.asked.Load(), s.opened.Load())
			}
			for i, c := range h.raw {
				if _, isTLS := c.Conn.(*tls.Conn); isTLS {
					t.Fatal("the client's half of TLS is held")
				}
				if overTLS {
					continue // what comes is a record and no news
				}
				if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				var b [1]byte
				if _, err := c.Read(b[:]); err == nil || errors.Is(err, io.EOF) {
					t.Errorf("connection %d: %v", i, err)
				}
			}
			h.Close()
			if err := h.raw[0].SetReadDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
	t.Run("one refusal ends all", func(t *testing.T) {
		var n atomic.Int64
		s := newSite(t, false, func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) == 5 {
				w.WriteHeader(503)
			}
		})
		target := s.target()
		target.Connections = 1000
		if h, err := Hold(t.Context(), target); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("%v, %v", h, err)
		}
	})
	t.Run("the end of the context ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newSite(t, false, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		target := s.target()
		target.Connections = 3
		if _, err := Hold(ctx, target); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestAwait(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("it returns once there is somebody", func(t *testing.T) {
		if err := Await(t.Context(), l.Addr().String()); err != nil {
			t.Error(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if b, err := bufio.NewReader(c).ReadByte(); err != io.EOF {
			t.Errorf("it said %q, %v", b, err)
		}
	})
	t.Run("the end of the context ends the wait for nobody", func(t *testing.T) {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Await(ctx, l.Addr().String()); err == nil || !strings.HasPrefix(err.Error(), "nobody listens") {
			t.Error(err)
		}
	})
}
