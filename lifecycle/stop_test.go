package lifecycle_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/lifecycle"
)

const (
	second = time.Second
	ms     = time.Millisecond
)

func TestDrain(t *testing.T) {
	t.Run("the phases come in order and take their time", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{emptying: second, busy: 3 * second}, Delay: 15 * second, Timeout: 25 * second}
		o := live(t, stop, []event{{at: 5 * second, signal: syscall.SIGTERM}}, "announce 5s", "close 20s", "drain 21s")
		o.expect(t, 24*second, "lame duck 15s, closing 1s, draining 3s, flushed 0s", 0)
		if o.err != nil || o.report.Cause() != "signal terminated" {
			t.Errorf("returned %v with the cause %q, want nil and the signal", o.err, o.report.Cause())
		}
		if stop.Phase() != lifecycle.Flushed {
			t.Errorf("phase %s at the end, want flushed", stop.Phase())
		}
	})
	t.Run("SIGINT stops as SIGTERM does", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}, Delay: second, Timeout: second}
		o := live(t, stop, []event{{signal: syscall.SIGINT}}, "announce 0s", "close 1s", "drain 1s")
		o.expect(t, second, "lame duck 1s, closing 0s, draining 0s, flushed 0s", 0)
	})
	t.Run("without a delay the listeners close at once", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 25 * second}
		o := live(t, stop, []event{{at: second, signal: syscall.SIGTERM}}, "announce 1s", "close 1s", "drain 1s")
		o.expect(t, 2*second, "lame duck 0s, closing 0s, draining 1s, flushed 0s", 0)
	})
	t.Run("the deadline counts from the closing and cuts what is left", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{emptying: 2 * second, busy: never, open: 7}, Delay: 15 * second, Timeout: 25 * second}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 15s", "drain 17s", "overdue 35s", "cut 40s")
		o.expect(t, 40*second, "lame duck 15s, closing 2s, draining 23s, forcing 0s, flushed 0s", lifecycle.ExitCut)
		if o.report.Cut != 7 || o.report.Stuck {
			t.Errorf("%d cut, stuck %t; want 7 and not stuck", o.report.Cut, o.report.Stuck)
		}
	})
	t.Run("the deadline ends the emptying of the queues too", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{emptying: never, busy: never, open: 1}, Timeout: second}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 1s", "cut 1s")
		o.expect(t, second, "lame duck 0s, closing 1s, draining 0s, forcing 0s, flushed 0s", lifecycle.ExitCut)
	})
	t.Run("connections that finish at the deadline's moment were not cut", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 999 * ms, open: 1}, Timeout: second}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s", "overdue 800ms")
		o.expect(t, 999*ms, "lame duck 0s, closing 0s, draining 999ms, flushed 0s", 0)
	})
	t.Run("handlers that outlive the cut are left behind, with their stacks", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: never, open: 1, deaf: true}, Timeout: second}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s", "overdue 800ms", "cut 1s")
		o.expect(t, 1500*ms, "lame duck 0s, closing 0s, draining 1s, forcing 500ms, flushed 0s", lifecycle.ExitCut)
		if !o.report.Stuck {
			t.Error("the report does not say that handlers are stuck")
		}
		if !strings.Contains(o.log, "handlers did not return") || !strings.Contains(o.log, "(*target).Drain") {
			t.Errorf("the log shows no stack of what is stuck: %s", o.log)
		}
	})
	t.Run("what ends within four fifths of the time is not called overdue", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 799 * ms}, Timeout: second}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s")
		o.expect(t, 799*ms, "lame duck 0s, closing 0s, draining 799ms, flushed 0s", 0)
	})
	t.Run("without any time for the drain nothing is overdue before it is cut", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: never, open: 1}}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s", "cut 0s")
		o.expect(t, 0, "lame duck 0s, closing 0s, draining 0s, forcing 0s, flushed 0s", lifecycle.ExitCut)
	})
	t.Run("a signal that came before the actor ran is not lost", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}, Timeout: second}
		execute, _ := stop.Actor()
		if stop.Phase() != lifecycle.Starting {
			t.Errorf("phase %s before the start", stop.Phase())
		}
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		stop.Signals = signals
		g := stop.Target.(*target)
		g.begun, g.cut = time.Now(), make(chan struct{})
		if err := execute(); err != nil || len(g.notes) < 3 {
			t.Errorf("returned %v after %q, want nil after a drain", err, g.notes)
		}
	})
}

