package http1

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// telling hijacks, tells the client how that went, and sends back what it finds on the
// stream until the client half-closes.
func telling(before func(w *Response, r *Request)) Handler {
	return HandlerFunc(func(w *Response, r *Request) {
		before(w, r)
		stream, err := Hijack(w)
		if err != nil {
			w.Text(409, err.Error())
			return
		}
		_, again := Hijack(w)
		_, read := r.Body().Read(make([]byte, 1))
		content, err := io.ReadAll(stream)
		_, _ = fmt.Fprintf(stream, "%q %v %v %v", content, err, errors.Is(again, ErrCommitted), read != nil)
	})
}

func nothing(*Response, *Request) {}

func TestHijackAndContent(t *testing.T) {
	const by3, chunked = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	readOne := func(_ *Response, r *Request) { _, _ = io.ReadFull(r.Body(), make([]byte, 1)) }
	for _, row := range []struct {
		name, message string
		before        func(*Response, *Request)
		want          string
	}{
		{"unread content stands at the front of the stream", by3 + "abc and more", nothing, "abc and more"},
		{"of content that was read in part, the rest does", by3 + "abc and more", readOne, "bc and more"},
		{"chunks stand there as they were framed", chunked + "3\r\nabc\r\n0\r\n\r\nmore", nothing, "3\r\nabc\r\n0\r\n\r\nmore"},
		{"a chunk that was read in part goes on where that ended", chunked + "3\r\nabc\r\n0\r\n\r\nmore", readOne, "bc\r\n0\r\n\r\nmore"},
		{"content that is still to come is read from the stream", by3, nothing, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			overBoth(t, telling(row.before), func(t *testing.T, s *site) {
				c := s.ask(row.message)
				c.finish()
				got, err := io.ReadAll(c.in)
				if want := fmt.Sprintf("%q <nil> true true", row.want); string(got) != want || err != nil {
					t.Errorf("%q, %v, want %q", got, err, want)
				}
				if r := s.observed(1)[0]; !r.Detached || r.Status != 0 || r.Ending != Completed {
					t.Errorf("%+v", r)
				}
			})
		})
	}
	t.Run("content that is refused leaves nothing to take over", func(t *testing.T) {
		overBoth(t, telling(func(_ *Response, r *Request) { _, _ = io.ReadAll(r.Body()) }), func(t *testing.T, s *site) {
			c := s.ask(chunked + "zz\r\n")
			if a := c.answer("POST"); a.StatusCode != 400 {
				t.Errorf("%d %q", a.StatusCode, a.content)
			}
			if r := s.observed(1)[0]; r.Detached || r.Ending != Refused {
				t.Errorf("%+v", r)
			}
		})
	})
}

// A goroutine of the handler may be in the middle of a read when another takes over.
func TestHijackUnderAReader(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		read := make(chan error, 1)
		first := make(chan bool)
		go func() {
			_, err := io.ReadFull(r.Body(), make([]byte, 1))
			close(first)
			for err == nil {
				_, err = r.Body().Read(make([]byte, 1))
			}
			read <- err
		}()
		<-first
		stream, err := Hijack(w)
		if err != nil {
			t.Error(err)
			return
		}
		if err := <-read; err == nil {
			t.Error("the reader was not woken")
		}
		if err := r.Context().Err(); err != nil {
			t.Error("the client is taken for gone:", err)
		}
		_, _ = io.WriteString(stream, "taken")
		got := make([]byte, 2)
		if _, err := io.ReadFull(stream, got); err != nil || string(got) != "bc" {
			t.Errorf("%q, %v", got, err)
		}
	}), func(t *testing.T, s *site) {
		c := s.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
		got := make([]byte, 5)
		if _, err := io.ReadFull(c.in, got); err != nil || string(got) != "taken" {
			t.Fatalf("%q, %v", got, err)
		}
		c.send("bc")
		c.ends()
	})
}

