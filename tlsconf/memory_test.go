package tlsconf

import (
	"io"
	"net"
	"sync"
	"time"
)

// inMemory are the two ends of a connection that takes what is written at once, as a socket
// does: a TLS handshake over net.Pipe waits for itself, since both sides write before either
// reads. Deadlines do nothing, for who closes wakes the other.
func inMemory() (near, far net.Conn) {
	there, back := newStream(), newStream()
	return &memoryConn{r: back, w: there}, &memoryConn{r: there, w: back}
}

// stream is one direction.
type stream struct {
	mu     sync.Mutex
	come   sync.Cond // bytes, or the end
	data   []byte
	closed bool
}

func newStream() *stream {
	s := new(stream)
	s.come.L = &s.mu
	return s
}

type memoryConn struct {
	net.Conn
	r, w *stream
}

func (c *memoryConn) Read(p []byte) (int, error) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	for len(c.r.data) == 0 {
		if c.r.closed {
			return 0, io.EOF
		}
		c.r.come.Wait()
	}
	n := copy(p, c.r.data)
	c.r.data = c.r.data[n:]
	return n, nil
}

func (c *memoryConn) Write(p []byte) (int, error) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.w.closed {
		return 0, io.ErrClosedPipe
	}
	c.w.data = append(c.w.data, p...)
	c.w.come.Broadcast()
	return len(p), nil
}

func (c *memoryConn) Close() error {
	for _, s := range []*stream{c.r, c.w} {
		s.mu.Lock()
		s.closed = true
		s.come.Broadcast()
		s.mu.Unlock()
	}
	return nil
}

func (*memoryConn) SetDeadline(time.Time) error      { return nil }
func (*memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (*memoryConn) SetWriteDeadline(time.Time) error { return nil }
