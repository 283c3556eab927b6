package http1

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// writesOf counts the writes that the server needs for the answers to message.
func (s *site) writesOf(t *testing.T, message string, answers int) int64 {
	t.Helper()
	c := s.dial()
	c.t = t
	c.isOpen() // TLS: handshake and tickets are behind us
	before := s.writes.Load()
	c.send(message)
	for range answers {
		if a := c.answer("GET"); a.err != nil {
			t.Fatal(a.err)
		}
	}
	return s.writes.Load() - before
}

func TestWrites(t *testing.T) {
	name := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(name, []byte(strings.Repeat("f", 3000)), 0o600); err != nil {
		t.Fatal(err)
	}
	h := HandlerFunc(func(w *Response, r *Request) {
		if r.Path() != "/file" {
			demo.Serve(w, r)
			return
		}
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		w.SetLength(3000)
		_, _ = w.ReadFrom(f)
	})
	overBoth(t, h, func(t *testing.T, s *site) {
		for _, c := range []struct {
			name, send string
			answers    int
			most       int64
		}{
			{"a small response leaves in one with its head", get("/ok"), 1, 1},
			{"one of declared length too", get("/length"), 1, 1},
			{"a small file joins its head", get("/file"), 1, 1},
			{"each flush is one", get("/stream"), 1, 4},
			{"pipelined responses share", strings.Repeat(get("/ok"), 16), 16, 2},
			{"many are sent as their buffer fills", strings.Repeat(get("/file"), 16), 16, 6},
		} {
			t.Run(c.name, func(t *testing.T) {
				if got := s.writesOf(t, c.send, c.answers); got > c.most {
					t.Errorf("%d writes for %d responses, want at most %d", got, c.answers, c.most)
				}
			})
		}
	})
}

func TestFlush(t *testing.T) {
	gate := make(chan struct{})
	h := HandlerFunc(func(w *Response, r *Request) {
		if r.Path() == "/length" {
			w.SetLength(2)
		}
		for _, part := range []string{"a", "b"} {
			_, _ = w.WriteString(part)
			_ = w.Flush()
			<-gate
		}
	})
	overBoth(t, h, func(t *testing.T, s *site) {
		for _, path := range []string{"/chunks", "/length"} {
			for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
				t.Run(version+path, func(t *testing.T) {
					c := s.ask("GET " + path + " " + version + "\r\nHost: a\r\n\r\n")
					c.t = t
					res, err := http.ReadResponse(c.in, nil)
					if err != nil {
						t.Fatal(err)
					}
					for _, part := range []string{"a", "b"} {
						var b [1]byte
						if _, err := io.ReadFull(res.Body, b[:]); err != nil || string(b[:]) != part {
							t.Errorf("got %q and %v while the handler waits, want %q", b[:], err, part)
						}
						gate <- struct{}{}
					}
					if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
						t.Errorf("got %q and %v at the end", rest, err)
					}
				})
			}
		}
	})
}

// fileBytes is the size of the file that TestReadFrom sends.
const fileBytes = 3_000_000

// sends is a handler that sends the named file in the way that the path says.
func sends(name string) Handler {
	return HandlerFunc(func(w *Response, r *Request) {
		f, err := os.Open(name)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		from := io.Reader(f)
		switch r.Path() {
		case "/declared":
			w.SetLength(fileBytes)
		case "/limited":
			w.SetLength(1000)
			from = io.LimitReader(f, 1000)
		case "/part":
			w.SetLength(1000) // the reader has more
		case "/longer":
			w.SetLength(fileBytes + 10)
		case "/behind":
			w.SetLength(fileBytes + 3)
			_, _ = w.WriteString("..:")
		}
		_, _ = w.ReadFrom(from)
	})
}