func TestHijackBehindAHead(t *testing.T) {
	t.Run("what was flushed goes out first, and its framing is the handler's to end", func(t *testing.T) {
		overBoth(t, HandlerFunc(func(w *Response, r *Request) {
			_, _ = w.WriteString("Hello, ")
			_ = w.Flush()
			stream, err := Hijack(w)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(stream, "6\r\nworld!\r\n0\r\n\r\n")
		}), func(t *testing.T, s *site) {
			c := s.ask(get("/"))
			c.gets("GET", 200, "Hello, world!")
			c.ends()
			if r := s.observed(1)[0]; !r.Detached || r.Status != 200 || r.Bytes != 7 {
				t.Errorf("%+v", r)
			}
		})
	})
	t.Run("an upgrade comes too late", func(t *testing.T) {
		overBoth(t, HandlerFunc(func(w *Response, r *Request) {
			_ = w.Flush()
			if _, err := w.Upgrade("echo"); !errors.Is(err, ErrCommitted) {
				t.Error(err)
			}
		}), func(t *testing.T, s *site) {
			s.ask(offer).gets("GET", 200, "")
		})
	})
}

func TestStreamCloseWrite(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		stream, err := w.Upgrade("count")
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(stream, "I am done")
		if err := stream.CloseWrite(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(stream); string(got) != "and I" || err != nil {
			t.Errorf("behind our end: %q, %v", got, err)
		}
		if _, err := io.WriteString(stream, "x"); err == nil {
			t.Error("our half can still be written")
		}
	}), func(t *testing.T, s *site) {
		c := s.ask(offer)
		c.answer("HEAD")
		if got, err := io.ReadAll(c.in); string(got) != "I am done" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		c.send("and I")
		c.finish()
		if r := s.observed(1)[0]; r.Status != 101 || !r.Detached || r.Ending != Completed {
			t.Errorf("%+v", r)
		}
	})
}

func TestOfferUpgrade(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		w.SetStatus(426)
		w.OfferUpgrade("h2c", "websocket")
		switch r.Path() {
		case "/close":
			w.CloseAfter()
		case "/field":
			w.Set("Upgrade", "other") // the same by another door
		case "/back":
			w.Del("Upgrade")
		case "/up":
			if _, err := w.Upgrade("echo"); !errors.Is(err, ErrNoUpgrade) {
				t.Error(err)
			}
		}
	}), func(t *testing.T, s *site) {
		for _, row := range []struct{ request, connection, upgrade string }{
			{get("/"), "keep-alive, Upgrade", "h2c, websocket"},
			{get("/close"), "", "h2c, websocket"}, // the reader takes the whole field away with its close
			{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive, Upgrade", "h2c, websocket"},
			{get("/field"), "keep-alive, Upgrade", "other"},
			{get("/back"), "keep-alive", ""},
			{"POST /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 3\r\n\r\n", "keep-alive", ""},
		} {
			a := s.ask(row.request).answer("GET")
			got := strings.Join(a.Header.Values("Connection"), "|")
			if got != row.connection || a.Header.Get("Upgrade") != row.upgrade || a.Close != strings.Contains(row.request, "/close") {
				t.Errorf("%.10q: Connection %q, Upgrade %q, want %q and %q", row.request, got, a.Header.Get("Upgrade"), row.connection, row.upgrade)
			}
		}
	})
}

func TestTrailersOfSeveralValues(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		w.DeclareTrailers("X-Sum", "X-One")
		_, _ = w.WriteString("content")
		w.AddTrailer("X-Sum", "1")
		w.AddTrailer("X-One", "dropped")
		w.AddTrailer("x-one", "too")
		w.AddTrailer("x-sum", "2")
		w.SetTrailer("X-One", "3")
	}), func(t *testing.T, s *site) {
		a := s.ask(get("/")).gets("GET", 200, "content")
		if got := fmt.Sprint(a.Trailer); got != "map[X-One:[3] X-Sum:[1 2]]" {
			t.Error(got)
		}
	})
	for name, want := range map[string]bool{"X-Sum": true, "Server-Timing": true, "Content-Length": false, "Host": false, "a b": false, "": false} {
		if ValidTrailer(name) != want {
			t.Errorf("ValidTrailer(%q) is %v", name, !want)
		}
	}
}

func TestAnnounced(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		_ = w.Flush()
		<-Announced(r.Context())
		_, _ = w.WriteString("goodbye")
	}), func(t *testing.T, s *site) {
		c := s.ask(get("/"))
		if _, err := c.in.Peek(1); err != nil {
			t.Fatal(err)
		}
		s.conns.Announce()
		c.gets("GET", 200, "goodbye")
	})
	if Announced(t.Context()) != nil {
		t.Error("a context of no request hears of a stop")
	}
}
