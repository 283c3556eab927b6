package lifecycle

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Exit codes of a process that has served. 0 is a clean stop.
const (
	ExitCannotStart = 1
	ExitUsage       = 2
	ExitCut         = 3   // the deadline cut something
	ExitActorDied   = 4   // the drain ran all the same
	ExitUnbalanced  = 5   // the ledgers do not add up: a bug
	ExitSignalled   = 128 // plus the number of the second signal
)

// A Report says why a process stopped and how its drain went.
type Report struct {
	Signal os.Signal // that began it, or nil
	Asked  string    // the cause that Ask was given, or empty
	// Successor is the process that the listeners were handed over to; 0 for none.
	Successor int
	Died      error     // of an actor that ended before the drain did, or nil
	Second    os.Signal // that forced it, or nil
	Begun     time.Time
	Phases    []Stretch
	Cut       int  // connections cut in the forcing phase
	Stuck     bool // handlers were still running when the process gave up waiting
}

// A Stretch is a phase and how long it took.
type Stretch struct {
	Phase Phase
	Took  time.Duration
}

// Cause is why the process stopped, in words.
func (r Report) Cause() string {
	if r.Successor != 0 {
		return fmt.Sprintf("handed over to process %d", r.Successor)
	}
	if r.Signal != nil {
		return fmt.Sprintf("signal %s", r.Signal)
	}
	if r.Asked != "" {
		return r.Asked
	}
	if r.Died != nil {
		return r.Died.Error()
	}
	return "none"
}

// ExitCode is the process's exit code; books is the verdict on its ledgers.
func (r Report) ExitCode(books error) int {
	switch n, isSignal := r.Second.(syscall.Signal); {
	case books != nil:
		return ExitUnbalanced
	case isSignal:
		return ExitSignalled + int(n)
	case r.Died != nil:
		return ExitActorDied
	case r.Cut > 0 || r.Stuck:
		return ExitCut
	}
	return 0
}
