package nethttp_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

// messageLimitBytes lets the test's largest messages pass; the library's own limit is 32 KiB.
const messageLimitBytes = 4 << 20

// echoMessages sends every message back until the client closes or the server stops: then
// it closes with 1001, as RFC 6455 §7.4.1 has it for a server that goes down. What its
// reading ended with goes to ended.
func echoMessages(ended chan<- error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			return // Accept has answered
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(messageLimitBytes)
		over := make(chan error, 1)
		go func() { over <- echoAll(r.Context(), c) }()
		select {
		case err = <-over:
		case <-http1.Announced(r.Context()):
			_ = c.Close(websocket.StatusGoingAway, "the server stops")
			err = <-over
		}
		ended <- err
	}
}

func echoAll(ctx context.Context, c *websocket.Conn) error {
	for {
		kind, content, err := c.Read(ctx)
		if err != nil {
			return err
		}
		if string(content) == "leave" {
			return c.Close(4000, "you asked for it")
		}
		if err := c.Write(ctx, kind, content); err != nil {
			return err
		}
	}
}

// call opens a WebSocket to the site.
func call(t *testing.T, s *site, o websocket.DialOptions) (*websocket.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	o.HTTPClient = s.client()
	o.HTTPClient.Timeout = 0 // it would bound the whole session
	c, res, err := websocket.Dial(ctx, s.url("/"), &o)
	if err != nil {
		t.Fatal(err, res)
	}
	t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(messageLimitBytes)
	return c, ctx
}

func expectEcho(ctx context.Context, t *testing.T, c *websocket.Conn, kind websocket.MessageType, want []byte) {
	t.Helper()
	if gotKind, got, err := c.Read(ctx); err != nil || gotKind != kind || !bytes.Equal(got, want) {
		t.Fatalf("%v message of %d bytes, %v, want %v of %d", gotKind, len(got), err, kind, len(want))
	}
}

func TestCoderWebSocket(t *testing.T) {
	ended := make(chan error, 1)
	over(t, transports, echoMessages(ended), func(t *testing.T, s *site) {
		for name, mode := range map[string]websocket.CompressionMode{"as it is": websocket.CompressionDisabled, "compressed": websocket.CompressionContextTakeover} {
			t.Run("a large message comes back, "+name, func(t *testing.T) {
				c, ctx := call(t, s, websocket.DialOptions{CompressionMode: mode})
				big := make([]byte, 1<<20)
				_, _ = rand.NewChaCha8([32]byte{}).Read(big)
				copy(big[1<<19:], make([]byte, 1<<18)) // something for the compression
				go func() { _ = c.Write(ctx, websocket.MessageBinary, big) }()
				expectEcho(ctx, t, c, websocket.MessageBinary, big)
				_ = c.Close(websocket.StatusNormalClosure, "")
				<-ended
			})
		}
		t.Run("a message in fragments comes back whole", func(t *testing.T) { fragments(t, s, ended) })
		t.Run("a ping is answered while the handler reads", func(t *testing.T) {
			c, ctx := call(t, s, websocket.DialOptions{})
			read := c.CloseRead(ctx) // somebody must read the pong
			if err := c.Ping(ctx); err != nil {
				t.Error(err)
			}
			_ = c.Close(websocket.StatusNormalClosure, "")
			<-read.Done()
			<-ended
		})
		t.Run("the client's code reaches the handler", func(t *testing.T) {
			c, _ := call(t, s, websocket.DialOptions{})
			if err := c.Close(4321, "enough"); err != nil {
				t.Error(err)
			}
			if e, ok := errors.AsType[websocket.CloseError](<-ended); !ok || e.Code != 4321 || e.Reason != "enough" {
				t.Error(e)
			}
		})
		t.Run("the handler's code reaches the client", func(t *testing.T) {
			c, ctx := call(t, s, websocket.DialOptions{})
			if err := c.Write(ctx, websocket.MessageText, []byte("leave")); err != nil {
				t.Error(err)
			}
			_, _, err := c.Read(ctx)
			if e, ok := errors.AsType[websocket.CloseError](err); !ok || e.Code != 4000 || e.Reason != "you asked for it" {
				t.Error(err)
			}
			<-ended
		})
	})
}

// fragments sends a message in frames of its own size each, so that control frames could
// stand between them.
func fragments(t *testing.T, s *site, ended <-chan error) {
	c, ctx := call(t, s, websocket.DialOptions{})
	w, err := c.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for n := range 40 {
		part := bytes.Repeat([]byte{byte('a' + n%26)}, n*n*17)
		want = append(want, part...)
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	expectEcho(ctx, t, c, websocket.MessageText, want)
	_ = c.Close(websocket.StatusNormalClosure, "")
	<-ended
}

func TestCoderWebSocketRefuses(t *testing.T) {
	over(t, transports, echoMessages(nil), func(t *testing.T, s *site) {
		_, h := s.fetch("/", http.StatusUpgradeRequired)
		if h.Get("Upgrade") != "websocket" || h.Get("Connection") != "keep-alive, Upgrade" {
			t.Error(h)
		}
		_, h = s.fetch("/", http.StatusForbidden, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
			"Sec-WebSocket-Key", wsKey, "Origin", "https://elsewhere.test")
		if h.Get("Upgrade") != "" && h.Get("Connection") != "keep-alive, Upgrade" {
			t.Error(h)
		}
	})
}

func TestCoderWebSocketInADrain(t *testing.T) {
	ended := make(chan error, 1)
	over(t, transports, echoMessages(ended), func(t *testing.T, s *site) {
		c, ctx := call(t, s, websocket.DialOptions{})
		if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		expectEcho(ctx, t, c, websocket.MessageText, []byte("hello"))
		if l := s.conns.Ledger(); l.Open != 1 {
			t.Errorf("%d connections counted, want the stream", l.Open)
		}
		left := make(chan error, 1)
		go func() { _, _, err := c.Read(ctx); left <- err }()
		s.drain()
		if e, ok := errors.AsType[websocket.CloseError](<-left); !ok || e.Code != websocket.StatusGoingAway {
			t.Errorf("the client was told %v", e)
		}
		<-ended
		if l := s.conns.Ledger(); l.Forced != 0 || l.Accepted != 1 {
			t.Errorf("%+v", l)
		}
		if r := s.record(); r.Status != 101 || !r.Detached || r.Ending != http1.Completed {
			t.Errorf("%+v", r)
		}
	})
}

// A handler of http1's own hands its exchange on, when it is done with it.
func TestCoderWebSocketBehindANativeHandler(t *testing.T) {
	ended := make(chan error, 1)
	sockets := nethttp.Handler(echoMessages(ended))
	guard := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if r.Field("Authorization") != "Bearer let-me-in" {
			w.Text(http.StatusUnauthorized, "401 Unauthorized\n")
			return
		}
		sockets.Serve(w, r)
	})
	s := open(t, "tls", guard)
	s.fetch("/", http.StatusUnauthorized)
	c, ctx := call(t, s, websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer let-me-in"}}})
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	expectEcho(ctx, t, c, websocket.MessageText, []byte("hello"))
	_ = c.CloseNow()
	if err := <-ended; err == nil {
		t.Error("the handler did not hear that the client left")
	}
}
