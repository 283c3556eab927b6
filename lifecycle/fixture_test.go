package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/lifecycle"
)

// errDied is what the actors of these tests die of.
var errDied = errors.New("the disk is gone")

// target is a lifecycle.Target that takes its time and notes when it was told what. As the
// real one, it is told by one goroutine.
type target struct {
	emptying time.Duration // what the accept queues take
	busy     time.Duration // what the connections take to finish by themselves
	open     int           // how many connections a cut finds
	deaf     bool          // handlers do not return even when cut
	panics   string        // the step that panics

	begun time.Time
	notes []string
	cut   chan struct{}
	end   chan struct{} // lets deaf handlers go, at the end of the test
}

// never is longer than any drain here.
const never = 24 * time.Hour

func (g *target) note(step string) {
	g.notes = append(g.notes, fmt.Sprintf("%s %s", step, time.Since(g.begun)))
	if g.panics == step {
		panic("broken at " + step)
	}
}

func (g *target) Announce() { g.note("announce") }

func (g *target) CloseListeners(ctx context.Context) {
	g.note("close")
	select {
	case <-time.After(g.emptying):
	case <-ctx.Done():
	}
}

func (g *target) Drain() <-chan struct{} {
	g.note("drain")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		cut := g.cut
		if g.deaf {
			cut = nil
		}
		select {
		case <-time.After(g.busy):
		case <-cut:
		case <-g.end:
		}
	}()
	return gone
}

func (g *target) Overdue() { g.note("overdue") }

func (g *target) Cut() int {
	g.note("cut")
	close(g.cut)
	return g.open
}

// event is something that happens to the process, so long after its start.
type event struct {
	at     time.Duration
	signal os.Signal
	dies   error // of an actor
	asks   string
	does   func() // somebody else does something
}

// outcome is a whole life of a process.
type outcome struct {
	err    error // what the actor returned
	ended  time.Duration
	report lifecycle.Report
	log    string
}

// live runs stop in virtual time while events happen, and returns how it went. It fails
// the test if the target was not told exactly these things at these times.
func live(t *testing.T, stop *lifecycle.Stop, events []event, want ...string) (o outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := stop.Target.(*target)
		g.begun, g.cut, g.end = time.Now(), make(chan struct{}), make(chan struct{})
		defer close(g.end)
		signals := make(chan os.Signal, 4)
		stop.Signals = signals
		stop.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		execute, interrupt := stop.Actor()
		result := make(chan error, 1)
		go func() { result <- execute() }()
		for _, e := range events {
			<-time.After(time.Until(g.begun.Add(e.at)))
			synctest.Wait()
			switch {
			case e.signal != nil:
				signals <- e.signal
			case e.asks != "":
				stop.Ask(e.asks)
			case e.does != nil:
				e.does()
			default:
				interrupt(e.dies)
			}
		}
		o.err = <-result
		o.ended, o.report, o.log = time.Since(g.begun), stop.Report(), log.String()
		if !slices.Equal(g.notes, want) {
			t.Errorf("the target was told\n  %s\nwant\n  %s", strings.Join(g.notes, "\n  "), strings.Join(want, "\n  "))
		}
	})
	return o
}

// phases are the report's phases with their lengths.
func (o outcome) phases() string {
	var b strings.Builder
	for _, p := range o.report.Phases {
		fmt.Fprintf(&b, "%s %s, ", p.Phase, p.Took)
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// expect compares the end of a life.
func (o outcome) expect(t *testing.T, ended time.Duration, phases string, code int) {
	t.Helper()
	if o.ended != ended {
		t.Errorf("ended after %s, want %s", o.ended, ended)
	}
	if o.phases() != phases {
		t.Errorf("phases: %s\nwant:   %s", o.phases(), phases)
	}
	if got := o.report.ExitCode(nil); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
}
