package session

import (
	"sync"
	"time"
)

// probePause is how long a store that failed is left alone: two of them and the call itself
// are well below the second in which its return has to be seen.
const probePause = 200 * time.Millisecond

// verdict is what a call tells of the store.
type verdict uint8

const (
	failed verdict = iota
	answered
	unknown // the caller has gone first
)

// gate lets calls through to a store that answers. After a failure it lets one through at a
// time, each probePause at most: so a store that hangs costs one caller its timeout and the
// others nothing, and one that returns meets no storm.
type gate struct {
	mu      sync.Mutex
	down    bool
	probing bool
	next    time.Time // when the next probe may be
}

// enter tells whether a call may be made, and whether it is the probe.
func (g *gate) enter() (probe, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.down {
		return false, true
	}
	if g.probing || time.Now().Before(g.next) {
		return false, false
	}
	g.probing = true
	return true, true
}

// leave takes what became of a call, and tells whether the store's state is another now.
func (g *gate) leave(probe bool, v verdict) (turned bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if probe {
		g.probing = false
	}
	if v == unknown {
		return false
	}
	was := g.down
	if g.down = v == failed; g.down {
		g.next = time.Now().Add(probePause)
	}
	return g.down != was
}
