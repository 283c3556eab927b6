package conn

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A goroutine that has served a request has a stack of 4 or 8 KiB, and the garbage
// collector never takes the last of that back. So a connection that stays idle moves to a
// new goroutine with the smallest stack there is, whose handler has not been called yet.
const (
	// restAfter is how long a connection has been idle when it goes to rest: one that
	// is in use never pays for it.
	restAfter = time.Second
	// restLook is how far off the deadline is that looks for this.
	restLook = 2 * time.Second
)

// mayRest tells whether the connection can rest where it stands: idle, on a socket that
// the kernel can be asked about. The caller holds c.mu.
func (c *Conn) mayRest() bool { return c.clock == clockIdle && c.sock.descriptor != nil }

// rest is a resting connection's goroutine: it waits for a reason to call the handler
// again, which is something to read, the end of its clock, a drain or a cut. The
// tracker's WaitGroup owns it, as it does the one before.
func (s *Server) rest(c *Conn) {
	c.waiter = nil                       // it comes back with the next wait
	_ = c.sock.descriptor.Read(readable) // Await finds out what it was
	s.run(c)
}

// readable tells whether a read would not block. It takes nothing.
func readable(fd uintptr) bool {
	var first [1]byte
	for {
		_, _, err := unix.Recvfrom(int(fd), first[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return err != syscall.EAGAIN
		}
	}
}

// descriptorOf is how to ask the kernel about a connection; nil where there is no way.
func descriptorOf(raw rawConn) syscall.RawConn {
	if sc, ok := raw.(syscall.Conn); ok {
		if d, err := sc.SyscallConn(); err == nil {
			return d
		}
	}
	return nil
}
