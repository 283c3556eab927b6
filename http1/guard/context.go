package guard

import (
	"context"
	"sync"
	"time"
)

// limited is a request's context that also ends at a time. To wait for a request's end
// costs http1 a goroutine, and a timer one more: so neither is set up before somebody
// waits, or looks once the time is up. Most handlers do neither.
type limited struct {
	context.Context // the request's
	at              time.Time

	mu     sync.Mutex
	timed  context.Context // nil until it is needed
	cancel context.CancelFunc
	ended  bool
}

// Deadline is when the handler's time is up.
func (c *limited) Deadline() (time.Time, bool) { return c.at, true }

// Done is closed then, or when the request has ended.
func (c *limited) Done() <-chan struct{} { return c.timer().Done() }

func (c *limited) Err() error { return c.latest().Err() }

// Value asks the context with the timer once there is one, which knows the cause.
func (c *limited) Value(key any) any { return c.latest().Value(key) }

// latest is the context that knows whether c has ended.
func (c *limited) latest() context.Context {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	switch {
	case timed != nil:
		return timed
	case time.Now().Before(c.at):
		return c.Context
	}
	return c.timer()
}

// timer makes the context with the timer, once.
func (c *limited) timer() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadlineCause(c.Context, c.at, ErrTimeout)
		if c.ended {
			c.cancel()
		}
	}
	return c.timed
}

// end ends the context because its handler has returned.
func (c *limited) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}
