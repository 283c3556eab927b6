package conn

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
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

// Aside is for a GetConfigForClient or GetCertificate that has to wait for something, such as
// another machine: its hello's Conn is this gate. It runs wait without the slot, which others
// have meanwhile, and takes one again. wait's context ends with the handshake's clock, or when
// the connection is cut; it must not touch the connection. An error is for the callback to
// return: the handshake is over.
func (g *gate) Aside(wait func(context.Context)) error {
	held := g.held
	g.leave()
	ctx, cancel := context.WithCancel(g.conn.Context())
	var clock sync.WaitGroup
	clock.Go(func() { g.conn.awaitClock(ctx, cancel) })
	defer clock.Wait() // also when wait panics
	defer cancel()
	wait(ctx)
	switch {
	case g.conn.Context().Err() != nil:
		return net.ErrClosed // cut
	case ctx.Err() != nil:
		return os.ErrDeadlineExceeded
	case held:
		return g.enter()
	}
	return nil
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

// awaitClock calls ended when the handshake clock runs out, which a drain pulls in; it returns
// then, or when ctx ends.
func (c *Conn) awaitClock(ctx context.Context, ended func()) {
	drained := c.server.drained
	for {
		clock := time.NewTimer(time.Until(c.runsOut()))
		select {
		case <-drained:
			clock.Stop()
			drained = nil
		case <-ctx.Done():
			clock.Stop()
			return
		case <-clock.C:
			ended()
			return
		}
	}
}

// runsOut is when the clock does.
func (c *Conn) runsOut() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until
}