func TestSecondSignal(t *testing.T) {
	stop := func(g target) *lifecycle.Stop {
		return &lifecycle.Stop{Target: &g, Delay: 10 * second, Timeout: 20 * second}
	}
	g := target{emptying: 2 * second, busy: never, open: 1}
	term := func(at time.Duration) event { return event{at: at, signal: syscall.SIGTERM} }

	t.Run("in the lame duck it forces", func(t *testing.T) {
		o := live(t, stop(g), []event{term(0), {at: 3 * second, signal: syscall.SIGINT}}, "announce 0s", "close 3s", "drain 3s", "cut 3s")
		o.expect(t, 3*second, "lame duck 3s, closing 0s, draining 0s, forcing 0s, flushed 0s", 130)
		if o.report.Second != syscall.SIGINT {
			t.Errorf("second signal %v, want SIGINT", o.report.Second)
		}
	})
	t.Run("while the queues are emptied it forces", func(t *testing.T) {
		o := live(t, stop(g), []event{term(0), term(11 * second)}, "announce 0s", "close 10s", "drain 11s", "cut 11s")
		o.expect(t, 11*second, "lame duck 10s, closing 1s, draining 0s, forcing 0s, flushed 0s", 143)
	})
	t.Run("in the drain it forces", func(t *testing.T) {
		o := live(t, stop(g), []event{term(0), term(15 * second)}, "announce 0s", "close 10s", "drain 12s", "cut 15s")
		o.expect(t, 15*second, "lame duck 10s, closing 2s, draining 3s, forcing 0s, flushed 0s", 143)
	})
	t.Run("within 250 ms it is the first one again", func(t *testing.T) {
		short := target{busy: second}
		o := live(t, stop(short), []event{term(0), term(249 * ms)}, "announce 0s", "close 10s", "drain 10s")
		o.expect(t, 11*second, "lame duck 10s, closing 0s, draining 1s, flushed 0s", 0)
	})
	t.Run("at 250 ms it forces", func(t *testing.T) {
		o := live(t, stop(g), []event{term(0), term(249 * ms), term(250 * ms)}, "announce 0s", "close 250ms", "drain 250ms", "cut 250ms")
		o.expect(t, 250*ms, "lame duck 250ms, closing 0s, draining 0s, forcing 0s, flushed 0s", 143)
	})
	t.Run("a third changes nothing", func(t *testing.T) {
		deaf := g
		deaf.deaf = true
		o := live(t, stop(deaf), []event{term(0), term(second), {at: 1100 * ms, signal: syscall.SIGINT}}, "announce 0s", "close 1s", "drain 1s", "cut 1s")
		o.expect(t, 1500*ms, "lame duck 1s, closing 0s, draining 0s, forcing 500ms, flushed 0s", 143)
	})
	t.Run("after an actor's death the first signal is not the second", func(t *testing.T) {
		o := live(t, stop(target{busy: second}), []event{{dies: errDied}, term(5 * second)}, "announce 0s", "close 10s", "drain 10s")
		o.expect(t, 11*second, "lame duck 10s, closing 0s, draining 1s, flushed 0s", lifecycle.ExitActorDied)
	})
	t.Run("after an actor's death the second signal forces", func(t *testing.T) {
		o := live(t, stop(g), []event{{dies: errDied}, term(5 * second), term(6 * second)}, "announce 0s", "close 6s", "drain 6s", "cut 6s")
		o.expect(t, 6*second, "lame duck 6s, closing 0s, draining 0s, forcing 0s, flushed 0s", 143)
	})
}

