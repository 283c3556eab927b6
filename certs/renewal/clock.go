package renewal

import (
	"context"
	"time"
)

// clockJump is from what on a difference is a jump; below, time servers slew.
const clockJump = 30 * time.Second

// watchClock holds the wall clock against the monotonic one, which nobody can set, and
// tells every keeper when it was set, or the machine slept. All schedules are dates, so
// they need no change; what was put off by a wrong clock does.
func (s *Source) watchClock(ctx context.Context) {
	ticker := time.NewTicker(s.config.Limits.Look)
	defer ticker.Stop()
	mono, wall := time.Now(), s.config.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.retired:
			return
		case <-ticker.C:
		}
		nowMono, nowWall := time.Now(), s.config.Now()
		// Round strips the monotonic reading, with which Sub would see no jump.
		by := nowWall.Round(0).Sub(wall.Round(0)) - nowMono.Sub(mono)
		mono, wall = nowMono, nowWall
		if by.Abs() < clockJump {
			continue
		}
		s.counts.jumps.Add(1)
		s.config.Log.Warn("the clock was set: renewals are scheduled anew", "by", by.Round(time.Second), "now", nowWall)
		for _, k := range s.keepers {
			select {
			case k.jumps <- by:
			default: // it has one to look at already
			}
		}
	}
}
