package conn

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"syscall"
)

// A Preface reads what a trusted proxy sends before anything else: for whom it connects. It
// reads from r to the preface's last byte and no further, for what follows is looked for in
// the socket. It returns the client's address and that which the client connected to;
// invalid ones leave those of the connection. An error ends the connection. It runs in the
// connection's own goroutine, under the handshake clock, and does not keep r.
type Preface func(r io.Reader) (client, local netip.AddrPort, err error)

// errOverLimit ends a connection whose client, known by its preface, has too many.
var errOverLimit = errors.New("conn: over a limit")

// hasPreface tells whether c begins with a preface. From a peer that is not trusted none
// is looked for: it could claim any address.
func (c *Conn) hasPreface() bool { return c.trusted && c.listener.Preface != nil }

// readPreface reads the preface and goes by it.
func (c *Conn) readPreface() error {
	client, local, err := c.listener.Preface(struct{ io.Reader }{c.sock})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrHandshakeTimeout
	}
	if err != nil {
		return fmt.Errorf("preface: %w", err)
	}
	c.preface = uint16(c.sock.received.Load())
	if local.IsValid() {
		c.local = local
	}
	if !client.IsValid() {
		c.unnamed = true
		return nil
	}
	c.mu.Lock()
	c.remote = client // others may ask for a client's name at any time
	c.mu.Unlock()
	if !c.listener.trusts(client.Addr()) && !c.server.tracker.attribute(c, &c.server.limits) {
		return errOverLimit
	}
	return nil
}

// trusts tells whether addr, not valid for a unix socket's peer, is a proxy of ours.
func (l *Listener) trusts(addr netip.Addr) bool { return l.Trusts != nil && l.Trusts(addr) }

// unbegun books a connection that ended before its handler could begin.
func (s *Server) unbegun(c *Conn, err error) ending {
	switch {
	case errors.Is(err, errOverLimit):
		c.broken.Store(true)
		c.turned = overConnectionsPerIP
		s.tellRefused(c, 1)
		return refused
	case c.onlyProbed(err):
		return quiet
	}
	c.turned = c.failure(err)
	s.tellBroken("handshake failed", c, err)
	return handshakeFailed
}

// onlyProbed tells the health check of a balancer, which connects to see whether it can and
// leaves without a word, by a FIN or a reset, from a handshake that failed.
func (c *Conn) onlyProbed(err error) bool {
	left := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
	return c.trusted && left && c.sock.received.Load() == int64(c.preface)
}
