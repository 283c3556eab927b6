package http1

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/conntest"
)

// memory is a server in a synctest bubble.
type memory struct {
	listener *conntest.Listener
	conns    conn.Server
	server   *Server
	served   chan error
}

func openMemory(s *Server, limits conn.Limits) *memory {
	m := &memory{listener: conntest.Listen(), server: s, served: make(chan error, 1)}
	m.conns.Limits = limits
	l := &conn.Listener{Listener: m.listener, Handler: s}
	go func() { m.served <- m.conns.Serve(l) }()
	return m
}

func (m *memory) dial(t testing.TB) *conntest.Conn {
	t.Helper()
	c, err := m.listener.Dial()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// close ends the server; that the bubble then ends shows that no goroutine is left.
func (m *memory) close(t testing.TB) {
	t.Helper()
	m.conns.Announce()
	m.conns.CloseListeners(t.Context())
	<-m.conns.Drain()
	m.audit(t)
}

// audit looks at the books of a server whose connections are gone.
func (m *memory) audit(t testing.TB) {
	t.Helper()
	<-m.served
	l := m.server.Ledger()
	if l.Balance() != nil || l.Open != 0 || m.conns.Ledger().Balance() != nil {
		t.Errorf("the books do not balance: %+v, %+v", l, m.conns.Ledger())
	}
}

// peer is a client in a bubble: it hears all that the server says as it is said.
type peer struct {
	*conntest.Conn
	t     *testing.T
	heard safeBuffer
	ended chan error // gets what ended the hearing, nil for an orderly end
}

func (m *memory) meet(t *testing.T) *peer {
	t.Helper()
	p := &peer{Conn: m.dial(t), t: t, ended: make(chan error, 1)}
	go func() {
		_, err := io.Copy(&p.heard, p.Conn)
		p.ended <- err
	}()
	return p
}

// says sends, lets everybody react, and returns all that was heard so far.
func (p *peer) says(message string) string {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, message); err != nil {
		p.t.Fatal(err)
	}
	synctest.Wait()
	return p.heard.String()
}

// isOver tells whether the server has ended the connection.
func (p *peer) isOver() bool { return len(p.ended) > 0 }

// inBubble runs test with a server in memory and virtual time.
func inBubble(t *testing.T, s *Server, limits conn.Limits, test func(t *testing.T, m *memory)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.poison = true
		m := openMemory(s, limits)
		defer m.close(t)
		test(t, m)
	})
}
