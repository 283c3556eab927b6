package conn

import (
	"errors"
	"os"
	"time"
)

// BeginWatch prepares for a [Conn.Watch]: the read clocks stop, for the peer owes nothing
// while its request is being answered. Whoever would read calls it, not the watcher.
func (c *Conn) BeginWatch() {
	c.enter(Active, clockNone, 0)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arm(time.Time{})
}

// Watch reads into p until the peer sends something, closes its half or breaks the
// connection, or until EndWatch. It is a Read of its own goroutine: nobody else reads
// until it has returned. After EndWatch it returns 0 and nil unless there is more to say.
func (c *Conn) Watch(p []byte) (int, error) {
	for {
		n, err := c.stream.Read(p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, nil
		}
		c.ended.Store(true)
		return 0, err
	}
}

// EndWatch makes a Watch return, also one that has not begun yet. The next clock that is
// begun makes the connection readable again.
func (c *Conn) EndWatch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arm(past)
}
