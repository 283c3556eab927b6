package lifecycle_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-server/holdfast/lifecycle"
)

func TestHandOver(t *testing.T) {
	given := func() error { return nil }
	t.Run("the listeners close before the lame duck, whatever the drain delay", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: 3 * second}, Delay: 15 * second, Timeout: 25 * second}
		var err error
		o := live(t, stop, []event{{at: second, does: func() { err = stop.HandOver(4711, given) }}}, "announce 1s", "close 1s", "drain 2s")
		o.expect(t, 5*second, "closing 0s, lame duck 1s, draining 3s, flushed 0s", 0)
		if err != nil || o.err != nil || o.report.Cause() != "handed over to process 4711" {
			t.Errorf("%v, %v, cause %q", err, o.err, o.report.Cause())
		}
	})
	t.Run("the drain timeout counts from its end", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: never, open: 1}, Timeout: 25 * second}
		o := live(t, stop, []event{{does: func() { _ = stop.HandOver(1, given) }}}, "announce 0s", "close 0s", "drain 1s", "overdue 21s", "cut 26s")
		o.expect(t, 26*second, "closing 0s, lame duck 1s, draining 25s, forcing 0s, flushed 0s", lifecycle.ExitCut)
	})
	t.Run("a successor that cannot be told changes nothing", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}, Timeout: second}
		var err error
		o := live(t, stop, []event{
			{does: func() { err = stop.HandOver(1, func() error { return errDied }) }},
			{at: second, signal: syscall.SIGTERM},
		}, "announce 1s", "close 1s", "drain 1s")
		if !errors.Is(err, errDied) || o.report.Successor != 0 || stop.Successor() != 0 || o.report.Cause() != "signal terminated" {
			t.Errorf("%v, %+v", err, o.report)
		}
	})
	t.Run("a stop that has begun is not handed over", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 25 * second}
		var err error
		told := false
		o := live(t, stop, []event{
			{signal: syscall.SIGTERM},
			{at: 500 * ms, does: func() { err = stop.HandOver(1, func() error { told = true; return nil }) }},
		}, "announce 0s", "close 0s", "drain 0s")
		if !errors.Is(err, lifecycle.ErrStopping) || told || o.report.Successor != 0 {
			t.Errorf("%v, told %t, %+v", err, told, o.report)
		}
	})
	t.Run("nor is it handed over twice", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 25 * second}
		var err error
		o := live(t, stop, []event{
			{does: func() { _ = stop.HandOver(1, given); err = stop.HandOver(2, given) }},
		}, "announce 0s", "close 0s", "drain 1s")
		if !errors.Is(err, lifecycle.ErrStopping) || o.report.Successor != 1 {
			t.Errorf("%v, %+v", err, o.report)
		}
	})
	t.Run("afterwards one signal asks for what is under way, and two force", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: never, open: 1}, Timeout: 25 * second}
		o := live(t, stop, []event{
			{does: func() { _ = stop.HandOver(1, given) }},
			{at: 2 * second, signal: syscall.SIGTERM},
			{at: 3 * second, signal: syscall.SIGTERM},
		}, "announce 0s", "close 0s", "drain 1s", "cut 3s")
		o.expect(t, 3*second, "closing 0s, lame duck 1s, draining 2s, forcing 0s, flushed 0s", lifecycle.ExitSignalled+int(syscall.SIGTERM))
	})
	t.Run("Stopping is closed when it begins, and not before", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 25 * second}
		over := func() bool {
			select {
			case <-stop.Stopping():
				return true
			default:
				return false
			}
		}
		var before, after bool
		live(t, stop, []event{
			{at: second, does: func() { before = over() }},
			{at: 2 * second, signal: syscall.SIGTERM},
			{at: 2500 * ms, does: func() { after = over() }},
		}, "announce 2s", "close 2s", "drain 2s")
		if before || !after {
			t.Errorf("closed at 1s: %t, at 2.5s: %t", before, after)
		}
	})
}

func TestUpgradeSignal(t *testing.T) {
	t.Run("SIGUSR2 asks for an upgrade and stops nothing", func(t *testing.T) {
		asked := 0
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 25 * second, Upgrade: func() { asked++ }}
		o := live(t, stop, []event{
			{signal: syscall.SIGUSR2}, {at: second, signal: syscall.SIGUSR2}, {at: 2 * second, signal: syscall.SIGTERM},
			{at: 2500 * ms, signal: syscall.SIGUSR2},
		}, "announce 2s", "close 2s", "drain 2s")
		if asked != 2 || o.report.Second != nil {
			t.Errorf("asked %d times, %+v", asked, o.report)
		}
	})
	t.Run("without anybody to ask it is ignored, and a panic is logged", func(t *testing.T) {
		o := live(t, &lifecycle.Stop{Target: &target{}, Timeout: second}, []event{{signal: syscall.SIGUSR2}, {at: second, signal: syscall.SIGTERM}},
			"announce 1s", "close 1s", "drain 1s")
		if o.err != nil {
			t.Error(o.err)
		}
		o = live(t, &lifecycle.Stop{Target: &target{}, Timeout: second, Upgrade: func() { panic("broken") }},
			[]event{{signal: syscall.SIGUSR2}, {at: second, signal: syscall.SIGTERM}}, "announce 1s", "close 1s", "drain 1s")
		if o.err != nil || !strings.Contains(o.log, "broken") {
			t.Errorf("%v, log %s", o.err, o.log)
		}
	})
}
