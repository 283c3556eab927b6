package redisstore

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// retireAfter is how long a call must have waited for an answer to say something about its
// connection: shorter ones ended because their callers had no time.
const retireAfter = 50 * time.Millisecond

// errRetired is what the library is told of a connection that it is not to use again.
var errRetired = errors.New("connections of before a timeout are not used again")

// generation counts the times that connections were retired. A router that was started anew
// forgets what went through it: connections of before hang for ever, new ones are well at once.
// Who finds out about one by a timeout saves all others from finding out about the rest.
type generation struct{ current atomic.Int64 }

// retire gives up all connections, if those are still the ones of then: many calls that time out
// together retire them once, and not those that were made since.
func (g *generation) retire(then int64) { g.current.CompareAndSwap(then, then+1) }

// join makes c one of the connections of now.
func (g *generation) join(c net.Conn) net.Conn {
	m := member{Conn: c, all: g, mine: g.current.Load()}
	if tcp, ok := c.(syscall.Conn); ok {
		return &socket{m, tcp}
	}
	return &sealed{m}
}

// member is a connection of a generation. What is under way on a retired one goes on.
type member struct {
	net.Conn
	all  *generation
	mine int64
}

func (m *member) check() error {
	if m.mine != m.all.current.Load() {
		return errRetired
	}
	return nil
}

// socket is a member whose socket the library looks at before it uses it, by SyscallConn.
type socket struct {
	member
	tcp syscall.Conn
}

// SyscallConn implements syscall.Conn.
func (s *socket) SyscallConn() (syscall.RawConn, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.tcp.SyscallConn()
}

// sealed is a member under TLS, whose socket tells nothing.
type sealed struct{ member }

// SyscallConn implements syscall.Conn.
func (s *sealed) SyscallConn() (syscall.RawConn, error) { return unseen{}, s.check() }

// unseen is a socket that nobody looks at.
type unseen struct{}

func (unseen) Control(func(uintptr)) error    { return nil }
func (unseen) Read(func(uintptr) bool) error  { return nil }
func (unseen) Write(func(uintptr) bool) error { return nil }
