package conn

import (
	"errors"
	"os"
	"time"
)

// A Buffer is where a parked connection gets room from when bytes have arrived, so that
// it holds none while it waits.
type Buffer interface {
	// Room returns where to read to, at least one byte long.
	Room() []byte
	// Return takes the room back: nothing came.
	Return()
}

// Await parks the connection until the first bytes of a request arrive, and reads them
// into b's room. It returns their number, or 0 with io.EOF when the peer has closed its
// half, an error of the idle or head clock, [ErrDrained], or the connection's.
//
// A connection that has not asked anything yet is New and has the head clock; later ones
// are Idle. One that has been idle for a second or two goes to rest: Await returns
// [ErrResting], ServeConn is to return that without delay, and is called again when there
// is a reason to. In a drain an idle connection gets one last look at what has already been
// received before it is given up; over TLS, one that shows half a record gets a second
// for the rest. On success the connection is Active and the head clock, which
// [Conn.Read] goes by, has begun.
func (c *Conn) Await(b Buffer) (int, error) {
	if c.resting {
		c.resting = false // its clock runs on
	} else {
		c.park()
	}
	for {
		n, err := c.waiter.read(b)
		if n > 0 {
			c.BeginHead()
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			c.ended.Store(true)
			return 0, err
		}
		if n := c.look(b); n > 0 {
			c.BeginHead()
			return n, nil
		}
		if err := c.parkedOut(); err != nil {
			return 0, err
		}
	}
}

// look reads, in a drain or where it gives way, what has already been received, whatever the deadline. Without
// it the last look is a matter of luck on a busy machine: its few milliseconds can pass
// before its read is begun, and that read then sees nothing.
func (c *Conn) look(b Buffer) int {
	c.mu.Lock()
	ends := c.draining || c.evicted.Load()
	c.mu.Unlock()
	if !ends {
		return 0
	}
	return c.waiter.look(b)
}

// park starts the clock of a connection that waits for a request.
func (c *Conn) park() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.seen = c.sock.received.Load()
	if c.state == New {
		c.change(New, clockHead, c.server.limits.HeadTimeout, now)
	} else {
		c.change(Idle, clockIdle, c.server.limits.IdleTimeout, now)
	}
	switch {
	case c.draining:
		c.arm(c.until)
	case c.mayRest():
		// A deadline that is near enough stands, wherever it is: setting one costs more
		// than most of what a request does.
		if c.armed.Before(now) || c.armed.After(now.Add(restLook)) || c.armed.After(c.until) {
			c.arm(c.lookAgain(now))
		}
	default:
		c.armLazily(now)
	}
}

// lookAgain is when to see whether an idle connection may rest. The caller holds c.mu.
func (c *Conn) lookAgain(now time.Time) time.Time {
	if look := now.Add(restLook); look.Before(c.until) {
		return look
	}
	return c.until
}

// parkedOut is called when the raw deadline of a parked connection has passed. It
// returns nil, with a new deadline set, for one that may wait on: its clock still runs,
// or the drain has woken it and it has its last look before it.
func (c *Conn) parkedOut() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.evicted.Load() {
		return c.clock.expired()
	}
	if c.draining && c.clock == clockIdle {
		switch {
		case !c.looked:
			c.looked, c.until = true, now.Add(lastLook)
		case !c.halfway && c.sock.received.Load() > c.seen:
			// The beginning of a TLS record: a request was under way.
			c.halfway, c.until = true, now.Add(drainGrace)
		default:
			return ErrDrained
		}
	}
	switch {
	case !now.Before(c.until):
		return c.clock.expired()
	case c.draining || !c.mayRest():
		c.arm(c.until)
	case c.until.Sub(now) > c.server.limits.IdleTimeout-restAfter:
		c.arm(c.lookAgain(now))
	default:
		c.arm(c.until)
		c.resting = true
		return ErrResting
	}
	return nil
}
