package conn_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// TestLastLook is the design's measurement: a request written into a kept-alive, idle
// connection just before the drain is never lost. Waking the reader alone loses nine of
// ten.
func TestLastLook(t *testing.T) {
	for _, row := range []struct {
		name   string
		tls    bool
		drains int
	}{{"plain", false, 60}, {"TLS", true, 20}} {
		t.Run(row.name, func(t *testing.T) {
			const clients = 50
			if testing.Short() {
				row.drains /= 10
			}
			lost := 0
			for range row.drains {
				lost += lastLooks(t, options{tls: row.tls}, clients)
			}
			if lost > 0 {
				t.Errorf("%d of %d requests lost", lost, row.drains*clients)
			}
		})
	}
}

// lastLooks is one drain over a number of idle clients that have each just written a
// request. It returns how many were not answered.
func lastLooks(t *testing.T, o options, clients int) (lost int) {
	s := newStation(t, o)
	idle := make([]*client, clients)
	for i := range idle {
		idle[i] = s.dial()
		idle[i].ask("echo a\n", "a")
	}
	until(t, "everybody idle", func() bool { return s.lines.inState(conn.Idle) == clients })
	s.closeListeners()
	for _, c := range idle {
		if _, err := io.WriteString(c.Conn, "echo b\n"); err != nil {
			t.Fatal(err)
		}
	}
	gone := s.server.Drain()
	for _, c := range idle {
		if got, _ := c.r.ReadString('\n'); got != "b\n" {
			lost++
		}
		_ = c.Close()
	}
	<-gone
	if l := s.server.Ledger(); l.Quiet != int64(clients) || l.LateBytes != 0 {
		t.Errorf("ledger %+v, want all quiet and nothing late", l)
	}
	return lost
}

// held accepts nothing until it is let go: connections gather in the kernel's queue. Its
// deadlines pass as on a busy machine when it is belated: every other accept begins after
// its own has passed.
type held struct {
	*net.TCPListener
	let     chan struct{}
	belated bool

	mu       sync.Mutex
	accepts  int
	deadline time.Time
}

func (h *held) SetDeadline(t time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deadline = t
	return h.TCPListener.SetDeadline(t)
}

func (h *held) Accept() (net.Conn, error) {
	<-h.let
	h.mu.Lock()
	h.accepts++
	late, t := h.belated && h.accepts%2 == 0, h.deadline
	h.mu.Unlock()
	if late && !t.IsZero() {
		<-time.After(time.Until(t))
	}
	return h.TCPListener.Accept()
}

func TestAcceptQueue(t *testing.T) {
	// Plain only: 200 handshakes may take a loaded machine more than the second they get.
	t.Run("200 of 200 connections in the kernel's queue are served by the closing", func(t *testing.T) {
		const clients = 200
		h := &held{let: make(chan struct{})}
		s := newStation(t, options{listener: func(l net.Listener) net.Listener {
			h.TCPListener = l.(*net.TCPListener)
			return h
		}})
		waiting := make([]*client, clients)
		for i := range waiting {
			waiting[i] = s.dial()
			if _, err := io.WriteString(waiting[i].Conn, "echo a\n"); err != nil {
				t.Fatal(err)
			}
		}
		s.server.Announce()
		close(h.let)
		s.closeListeners()
		gone := s.server.Drain()
		for i, c := range waiting {
			if got, err := c.r.ReadString('\n'); got != "a\n" {
				t.Errorf("client %d got %q, %v", i, got, err)
			}
			_ = c.Close()
		}
		<-gone
		if l := s.server.Ledger(); l.Accepted != clients || l.Quiet != clients {
			t.Errorf("ledger %+v, want %d quiet", l, clients)
		}
	})
	t.Run("a deadline that passes before the accept begins does not make a queue empty", func(t *testing.T) {
		const clients = 20
		h := &held{let: make(chan struct{}), belated: true}
		s := newStation(t, options{listener: func(l net.Listener) net.Listener {
			h.TCPListener = l.(*net.TCPListener)
			return h
		}})
		for range clients {
			s.dial()
		}
		s.server.Announce()
		close(h.let)
		s.closeListeners()
		if l := s.server.Ledger(); l.Accepted != clients {
			t.Errorf("%d accepted, want %d", l.Accepted, clients)
		}
	})
}

func TestLoopbackCut(t *testing.T) {
	onLoopback(t, "readers, writers and waiters are all ended", func(t *testing.T, o options) {
		s := newStation(t, o)
		requests := []string{"body 1000\nab", "send 12000000\n", "wait\n", "detach\n", "ech", ""}
		clients := make([]*client, len(requests))
		for i, request := range requests {
			clients[i] = s.dial()
			if _, err := io.WriteString(clients[i].Conn, request); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "everybody served", func() bool {
			return s.lines.inState(conn.Active) == 4 && s.lines.inState(conn.Detached) == 1 && s.lines.inState(conn.New) == 1
		})
		s.server.Announce() // ends the detached one by itself
		s.server.Cut()
		for i, c := range clients {
			if _, err := io.Copy(io.Discard, c.r); err == nil && requests[i] != "detach\n" {
				t.Errorf("%q: the client saw an end, not a cut", requests[i])
			}
		}
		s.end()
		if l := s.server.Ledger(); l.Forced < 5 {
			t.Errorf("ledger %+v, want at least 5 forced", l)
		}
	})
}

func TestLoopbackClocks(t *testing.T) {
	// Deadlines in real time are a matter of the runtime's poller, which no bubble shows.
	// Nothing is measured here: the clocks are short, and must run out.
	short := conn.Limits{
		HandshakeTimeout: 50 * time.Millisecond, HeadTimeout: 50 * time.Millisecond,
		IdleTimeout: 50 * time.Millisecond, StallTimeout: 50 * time.Millisecond,
	}
	for name, row := range map[string]struct {
		tls  bool
		sent string
		want error
	}{
		"a new connection":             {false, "", conn.ErrHeadTimeout},
		"a new connection over TLS":    {true, "", conn.ErrHeadTimeout},
		"half a head":                  {false, "ech", conn.ErrHeadTimeout},
		"half a head over TLS":         {true, "ech", conn.ErrHeadTimeout},
		"an idle connection":           {false, "echo a\n", conn.ErrIdleTimeout},
		"an idle connection over TLS":  {true, "echo a\n", conn.ErrIdleTimeout},
		"content that stops":           {false, "body 100\nab", conn.ErrStalled},
		"content that stops over TLS":  {true, "body 100\nab", conn.ErrStalled},
		"a reader that stops":          {false, "send 12000000\n", conn.ErrStalled},
		"a reader that stops over TLS": {true, "send 12000000\n", conn.ErrStalled},
		"a copy's reader that stops":   {false, "copy 12000000\n", conn.ErrStalled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := short
			if row.tls {
				limits.HandshakeTimeout = patience
			}
			if row.sent != "" {
				limits.HeadTimeout = time.Second // it must be got to the server first
			}
			if row.sent != "" && row.want != conn.ErrHeadTimeout {
				limits.HeadTimeout = patience
			}
			s := newStation(t, options{tls: row.tls, limits: limits})
			c := s.dial()
			if _, err := io.WriteString(c.Conn, row.sent); err != nil {
				t.Fatal(err)
			}
			s.wantEnd(1, func(err error) bool { return is(err, row.want) })
		})
	}
}
