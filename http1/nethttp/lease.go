package nethttp

import "sync"

// A lease is the time for which something borrowed may be used. Goroutines that a handler
// left behind come late: they are turned away, for by then the loan serves another
// request.
type lease struct {
	mu   sync.RWMutex
	over bool
}

// enter tells whether the lease still runs. If so it goes on until leave.
func (l *lease) enter() bool {
	l.mu.RLock()
	if l.over {
		l.mu.RUnlock()
		return false
	}
	return true
}

func (l *lease) leave() { l.mu.RUnlock() }

// end waits for those that entered and lets nobody else in.
func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}
