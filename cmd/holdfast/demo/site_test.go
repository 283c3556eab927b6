package demo

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

const patience = 20 * time.Second

// site is the demo's handlers behind a socket.
type site struct {
	t       *testing.T
	address string
	conns   *conn.Server
	server  *http1.Server
	served  chan error
	stop    sync.Once
}

// open starts a site, which the test's end drains: nothing may have to be cut.
func open(t *testing.T) *site {
	t.Helper()
	l, err := conn.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rest := http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.Text(200, "a file") })
	s := &site{t: t, address: l.Addr().String(), conns: &conn.Server{}, server: &http1.Server{Handler: Mount(rest)}, served: make(chan error, 1)}
	go func() { s.served <- s.conns.Serve(&conn.Listener{Listener: l, Handler: s.server}) }()
	t.Cleanup(s.drain)
	return s
}

func (s *site) drain() {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.conns.Announce()
		s.conns.CloseListeners(ctx)
		select {
		case <-s.conns.Drain():
		case <-ctx.Done():
			s.t.Errorf("%d connections had to be cut", s.conns.Cut())
		}
		if err := <-s.served; !errors.Is(err, net.ErrClosed) {
			s.t.Error(err)
		}
		if err := errors.Join(s.server.Ledger().Balance(), s.conns.Ledger().Balance()); err != nil {
			s.t.Error(err)
		}
	})
}

// caller is a client that speaks in bytes.
type caller struct {
	net.Conn
	in *bufio.Reader
	t  *testing.T
}

func (s *site) call(message string) *caller {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, message); err != nil {
		s.t.Fatal(err)
	}
	return &caller{c, bufio.NewReader(c), s.t}
}

// until reads lines to the first that begins so.
func (c *caller) until(prefix string) string {
	c.t.Helper()
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("no line %q: %v", prefix, err)
		}
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
}

