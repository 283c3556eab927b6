package conn

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"
)

// handshake runs the TLS handshake. It computes only while it has one of the server's
// slots, of which [Limits.Handshakes] says the number.
func (c *Conn) handshake() error {
	g := &gate{socket: c.sock, conn: c}
	t := tls.Server(g, c.listener.TLS)
	err := g.run(t)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrHandshakeTimeout
	}
	if err != nil {
		c.refuseHandshake(err)
		return err
	}
	c.stream = t
	state := t.ConnectionState()
	c.tls = &state
	return nil
}

// gate is the socket as a handshake sees it: a slot is taken when bytes have come and given
// back before anything that waits for the peer. So neither a silent socket nor a hello with
// nothing behind it, of which 2,000 a second can be replayed from one recording, keeps
// anybody out. What each costs is its memory, which the limit of connections bounds.
type gate struct {
	*socket
	conn *Conn
	held bool
	over bool // the handshake is: nothing is counted any more
}

func (g *gate) run(t *tls.Conn) error {
	defer func() { // also when a GetCertificate panics
		g.leave()
		g.over = true
	}()
	return t.Handshake()
}

// Read gives the slot back while it waits, and takes one for what came.
func (g *gate) Read(p []byte) (int, error) {
	if g.over {
		return g.socket.Read(p)
	}
	g.leave()
	n, err := g.socket.Read(p)
	if n == 0 {
		return 0, err
	}
	if err := g.enter(); err != nil {
		return 0, err // without the bytes: they would be computed on
	}
	return n, err
}

// Write gives the slot back: behind our flight there is nothing to compute until an answer.
func (g *gate) Write(p []byte) (int, error) {
	g.leave()
	return g.socket.Write(p)
}

func (g *gate) enter() error {
	err := g.conn.takeSlot()
	g.held = err == nil
	return err
}

func (g *gate) leave() {
	if g.held {
		g.held = false
		<-g.conn.server.handshakes
	}
}

// takeSlot waits for a slot, first come first served, for as long as the handshake clock
// runs.
func (c *Conn) takeSlot() error {
	slots := c.server.handshakes
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	drained := c.server.drained
	for {
		until := c.runsOut()
		clock := time.NewTimer(time.Until(until))
		select {
		case slots <- struct{}{}:
			clock.Stop()
			return nil
		case <-c.Context().Done(): // cut
			clock.Stop()
			return net.ErrClosed
		case <-drained: // which has pulled the clock in
			clock.Stop()
			drained = nil
		case <-clock.C:
			return os.ErrDeadlineExceeded
		}
	}
}

// runsOut is when the clock does.
func (c *Conn) runsOut() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until
}
