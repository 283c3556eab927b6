// Package conntest is a network in memory, for tests under testing/synctest: loopback I/O
// never counts as blocked there, and net.Pipe has neither a buffer nor a half-close.
//
// A pipe behaves as a TCP connection does where package conn can tell: each direction
// has a buffer of a fixed size, a half-close is seen as io.EOF once the buffer is read
// out, a reset destroys what is unread, and a deadline that has passed is reported
// without a look at the buffer.
package conntest

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// BufferBytes is how much one direction of a pipe holds until its reader reads.
const BufferBytes = 64 << 10

// Conn is one end of a pipe.
type Conn struct {
	in, out       *half
	local, remote net.Addr

	mu     sync.Mutex
	closed bool
	linger int
}

// Pipe returns the two ends of a connection.
func Pipe() (client, server *Conn) { return pipe(clientAddr, serverAddr) }

var (
	clientAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:50000"))
	serverAddr = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.80:443"))
)

func pipe(from, to net.Addr) (client, server *Conn) {
	up, down := newHalf(), newHalf()
	return &Conn{in: down, out: up, local: from, remote: to, linger: -1},
		&Conn{in: up, out: down, local: to, remote: from, linger: -1}
}

// half is one direction: a buffer between a writer and a reader.
type half struct {
	mu       sync.Mutex
	changed  *sync.Cond
	buf      []byte
	finished bool  // the writer half-closed
	broken   error // of either end: a reset, or the reader is gone
	readBy   deadline
	writeBy  deadline
}

func newHalf() *half {
	h := &half{}
	h.changed = sync.NewCond(&h.mu)
	return h
}

// deadline wakes the half's waiters when it passes.
type deadline struct {
	t     time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.t.IsZero() && !time.Now().Before(d.t) }

// set is called with h.mu held.
func (h *half) set(d *deadline, t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.t = t
	if left := time.Until(t); !t.IsZero() && left > 0 {
		d.timer = time.AfterFunc(left, func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.changed.Broadcast()
		})
	}
	h.changed.Broadcast()
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case h.broken != nil:
			return 0, h.broken
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.changed.Broadcast()
			return n, nil
		case h.finished:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 {
		switch {
		case h.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case h.broken != nil:
			return n, h.broken
		case h.finished:
			return n, syscall.EPIPE
		}
		if room := BufferBytes - len(h.buf); room > 0 {
			m := min(room, len(p))
			h.buf = append(h.buf, p[:m]...)
			p, n = p[m:], n+m
			h.changed.Broadcast()
			continue
		}
		h.changed.Wait()
	}
	return n, nil
}

func (h *half) finish() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finished = true
	h.changed.Broadcast()
}

// destroy breaks the half and returns how much of it was unread.
func (h *half) destroy(err error) (unread int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	unread = len(h.buf)
	if h.broken == nil && !(h.finished && unread == 0) {
		h.broken, h.buf = err, nil
	}
	h.changed.Broadcast()
	return unread
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Read reads what the other end wrote.
func (c *Conn) Read(p []byte) (int, error) {
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	n, err := c.in.read(p)
	if err != nil && c.isClosed() {
		err = net.ErrClosed
	}
	return n, err
}

// Write blocks while the buffer is full.
func (c *Conn) Write(p []byte) (int, error) {
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	n, err := c.out.write(p)
	if err != nil && c.isClosed() {
		err = net.ErrClosed
	}
	return n, err
}

// CloseWrite is the half-close: the other end reads io.EOF after what is in the buffer.
func (c *Conn) CloseWrite() error {
	if c.isClosed() {
		return net.ErrClosed
	}
	c.out.finish()
	return nil
}

// SetLinger with 0 makes Close a reset, as it does for TCP.
func (c *Conn) SetLinger(seconds int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linger = seconds
	return nil
}

// Close closes both halves. As TCP does, it resets the connection when data is unread
// here: the other end loses what it has not read yet.
func (c *Conn) Close() error {
	c.mu.Lock()
	again, reset := c.closed, c.linger == 0
	c.closed = true
	c.mu.Unlock()
	if again {
		return net.ErrClosed
	}
	if unread := c.in.destroy(syscall.ECONNRESET); unread > 0 || reset {
		c.out.destroy(syscall.ECONNRESET)
	}
	c.out.finish()
	return nil
}

// LocalAddr and RemoteAddr are made-up TCP addresses.
func (c *Conn) LocalAddr() net.Addr  { return c.local }
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline acts on a Read under way too.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.set(&c.in.readBy, t)
	return nil
}

// SetWriteDeadline acts on a Write under way too.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.set(&c.out.writeBy, t)
	return nil
}
