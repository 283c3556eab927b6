package guard_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/conntest"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/guard"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// play is what came of a conversation with a server in memory, in virtual time.
type play struct {
	server  http1.Server
	said    string // by the server, until it ended the connection
	records []http1.Record
}

// inBubble plays one conversation: talk is the client's part. At its end all connections
// are closed, all goroutines have ended, and the books balance; then atEnd runs.
func inBubble(t *testing.T, h http1.Handler, talk func(c *conntest.Conn), atEnd ...func()) *play {
	t.Helper()
	p := &play{}
	synctest.Test(t, func(t *testing.T) {
		p.server = http1.Server{Handler: h, Observe: func(r *http1.Record) { p.records = append(p.records, *r) }}
		listener, conns, served := conntest.Listen(), new(conn.Server), make(chan error, 1)
		go func() { served <- conns.Serve(&conn.Listener{Listener: listener, Handler: &p.server}) }()
		c, err := listener.Dial()
		if err != nil {
			t.Fatal(err)
		}
		talk(c)
		_ = c.CloseWrite()
		said, _ := io.ReadAll(c) // what ended it is the test's to know
		p.said = string(said)
		conns.Announce()
		conns.CloseListeners(context.Background())
		<-conns.Drain()
		<-served
		if l := p.server.Ledger(); errors.Join(l.Balance(), conns.Ledger().Balance()) != nil || l.Open != 0 {
			t.Errorf("the books do not balance: %+v", l)
		}
		for _, f := range atEnd {
			f()
		}
	})
	return p
}

// asks is a talk that sends one message.
func asks(message string) func(c *conntest.Conn) {
	return func(c *conntest.Conn) { _, _ = io.WriteString(c, message) }
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// statuses are those of the responses in said.
func statuses(said string) (all []string) {
	for rest := said; ; {
		_, after, ok := strings.Cut(rest, "HTTP/1.1 ")
		if !ok {
			return all
		}
		all, rest = append(all, after[:3]), after
	}
}

func TestBodyLimit(t *testing.T) {
	var read int64
	count := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		read, _ = io.Copy(io.Discard, r.Body())
		_, _ = w.WriteString("read")
	})
	for _, c := range []struct {
		name   string
		limit  int64
		ask    http1test.Request
		status int
		read   int64 // -1 when the handler was not called
	}{
		{"content at the limit is served", 5, http1test.Request{Content: "hello"}, 200, 5},
		{"a length over it is refused before the handler is called", 4, http1test.Request{Content: "hello"}, 413, -1},
		{"chunks at the limit are served", 5, http1test.Request{Content: "hello", Chunked: true}, 200, 5},
		{"chunks over it are refused when they are read", 4, http1test.Request{Content: "hello", Chunked: true}, 413, 4},
		{"no content passes a limit of none", 0, http1test.Request{}, 200, 0},
		{"a byte does not", 0, http1test.Request{Content: "a"}, 413, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			read = -1
			res := http1test.Do(guard.BodyLimit(count, c.limit), c.ask)
			if res.Status != c.status || read != c.read && c.status != 413 || c.read < 0 && read >= 0 {
				t.Errorf("got %d after %d bytes, want %d after %d", res.Status, read, c.status, c.read)
			}
		})
	}
	t.Run("of two limits the lower counts", func(t *testing.T) {
		for _, h := range []http1.Handler{guard.BodyLimit(guard.BodyLimit(count, 9), 4), guard.BodyLimit(guard.BodyLimit(count, 4), 9)} {
			if res := http1test.Do(h, http1test.Request{Content: "hello"}); res.Status != 413 {
				t.Errorf("got %d", res.Status)
			}
		}
	})
	t.Run("over a connection the refusal has its code and the end", func(t *testing.T) {
		p := inBubble(t, guard.BodyLimit(count, 4), asks("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"))
		if !strings.HasPrefix(p.said, "HTTP/1.1 413 ") || !strings.Contains(p.said, "body-too-large") || !strings.Contains(p.said, "Connection: close\r\n") {
			t.Errorf("got %q", p.said)
		}
		if p.server.Refusals()["body-too-large"] != 1 {
			t.Errorf("counted %v", p.server.Refusals())
		}
	})
	t.Run("a negative limit is a fault of the program", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("was taken")
			}
		}()
		guard.BodyLimit(count, -1)
	})
}
