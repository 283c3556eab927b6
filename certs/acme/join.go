package acme

import (
	"context"
	"time"
)

// join waits until at least n callers have been on the line and all of them have ended
// the contexts of their requests, as a function does that returns and had its own; at
// most for timeout, or until ctx ends. autocert starts goroutines without a handle, and
// this is the only trace that they leave.
func (l *line) join(ctx context.Context, n int, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		running, seen := l.running()
		if running == nil && seen >= n {
			return
		}
		if running != nil {
			select {
			case <-running.Done():
				continue
			case <-ctx.Done():
				return
			}
		}
		// A goroutine that was started has yet to come on the line.
		pause := time.NewTimer(time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

// running is a caller's context that has not ended, nil if all have, and how many have
// been seen.
func (l *line) running() (running context.Context, seen int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ctx := range l.callers {
		if ctx.Err() == nil {
			return ctx, len(l.callers)
		}
	}
	return nil, len(l.callers)
}
