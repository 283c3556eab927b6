package lifecycle_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/lifecycle"
)

// predecessor is one that ends so long after it is first waited for.
func predecessor(left time.Duration) func(context.Context) {
	return func(ctx context.Context) {
		select {
		case <-time.After(left):
		case <-ctx.Done():
		}
	}
}

func TestOutlive(t *testing.T) {
	t.Run("a drain is over when the predecessor's is", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 25 * second, Outlive: predecessor(7 * second)}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s")
		o.expect(t, 8*second, "lame duck 0s, closing 0s, draining 8s, flushed 0s", 0)
	})
	t.Run("it waits no longer than until its own deadline, and cuts nothing of its own", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: second}, Timeout: 25 * second, Outlive: predecessor(never)}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s")
		o.expect(t, 25*second, "lame duck 0s, closing 0s, draining 25s, flushed 0s", 0)
	})
	t.Run("a second signal ends the wait", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}, Timeout: 25 * second, Outlive: predecessor(never)}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}, {at: 2 * second, signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s")
		if o.ended != 2*second {
			t.Errorf("ended after %v", o.ended)
		}
	})
	t.Run("a drain that had to cut waits for nobody", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{busy: never, open: 1}, Timeout: 5 * second, Outlive: func(context.Context) { t.Error("it waits") }}
		o := live(t, stop, []event{{signal: syscall.SIGTERM}}, "announce 0s", "close 0s", "drain 0s", "overdue 4s", "cut 5s")
		o.expect(t, 5*second, "lame duck 0s, closing 0s, draining 5s, forcing 0s, flushed 0s", lifecycle.ExitCut)
	})
}