func TestHangup(t *testing.T) {
	hangup := func(at time.Duration) event { return event{at: at, signal: syscall.SIGHUP} }
	term := event{at: 9 * second, signal: syscall.SIGTERM}

	t.Run("it reloads, as often as it comes", func(t *testing.T) {
		reloads := 0
		stop := &lifecycle.Stop{Target: &target{}, Timeout: second, Reload: func() { reloads++ }, HungUp: func() bool { return false }}
		o := live(t, stop, []event{hangup(second), hangup(2 * second), hangup(2 * second), term}, "announce 9s", "close 9s", "drain 9s")
		o.expect(t, 9*second, "lame duck 0s, closing 0s, draining 0s, flushed 0s", 0)
		if reloads != 3 {
			t.Errorf("%d reloads, want 3", reloads)
		}
	})
	t.Run("without anything to reload it is ignored", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}, Timeout: second}
		live(t, stop, []event{hangup(second), term}, "announce 9s", "close 9s", "drain 9s")
	})
	t.Run("with the terminal gone it drains", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}, Timeout: second, HungUp: func() bool { return true },
			Reload: func() { t.Error("reloaded for nobody") }}
		o := live(t, stop, []event{hangup(second)}, "announce 1s", "close 1s", "drain 1s")
		if o.report.Signal != syscall.SIGHUP || o.report.ExitCode(nil) != 0 {
			t.Errorf("stopped by %v with code %d, want SIGHUP and 0", o.report.Signal, o.report.ExitCode(nil))
		}
	})
	t.Run("it never forces", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 5 * second}, Delay: 5 * second, Timeout: 9 * second, HungUp: func() bool { return true }}
		o := live(t, stop, []event{hangup(0), hangup(second), hangup(6 * second)}, "announce 0s", "close 5s", "drain 5s")
		o.expect(t, 10*second, "lame duck 5s, closing 0s, draining 5s, flushed 0s", 0)
	})
	t.Run("a reload that panics drains instead of leaving nobody in charge", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 9 * second, Reload: func() { panic("no such file") }}
		o := live(t, stop, []event{hangup(second)}, "announce 1s", "close 1s", "drain 1s")
		o.expect(t, 2*second, "lame duck 0s, closing 0s, draining 1s, flushed 0s", lifecycle.ExitActorDied)
		var p *lifecycle.PanicError
		if !errors.As(o.err, &p) || p.Value != "no such file" {
			t.Errorf("returned %v, want the panic", o.err)
		}
	})
}

func TestDeath(t *testing.T) {
	t.Run("a dead actor drains all the same and is the cause", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Delay: 2 * second, Timeout: 9 * second}
		o := live(t, stop, []event{{at: second, dies: errDied}}, "announce 1s", "close 3s", "drain 3s")
		o.expect(t, 4*second, "lame duck 2s, closing 0s, draining 1s, flushed 0s", lifecycle.ExitActorDied)
		if !errors.Is(o.err, errDied) || o.report.Cause() != errDied.Error() || o.report.Signal != nil {
			t.Errorf("returned %v with the cause %q and signal %v", o.err, o.report.Cause(), o.report.Signal)
		}
	})
	t.Run("an actor that returned nil died too", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}, Timeout: second}
		o := live(t, stop, []event{{}}, "announce 0s", "close 0s", "drain 0s")
		if o.err == nil || o.report.ExitCode(nil) != lifecycle.ExitActorDied {
			t.Errorf("returned %v, exit code %d; want an error and 4", o.err, o.report.ExitCode(nil))
		}
	})
	t.Run("an actor that dies in the drain is reported, and the drain goes on", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 5 * second}, Timeout: 9 * second}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}, {at: second, dies: errDied}}, "announce 0s", "close 0s", "drain 0s")
		o.expect(t, 5*second, "lame duck 0s, closing 0s, draining 5s, flushed 0s", lifecycle.ExitActorDied)
		if o.report.Cause() != "signal terminated" || !errors.Is(o.report.Died, errDied) {
			t.Errorf("cause %q, died of %v; want the signal and the death", o.report.Cause(), o.report.Died)
		}
	})
	t.Run("a target that panics is given up at once", func(t *testing.T) {
		for _, step := range []string{"announce", "drain"} {
			stop := &lifecycle.Stop{Target: &target{panics: step, open: 2}, Timeout: second}
			want := []string{"announce 0s", "close 0s", "cut 0s"}
			if step == "drain" {
				want = []string{"announce 0s", "close 0s", "drain 0s", "close 0s", "cut 0s"}
			}
			o := live(t, stop, []event{{signal: syscall.SIGTERM}}, want...)
			var p *lifecycle.PanicError
			if !errors.As(o.err, &p) || o.report.ExitCode(nil) != lifecycle.ExitActorDied || o.report.Cut != 2 {
				t.Errorf("%s: returned %v, code %d, %d cut", step, o.err, o.report.ExitCode(nil), o.report.Cut)
			}
		}
	})
}
