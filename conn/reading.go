package conn

import (
	"errors"
	"os"
	"time"
)

// ReadUntil bounds the reads of this content by an absolute time, beside its clocks: past
// it they return os.ErrDeadlineExceeded. The zero time takes the bound away, as the next
// BeginBody does. Any goroutine may call it.
func (c *Conn) ReadUntil(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound = t
	if c.clock == clockBody {
		c.arm(c.earlier(c.until))
	}
}

// earlier is the bound of ReadUntil where that comes before t. The caller holds c.mu.
func (c *Conn) earlier(t time.Time) time.Time {
	if c.bound.IsZero() || t.Before(c.bound) {
		return t
	}
	return c.bound
}

// StopReading makes a Read under way, and later ones, return [ErrStopped], until Await,
// BeginHead or BeginBody starts another clock. Any goroutine may call it.
func (c *Conn) StopReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = past
	c.clock = clockStopped
	c.arm(past)
}

// Read reads what the peer sent, under the clock that runs. It returns io.EOF when the
// peer has closed its half, and one of this package's errors when the clock ran out. An
// error that came with bytes comes again, without them, at the next Read of that content.
func (c *Conn) Read(p []byte) (int, error) {
	begun := c.armRead()
	if c.slow && !begun.IsZero() {
		return 0, ErrTooSlow
	}
	for {
		n, err := c.stream.Read(p)
		if n > 0 && begun.IsZero() {
			c.leaveHead()
		}
		if n > 0 {
			return n, c.booked(begun, n)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			c.ended.Store(true)
			return 0, err
		}
		if err := c.rearm(); err != nil {
			return 0, err
		}
	}
}

// booked judges the rate of content that arrived. The bytes are delivered all the same:
// the error comes with them, and they may be the last that were needed.
func (c *Conn) booked(begun time.Time, n int) error {
	if begun.IsZero() {
		return nil
	}
	l := &c.server.limits
	if c.body.read(time.Since(begun), int64(n), l.MinBytesPerSecond, l.RateGrace) {
		c.slow = true
		return ErrTooSlow
	}
	return nil
}

// armRead makes the raw read deadline fit the clock. For content it returns the time,
// from which the wait is measured.
func (c *Conn) armRead() (begun time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.clock {
	case clockNone:
		return begun
	case clockBody:
		begun = time.Now()
		c.readFrom, c.readAt, c.seen = begun.Sub(c.accepted), c.sock.received.Load(), c.sock.received.Load()
		c.until = begun.Add(c.server.limits.StallTimeout)
		if c.bound.IsZero() {
			c.armLazily(begun)
		} else {
			c.arm(c.earlier(c.until))
		}
	default:
		c.inHead = c.clock == clockHead
		c.arm(c.until)
	}
	return begun
}

// rearm is called when the raw read deadline has passed. It returns nil, with a new
// deadline set, unless the clock has really run out: deadlines are set lazily.
func (c *Conn) rearm() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock == clockNone {
		return os.ErrDeadlineExceeded
	}
	now := time.Now()
	if c.clock == clockBody && !c.bound.IsZero() && !now.Before(c.bound) {
		return os.ErrDeadlineExceeded
	}
	if c.clock == clockBody && c.sock.received.Load() > c.seen {
		return c.renew(now)
	}
	if now.Before(c.until) {
		c.arm(c.earlier(c.until))
		return nil
	}
	return c.clock.expired()
}

// renew gives content that comes, but not yet as a whole TLS record, a new stall clock,
// unless its bytes are too few. The caller holds c.mu.
func (c *Conn) renew(now time.Time) error {
	l := &c.server.limits
	c.seen = c.sock.received.Load()
	if waited := now.Sub(c.accepted) - c.readFrom; waited >= l.RateGrace && l.MinBytesPerSecond > 0 &&
		float64(c.seen-c.readAt) < float64(l.MinBytesPerSecond)*waited.Seconds() {
		return ErrTooSlow
	}
	c.until = now.Add(l.StallTimeout)
	c.arm(c.earlier(c.until))
	return nil
}

// arm sets the raw read deadline. The caller holds c.mu.
func (c *Conn) arm(t time.Time) {
	if !c.armed.Equal(t) {
		c.armed = t
		_ = c.sock.SetReadDeadline(t)
	}
}

// armLazily lets a deadline stand that is at most a quarter of its clock early; when it
// passes, rearm sets the right one. Most reads then set none. The caller holds c.mu.
func (c *Conn) armLazily(now time.Time) {
	early := c.until.Sub(c.armed)
	if early < 0 || early > c.until.Sub(now)/4 {
		c.arm(c.until)
	}
}