func TestReadFrom(t *testing.T) {
	dir := t.TempDir()
	var all strings.Builder
	for i := 0; all.Len() < fileBytes; i++ {
		fmt.Fprintf(&all, "line %d\n", i)
	}
	content := all.String()[:fileBytes]
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	overBoth(t, sends(filepath.Join(dir, "f")), func(t *testing.T, s *site) {
		for _, c := range []struct {
			name, path, want string
		}{
			{"by length", "/declared", content},
			{"in chunks without one", "/open", content},
			{"a small part", "/limited", content[:1000]},
			{"no more than was declared", "/part", content[:1000]},
			{"behind what was written", "/behind", "..:" + content},
		} {
			t.Run(c.name, func(t *testing.T) {
				cl := s.dial()
				cl.t = t
				for range 2 { // the connection is in order behind it
					cl.send(get(c.path))
					if a := cl.answer("GET"); a.content != c.want || a.err != nil {
						t.Errorf("got %d bytes and %v, want %d", len(a.content), a.err, len(c.want))
					}
				}
			})
		}
		t.Run("to HTTP/1.0 until the end", func(t *testing.T) {
			c := s.ask("GET /open HTTP/1.0\r\n\r\n")
			c.t = t
			if a := c.answer("GET"); a.content != content || a.err != nil {
				t.Errorf("got %d bytes and %v", len(a.content), a.err)
			}
		})
		t.Run("a file that is too short is cut", func(t *testing.T) {
			c := s.ask(get("/longer"))
			c.t = t
			if a := c.answer("GET"); a.content != content || a.err != io.ErrUnexpectedEOF {
				t.Errorf("got %d bytes and %v, want all of the file and a cut", len(a.content), a.err)
			}
		})
		t.Run("for HEAD nothing", func(t *testing.T) {
			c := s.ask("HEAD /declared HTTP/1.1\r\nHost: a\r\n\r\n" + "HEAD /part HTTP/1.1\r\nHost: a\r\n\r\n")
			c.t = t
			if a := c.answer("HEAD"); a.ContentLength != fileBytes {
				t.Errorf("Content-Length %d, want %d", a.ContentLength, fileBytes)
			}
			c.answer("HEAD")
		})
	})
}

// Two goroutines of one handler may read the content and write the response at once.
func TestFullDuplex(t *testing.T) {
	const size = 4 << 20 // more than all the buffers between
	h := HandlerFunc(func(w *Response, r *Request) {
		from, to := io.Pipe()
		go func() {
			_, err := io.Copy(to, r.Body())
			_ = to.CloseWithError(err)
		}()
		_, _ = io.Copy(struct{ io.Writer }{w}, from)
		_ = w.Flush()
	})
	overBoth(t, h, func(t *testing.T, s *site) {
		c := s.dial()
		content := strings.Repeat("0123456789abcdef", size/16)
		sent := make(chan error, 1)
		go func() {
			_, err := io.WriteString(c.nc, get("/")+post("/", size, content)+get("/"))
			sent <- err
		}()
		c.gets("GET", 200, "")
		if a := c.answer("POST"); a.content != content || a.err != nil {
			t.Errorf("got %d bytes back and %v, want %d", len(a.content), a.err, size)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		c.gets("GET", 200, "")
	})
}

func TestDate(t *testing.T) {
	t.Run("it is now, in the form of RFC 9110 §5.6.7, and one a second", func(t *testing.T) {
		var d dates
		line := string(d.append(nil, time.Now()))
		at, err := time.Parse("Date: "+http.TimeFormat+"\r\n", line)
		if err != nil || time.Since(at) > patience {
			t.Errorf("%q: %v", line, err)
		}
		first := d.latest.Load()
		for string(d.append(nil, time.Now())) == line && d.latest.Load() != first {
			t.Error("a second line was made within one second")
		}
		if want := string(wire.AppendDate([]byte("Date: "), at.Unix())) + "\r\n"; line != want {
			t.Errorf("%q, want %q", line, want)
		}
	})
	t.Run("a handler's own stands alone", func(t *testing.T) {
		h := HandlerFunc(func(w *Response, _ *Request) { w.Set("Date", "Sun, 06 Nov 1994 08:49:37 GMT") })
		a := open(t, "plain", h, nil).ask(get("/")).answer("GET")
		if got := a.Header.Values("Date"); len(got) != 1 || got[0] != "Sun, 06 Nov 1994 08:49:37 GMT" {
			t.Errorf("Date %q", got)
		}
	})
}