func TestUnpack(t *testing.T) {
	dir := t.TempDir()
	if err := Unpack(dir); err != nil {
		t.Fatal(err)
	}
	t.Run("the site is whole", func(t *testing.T) {
		for _, name := range []string{"index.html", "404.html", "50x.html", "style.css", "demo.js", "mooring.webm", "dusk.png", "hold/knots/bowline.svg", "members/index.html", "_holdfast/style.css"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("what its pages name is in it, and nothing is from elsewhere", func(t *testing.T) {
		for _, name := range []string{"index.html", "404.html", "50x.html", "members/index.html"} {
			checkReferences(t, dir, name)
		}
	})
	t.Run("it goes into no directory that has it", func(t *testing.T) {
		if err := Unpack(dir); err == nil {
			t.Error("it was written over")
		}
	})
}

// checkReferences follows what a page's src and href say.
func checkReferences(t *testing.T, dir, page string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, page))
	if err != nil {
		t.Fatal(err)
	}
	for _, attribute := range []string{`src="`, `href="`} {
		for i, part := range strings.Split(string(text), attribute) {
			to, _, _ := strings.Cut(part, `"`)
			if i == 0 || to == "adrift" || strings.HasPrefix(to, "/-/") { // not there on purpose, or the accounts' own
				continue
			}
			base := filepath.Dir(page)
			if strings.HasPrefix(to, "/") {
				base = ""
			}
			if strings.Contains(to, "//") {
				t.Errorf("%s names %s", page, to)
			} else if _, err := os.Stat(filepath.Join(dir, base, filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

func TestMount(t *testing.T) {
	h := Mount(http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.Text(200, "a file") }))
	for _, c := range []struct {
		clause, method, target string
		fields                 []string
		status                 int
		field, value           string
	}{
		{"the rest is left alone", "GET", "/echo/", nil, 200, "", ""},
		{"events are to be read", "POST", "/events", nil, 405, "Allow", "GET, HEAD, OPTIONS"},
		{"so is the echo", "POST", "/echo", nil, 405, "Allow", "GET, HEAD, OPTIONS"},
		{"the methods there are", "OPTIONS", "/events", nil, 204, "Allow", "GET, HEAD, OPTIONS"},
		{"one that nobody knows", "PURGE", "/echo", nil, 501, "", ""},
		{"what a stream would be (RFC 9110 §9.3.2)", "HEAD", "/events", nil, 200, "Content-Type", "text/event-stream"},
		{"what the echo would say to a page", "HEAD", "/echo", nil, 426, "Upgrade", "websocket"},
		{"a path that is escaped means the same", "HEAD", "/%65vents", nil, 200, "Content-Type", "text/event-stream"},
		{"but an escaped slash separates nothing", "HEAD", "/%2Fevents", nil, 200, "Content-Type", "text/plain; charset=utf-8"},
		{"the echo is no page (RFC 9110 §15.5.22)", "GET", "/echo", nil, 426, "Upgrade", "websocket"},
		{"another version gets ours (RFC 6455 §4.4)", "GET", "/echo", handshake("Sec-WebSocket-Version", "8"), 426, "Sec-WebSocket-Version", "13"},
		{"another protocol is not spoken", "GET", "/echo", handshake("Upgrade", "h2c"), 426, "", ""},
		{"a key of another length (RFC 6455 §4.2.1)", "GET", "/echo", handshake("Sec-WebSocket-Key", "c2hvcnQ="), 400, "", ""},
		{"a key that is no base64", "GET", "/echo", handshake("Sec-WebSocket-Key", "!"), 400, "", ""},
		{"another site's page (RFC 6455 §10.2)", "GET", "/echo", handshake("Origin", "https://evil.example"), 403, "", ""},
		{"the same host by another scheme", "GET", "/echo", handshake("Origin", "https://example.test"), 403, "", ""},
		{"a protocol that cannot be upgraded", "GET", "/echo", handshake("Origin", "http://example.test"), 426, "Sec-WebSocket-Accept", ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := http1test.Do(h, http1test.Request{Method: c.method, Target: c.target, Fields: c.fields})
			if r.Status != c.status || c.field != "" && r.Get(c.field) != c.value {
				t.Errorf("%d, %s is %q", r.Status, c.field, r.Get(c.field))
			}
		})
	}
}

// handshake are the fields of one, of which one has another value.
func handshake(name, value string) []string {
	fields := map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
	fields[name] = value
	var all []string
	for name, value := range fields {
		all = append(all, name, value)
	}
	return all
}

func TestEvents(t *testing.T) {
	s := open(t)
	c := s.call("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
	c.until("Content-Type: text/event-stream")
	t.Run("a stream says hello, and ticks", func(t *testing.T) {
		c.until("event: hello")
		c.until("event: tick")
		if data := c.until("data: "); !strings.Contains(data, `"watching":1}`) {
			t.Error(data)
		}
	})
	t.Run("it announces a drain and comes to its end", func(t *testing.T) {
		s.conns.Announce()
		c.until("event: drain")
		c.until("data: " + drainMessage)
		c.until("0\r\n") // the last chunk
	})
	t.Run("one that begins in a drain has that alone", func(t *testing.T) {
		late := s.call("GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
		rest, err := io.ReadAll(late.in)
		if err != nil || strings.Contains(string(rest), "hello") || strings.Count(string(rest), "event: ") != 1 || !strings.Contains(string(rest), "event: drain") {
			t.Errorf("%q, %v", rest, err)
		}
	})
	s.drain()
}

func TestEventsEnd(t *testing.T) {
	t.Run("with their client", func(t *testing.T) {
		gone, leave := context.WithCancel(t.Context())
		leave()
		e := &events{begun: time.Now(), every: time.Hour}
		r := http1test.Do(http1.HandlerFunc(e.serve), http1test.Request{Context: gone})
		if r.Cut || e.watching.Load() != 0 || !strings.Contains(string(r.Content), "event: hello") {
			t.Errorf("%+v, %d watching", r, e.watching.Load())
		}
	})
}
