package http1

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const offer = "GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// echoing takes the stream over and sends back what comes until the client half-closes or
// a drain begins.
func echoing(ended chan<- string) Handler {
	return HandlerFunc(func(w *Response, r *Request) {
		w.Set("X-Kept", "yes")
		stream, err := w.Upgrade("echo")
		if err != nil {
			w.Text(http.StatusBadRequest, err.Error())
			return
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			_, _ = io.Copy(stream, stream)
		}()
		select {
		case <-over:
			ended <- "client"
		case <-stream.Announced():
			_, _ = io.WriteString(stream, "goodbye")
			_ = stream.Close()
			<-over
			ended <- "drain"
		}
	})
}

func TestUpgrade(t *testing.T) {
	for _, how := range []string{"client", "drain"} {
		t.Run("ended by the "+how, func(t *testing.T) {
			ended := make(chan string, 2)
			overBoth(t, echoing(ended), func(t *testing.T, s *site) {
				c := s.ask(offer + "early bytes ")
				a := c.answer("GET")
				if a.StatusCode != 101 || a.Header.Get("Upgrade") != "echo" || a.Header.Get("Connection") != "Upgrade" || a.Header.Get("X-Kept") != "yes" {
					t.Fatalf("got %d with %v", a.StatusCode, a.Header)
				}
				c.send("and late ones")
				want := "early bytes and late ones"
				got := make([]byte, len(want))
				if _, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
					t.Fatalf("echoed %q, %v", got, err)
				}
				if l := s.conns.Ledger(); l.Open != 1 {
					t.Errorf("%d connections counted, want the stream", l.Open)
				}
				if how == "drain" {
					s.conns.Announce()
					if rest, err := io.ReadAll(c.in); string(rest) != "goodbye" || err != nil {
						t.Errorf("in the drain: %q, %v", rest, err)
					}
				} else {
					c.finish()
					c.ends()
				}
				if got := <-ended; got != how {
					t.Errorf("ended by the %s", got)
				}
				if r := s.observed(1)[0]; r.Status != 101 || r.Ending != Completed {
					t.Errorf("booked as %d, %s", r.Status, r.Ending)
				}
			})
		})
	}
}

func TestUpgradeIsRefused(t *testing.T) {
	overBoth(t, echoing(make(chan string, 1)), func(t *testing.T, s *site) {
		for name, message := range map[string]string{
			"without an offer": get("/"),
			"to HTTP/1.0":      "GET / HTTP/1.0\r\nConnection: Upgrade, keep-alive\r\nUpgrade: echo\r\n\r\n",
			"before the end of the content": "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n" +
				"Content-Length: 3\r\n\r\nabc",
		} {
			c := s.ask(message)
			if a := c.answer("GET"); a.StatusCode != 400 || !strings.Contains(a.content, "cannot be upgraded") {
				t.Errorf("%s: %d %q", name, a.StatusCode, a.content)
			}
		}
	})
}

func TestHijack(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		stream, err := Hijack(w)
		if err != nil {
			t.Error(err)
			return
		}
		if err := stream.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(stream, "not HTTP at all")
		if _, err := w.WriteString("x"); err == nil {
			t.Error("the response can still be written")
		}
		_ = stream.Close()
		if _, err := stream.Read(make([]byte, 1)); err == nil {
			t.Error("a closed stream can be read")
		}
	}), func(t *testing.T, s *site) {
		c := s.ask(get("/"))
		if got, err := io.ReadAll(c.in); string(got) != "not HTTP at all" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestInform(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		if r.Path() == "/ok" {
			_, _ = w.WriteString("OK")
			return
		}
		if err := w.Inform(103, "Link", "</a.css>; rel=preload", "X-N", "1"); err != nil {
			t.Error(err)
		}
		w.SetStatus(404)
		_, _ = w.WriteString("final")
		_ = w.Flush()
		if err := w.Inform(103); !errors.Is(err, ErrCommitted) {
			t.Errorf("after the head: %v", err)
		}
	}), func(t *testing.T, s *site) {
		c := s.ask(get("/"))
		if a := c.answer("HEAD"); a.StatusCode != 103 || a.Header.Get("Link") == "" || a.Header.Get("X-N") != "1" || a.Header.Get("Date") != "" {
			t.Fatalf("got %d with %v", a.StatusCode, a.Header)
		}
		if a := c.gets("GET", 404, "final"); a.Header.Get("Link") != "" {
			t.Error("the final response shares the fields")
		}
		c.isOpen()
		old := s.ask("GET / HTTP/1.0\r\n\r\n")
		old.gets("GET", 404, "final")
	})
}

// A handler may inform in one goroutine and read in another, as a proxy does.
func TestInformWhileReading(t *testing.T) {
	s := open(t, "plain", HandlerFunc(func(w *Response, r *Request) {
		read := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, r.Body())
			read <- err
		}()
		for range 50 {
			if err := w.Inform(103); err != nil {
				t.Error(err)
			}
		}
		if err := <-read; err != nil {
			t.Error(err)
		}
		_, _ = w.WriteString("OK")
	}), nil)
	c := s.ask("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n")
	for range 20 {
		c.send("x")
	}
	statuses := map[int]int{}
	for statuses[200] == 0 {
		statuses[c.answer("HEAD").StatusCode]++
	}
	if statuses[103] != 50 || statuses[100] > 1 {
		t.Errorf("got %v, want 50 of 103 and a 100 at most", statuses)
	}
}

func TestTrailers(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		content, err := io.ReadAll(r.Body())
		if err != nil {
			t.Error(err)
		}
		switch r.Path() {
		case "/declared":
			w.DeclareTrailers("X-Sum", "X-None")
		case "/long":
			content = []byte(strings.Repeat("y", responseBufferBytes+1))
		}
		for name, value := range r.Trailers() {
			w.SetTrailer(name, "was "+value)
			w.SetTrailer(name, value)
		}
		_, _ = w.Write(content)
	}), func(t *testing.T, s *site) {
		c := s.dial()
		for _, row := range []struct {
			path, version, want string
		}{
			{"/declared", "1.1", "7"}, {"/long", "1.1", "7"},
			{"/short", "1.1", ""}, // a Content-Length leaves no place for them
		} {
			c.send("POST " + row.path + " HTTP/" + row.version + "\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
			a := c.answer("POST")
			if got := a.Trailer.Get("X-Sum"); got != row.want || a.err != nil {
				t.Errorf("%s: trailer %q, want %q (%v)", row.path, got, row.want, a.err)
			}
		}
	})
	for _, name := range []string{"Content-Length", "Host", "Authorization", "not a token"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s became a trailer", name)
				}
			}()
			new(Response).SetTrailer(name, "x")
		}()
	}
}

func TestLimitBody(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) {
		r.LimitBody(3)
		content, err := io.ReadAll(r.Body())
		if reason, refused := errors.AsType[*Reason](err); refused && reason.Code != "body-too-large" {
			t.Errorf("refused as %s", reason.Code)
		}
		_, _ = w.Write(content)
	}), func(t *testing.T, s *site) {
		c := s.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
		c.gets("POST", 200, "abc")
		c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		c.gets("POST", 200, "abc")
		for _, message := range []string{
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n",
		} {
			c := s.ask(message)
			if a := c.answer("POST"); a.StatusCode != 413 || !a.Close {
				t.Errorf("%q: %d %q", message, a.StatusCode, a.content)
			}
			c.ends()
		}
	})
}
