package conn

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listen binds an address for a [Listener]: host:port for TCP, where port 0 takes a free
// one, or unix:PATH, for which see [ListenUnix]. MPTCP is off: Go turns it on by default,
// and such a socket cannot be handed over to a successor by port steering.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, UnixPrefix); ok {
		return ListenUnix(ctx, path)
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	return lc.Listen(ctx, "tcp", addr)
}

// acceptors are the accept loops under way.
type acceptors struct {
	mu      sync.Mutex
	closing chan struct{} // closed when the queues are to be emptied
	closed  bool
	active  []*acceptor
}

// acceptor is one accept loop.
type acceptor struct {
	l       *Listener
	pause   time.Duration
	told    time.Time     // when the log last heard of a failed accept
	emptied chan struct{} // closed by the loop when it accepts no more
	end     time.Time     // of the emptying; set when it begins
	fresh   time.Time     // the deadline of the accept under way while emptying
	turns   atomic.Int64  // accepts that have returned, and what came of them was dealt with
	steering
}

// Serve accepts connections from l and serves each, until l is closed by CloseListeners;
// then it returns net.ErrClosed. Another error means that l can accept no more; it is
// still for CloseListeners to close. Passing troubles, such as a lack of descriptors, are
// waited out. A Serve that comes after CloseListeners closes l itself.
func (s *Server) Serve(l *Listener) error {
	s.setUp()
	a := &acceptor{l: l, emptied: make(chan struct{})}
	shared, ok := l.Listener.(*sharedListener)
	a.staying.Store(ok)
	if !s.acceptors.add(a) {
		_ = l.Close()
		return net.ErrClosed
	}
	if ok {
		stayed := make(chan struct{})
		go func() {
			defer close(stayed)
			a.stay(shared, s.acceptors.closing)
		}()
		defer func() { <-stayed }()
	}
	defer close(a.emptied)
	for {
		nc, err := l.Accept()
		if err == nil {
			a.pause = 0
			if !a.isProbe(nc) {
				s.start(nc, l)
			}
		} else if err := s.failed(a, err); err != nil {
			return err
		}
		if s.isClosing() && !a.extend() {
			return net.ErrClosed
		}
		a.turns.Add(1)
	}
}

// failed deals with an accept's error: nil to go on, else the loop's end.
func (s *Server) failed(a *acceptor, err error) error {
	switch {
	case errors.Is(err, net.ErrClosed) && s.isClosing():
		return net.ErrClosed
	case errors.Is(err, net.ErrClosed):
		return errors.New("conn: somebody else closed the listener")
	case errors.Is(err, os.ErrDeadlineExceeded) && s.isClosing():
		// The deadline that woke the loop says nothing about the queue. One that was
		// fresh and has really passed says that it is empty, unless the machine was so
		// busy that it passed before the accept began.
		if !a.fresh.IsZero() && !time.Now().Before(a.fresh) && !queued(a.l) && !a.stays() {
			return net.ErrClosed
		}
		return nil
	case !passing(err):
		s.log.Error("listener failed", "address", a.l.Addr().String(), "error", err)
		return err
	}
	a.pause = min(max(2*a.pause, acceptPauseMin), acceptPauseMax)
	if now := time.Now(); a.pause == acceptPauseMin && now.Sub(a.told) >= refusalInterval {
		a.told = now
		s.log.Warn("accept failed, trying again", "address", a.l.Addr().String(), "error", err)
	}
	if s.isClosing() {
		// Woken already: this pause keeps the loop from spinning, and from outstaying
		// whoever waits for it.
		time.Sleep(min(a.pause, emptyAccept))
		return nil
	}
	select {
	case <-time.After(a.pause):
	case <-s.acceptors.closing:
	}
	return nil
}

// passing tells an error that a later accept may not have: of the connection that was to
// be accepted, or of resources that come back.
func passing(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EAGAIN, syscall.EPROTO, syscall.EPERM,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.EOPNOTSUPP,
		syscall.ETIMEDOUT, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		return true
	}
	return false
}

// extend gives the next accept of a queue that is being emptied a fresh deadline: with
// one in the past Go would return before it asks the kernel. False when time is up.
func (a *acceptor) extend() bool {
	now := time.Now()
	if a.end.IsZero() {
		a.end = now.Add(emptyTotal)
	}
	if !now.Before(a.end) {
		return false
	}
	a.fresh = now.Add(emptyAccept)
	return setDeadline(a.l, a.fresh) == nil
}

// setDeadline sets the accept deadline of a listener that has one.
func setDeadline(l *Listener, t time.Time) error {
	d, ok := l.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return errors.ErrUnsupported
	}
	return d.SetDeadline(t)
}

// queued asks the kernel whether connections wait in l's queue. A listener that has no
// descriptor says no.
func queued(l *Listener) (waiting bool) {
	sc, ok := l.Listener.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		waiting = err == nil && n > 0
	})
	return waiting
}

func (s *Server) isClosing() bool {
	select {
	case <-s.acceptors.closing:
		return true
	default:
		return false
	}
}

// add registers a loop; false once the listeners are being closed.
func (as *acceptors) add(a *acceptor) bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	if !as.closed {
		as.active = append(as.active, a)
	}
	return !as.closed
}

// beginClosing makes every loop empty its queue and returns the loops.
func (as *acceptors) beginClosing() []*acceptor {
	as.mu.Lock()
	defer as.mu.Unlock()
	if !as.closed {
		as.closed = true
		close(as.closing)
	}
	return as.active
}
