package conntest

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Listener accepts what Dial connects. Its queue is without bound.
type Listener struct {
	mu      sync.Mutex
	changed *sync.Cond
	queue   []*Conn
	faults  []error
	until   deadline
	closed  bool
}

// Listen returns a listener with an empty queue.
func Listen() *Listener {
	l := &Listener{}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// Dial connects to l: the connection waits in its queue until it is accepted.
func (l *Listener) Dial() (*Conn, error) { return l.DialFrom("192.0.2.1:50000") }

// DialFrom is Dial from an address of the caller's choice.
func (l *Listener) DialFrom(from string) (*Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, syscall.ECONNREFUSED
	}
	client, server := pipe(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), serverAddr)
	l.queue = append(l.queue, server)
	l.changed.Broadcast()
	return client, nil
}

// Fail makes the next Accept return err.
func (l *Listener) Fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, err)
	l.changed.Broadcast()
}

// Accept takes the oldest connection from the queue.
func (l *Listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, net.ErrClosed
		case l.until.passed():
			return nil, os.ErrDeadlineExceeded
		case len(l.faults) > 0:
			err := l.faults[0]
			l.faults = l.faults[1:]
			return nil, err
		case len(l.queue) > 0:
			c := l.queue[0]
			l.queue = l.queue[1:]
			return c, nil
		}
		l.changed.Wait()
	}
}

// SetDeadline is Accept's.
func (l *Listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	if l.until.timer != nil {
		l.until.timer.Stop()
	}
	l.until = deadline{t: t}
	if left := time.Until(t); !t.IsZero() && left > 0 {
		l.until.timer = time.AfterFunc(left, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.changed.Broadcast()
		})
	}
	l.changed.Broadcast()
	return nil
}

// Close refuses what is still in the queue, with a reset as the kernel does.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	for _, c := range l.queue {
		_ = c.SetLinger(0)
		_ = c.Close()
	}
	l.queue = nil
	l.changed.Broadcast()
	return nil
}

// Addr is a made-up TCP address.
func (l *Listener) Addr() net.Addr { return serverAddr }
