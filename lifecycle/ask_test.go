package lifecycle_test

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/lifecycle"
)

func TestAsk(t *testing.T) {
	const why = "asked by uid 7"
	t.Run("it begins the drain that a signal begins, with its cause", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 3 * second}, Delay: 15 * second, Timeout: 25 * second}
		o := live(t, stop, []event{{at: 5 * second, asks: why}}, "announce 5s", "close 20s", "drain 20s")
		o.expect(t, 23*second, "lame duck 15s, closing 0s, draining 3s, flushed 0s", 0)
		if o.err != nil || o.report.Cause() != why || o.report.Signal != nil {
			t.Errorf("returned %v with the cause %q", o.err, o.report.Cause())
		}
	})
	t.Run("however often it is asked for, nothing is forced", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 9 * second}, Timeout: 25 * second}
		o := live(t, stop, []event{{asks: why}, {at: second, asks: why}, {at: 2 * second, asks: "again"}, {at: 3 * second, asks: "again"}},
			"announce 0s", "close 0s", "drain 0s")
		o.expect(t, 9*second, "lame duck 0s, closing 0s, draining 9s, flushed 0s", 0)
		if o.report.Cause() != why {
			t.Errorf("the cause is %q, want the first", o.report.Cause())
		}
	})
	t.Run("after a signal it changes nothing", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 9 * second}, Timeout: 25 * second}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}, {at: second, asks: why}}, "announce 0s", "close 0s", "drain 0s")
		o.expect(t, 9*second, "lame duck 0s, closing 0s, draining 9s, flushed 0s", 0)
		if o.report.Cause() != "signal terminated" {
			t.Errorf("the cause is %q, want the signal", o.report.Cause())
		}
	})
	t.Run("a supervisor's signal behind it is the first, and the next one forces", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: never, open: 2}, Timeout: 25 * second}
		o := live(t, stop, []event{{asks: why}, {at: second, signal: syscall.SIGTERM}, {at: 2 * second, signal: syscall.SIGTERM}},
			"announce 0s", "close 0s", "drain 0s", "cut 2s")
		o.expect(t, 2*second, "lame duck 0s, closing 0s, draining 2s, forcing 0s, flushed 0s", 128+15)
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &target{emptying: second, busy: 3 * second, cut: make(chan struct{}), end: make(chan struct{})}
		defer close(g.end)
		stop := &lifecycle.Stop{Target: g, Delay: 15 * second, Timeout: 25 * second}
		execute, _ := stop.Actor()
		ended := make(chan error, 1)
		go func() { ended <- execute() }()
		synctest.Wait()
		if d := stop.Deadline(); !d.IsZero() {
			t.Errorf("a running server has the deadline %v", d)
		}
		want := time.Now().Add(40 * second)
		stop.Ask("it is time")
		for _, phase := range []lifecycle.Phase{lifecycle.LameDuck, lifecycle.Closing, lifecycle.Draining} {
			for stop.Phase() != phase {
				<-time.After(100 * ms)
				synctest.Wait()
			}
			if d := stop.Deadline(); !d.Equal(want) {
				t.Errorf("in the phase %s the deadline is %v away, want %v", phase, time.Until(d), time.Until(want))
			}
		}
		<-ended
	})
}
