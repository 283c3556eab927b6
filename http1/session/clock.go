package session

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// clockJump is how far a clock goes against the machine's own, which nobody sets, before that is
// worth a line: a leap second and a drift are not.
const clockJump = time.Minute

// clock is the time that sessions expire by, and tells when it jumps.
type clock struct {
	now    func() time.Time
	log    *slog.Logger
	start  time.Time
	offset atomic.Int64 // ns that it was ahead of the machine's own when it jumped last; 0 for never read
}

func (c *clock) read() time.Time {
	now := c.now()
	offset := now.UnixNano() - int64(time.Since(c.start))
	last := c.offset.Load()
	jump := time.Duration(offset - last)
	if last != 0 && -clockJump < jump && jump < clockJump {
		return now
	}
	if c.offset.CompareAndSwap(last, offset) && last != 0 {
		c.log.Warn("the clock has jumped: sessions expire by what it says now", "by", jump.Round(time.Second), "now", now)
	}
	return now
}
