package lifecycle

import (
	"sync/atomic"
	"time"
)

// Phase is how far the process has come.
type Phase int32

// The phases, in their order. Forcing is skipped when nothing has to be cut.
const (
	Starting Phase = iota
	Running
	LameDuck // every response announces the end; accepting goes on
	Closing  // the accept queues are emptied and the listeners closed
	Draining // requests under way finish
	Forcing  // what is left was cut
	Flushed  // all connections are gone
)

// String is the phase's name as logs and reports write it.
func (p Phase) String() string {
	return [...]string{"starting", "running", "lame duck", "closing", "draining", "forcing", "flushed"}[p]
}

// phases is the current phase, read by anyone and moved on by the Stop actor.
type phases struct {
	now      atomic.Int32
	deadline atomic.Pointer[time.Time] // nil until there is one
}

func (p *phases) set(to Phase) { p.now.Store(int32(to)) }

// Phase is the current phase. Any goroutine may ask.
func (s *Stop) Phase() Phase { return Phase(s.phase.now.Load()) }
