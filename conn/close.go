package conn

import (
	"crypto/tls"
	"errors"
	"os"
	"time"
)

// close ends the connection after its handler returned, and returns how many application
// bytes came after our FIN.
//
// It lingers: half-closes, reads out what the peer still sends, and only then closes. A
// close with unread bytes makes the kernel send a reset, which destroys a response that
// the peer has not read yet.
func (c *Conn) close() (late int64) {
	c.enter(Closed, clockNone, 0)
	switch {
	case c.Forced():
	case c.broken.Load():
		c.sock.reset()
		return 0
	default:
		if c.halfClose() == nil && !c.ended.Load() {
			late = c.readOut()
		}
	}
	_ = c.sock.Close()
	return late
}

// halfClose says goodbye: close_notify where there is TLS, then the FIN.
func (c *Conn) halfClose() error {
	c.sock.writeUntil(time.Now().Add(lingerIdle))
	if t, ok := c.stream.(*tls.Conn); ok {
		if err := t.CloseWrite(); err != nil {
			return err
		}
	}
	return c.sock.CloseWrite()
}

// readOut reads until the peer has closed its half too, within the linger's limits.
func (c *Conn) readOut() (late int64) {
	end := time.Now().Add(lingerTotal)
	progress := time.Now()
	buf := make([]byte, lingerBufferBytes)
	for late < lingerBytes {
		idle := time.Now().Add(lingerIdle)
		if idle.After(end) {
			idle = end
		}
		_ = c.sock.SetReadDeadline(idle)
		if c.evicted.Load() && !c.sock.leaving() { // asked behind the deadline: who evicts sets one too
			_ = c.sock.SetReadDeadline(past)
		}
		n, err := c.stream.Read(buf)
		late += int64(n)
		if errors.Is(err, os.ErrDeadlineExceeded) && c.stillSending(&progress) {
			end = time.Now().Add(lingerTotal)
			continue
		}
		if err != nil {
			break
		}
	}
	return late
}

// stillSending tells whether the kernel still holds content for a peer that takes it. To
// close now, or to end the process, would lose it. A peer that takes nothing within the
// stall timeout is given up, with a reset, for the kernel would hold on for minutes.
func (c *Conn) stillSending(progress *time.Time) bool {
	if !c.sock.leaving() {
		return false
	}
	now := time.Now()
	if c.sock.moved() > 0 {
		*progress = now
	}
	if now.Sub(*progress) < c.server.limits.StallTimeout {
		return true
	}
	c.sock.reset()
	return false
}
