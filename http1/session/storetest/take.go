package storetest

import (
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// take counts by the first handle.
func (d *desk) take(n, limit int64, window time.Duration) session.Count {
	d.t.Helper()
	c, err := d.one.Take(d.ctx, "quota/a", n, limit, window)
	if err != nil {
		d.t.Fatalf("take: %v", err)
	}
	return c
}

// looks tells whether the second handle sees so much used.
func (d *desk) looks(used int64) session.Count {
	d.t.Helper()
	c, err := d.two.Take(d.ctx, "quota/a", 0, 1, time.Hour)
	if err != nil || c.Used != used || c.Taken {
		d.t.Fatalf("look: %+v, %v; want %d used, and not taken", c, err, used)
	}
	return c
}

// counted tells whether c is as it must be in an hour's window.
func (d *desk) counted(c session.Count, taken bool, used int64) {
	d.t.Helper()
	if c.Taken != taken || c.Used != used || c.Resets <= 0 || c.Resets > time.Hour {
		d.t.Errorf("%+v; want taken %v, used %d, and at most an hour", c, taken, used)
	}
}

func testTake(t *testing.T, open Opener) {
	t.Run("up to the limit and not above", func(t *testing.T) {
		d := newDesk(t, open)
		d.counted(d.take(1, 5, time.Hour), true, 1)
		d.counted(d.take(3, 5, time.Hour), true, 4)
		d.counted(d.take(2, 5, time.Hour), false, 4)
		d.counted(d.take(1, 5, time.Hour), true, 5)
		d.counted(d.take(1, 5, time.Hour), false, 5)
		d.counted(d.take(session.MaxCount, session.MaxCount, time.Hour), false, 5)
		d.looks(5)
	})
	t.Run("a limit may be lowered and raised", func(t *testing.T) {
		d := newDesk(t, open)
		d.counted(d.take(4, 5, time.Hour), true, 4)
		d.counted(d.take(1, 2, time.Hour), false, 4)
		d.counted(d.take(1, session.MaxCount, time.Hour), true, 5)
		d.counted(d.take(session.MaxCount-5, session.MaxCount, time.Hour), true, session.MaxCount)
		d.looks(session.MaxCount)
	})
	t.Run("looking counts nothing and begins nothing", func(t *testing.T) {
		d := newDesk(t, open)
		if c := d.looks(0); c.Resets != 0 {
			t.Errorf("%+v", c)
		}
		d.counted(d.take(1, 1, time.Hour), true, 1)
		if c := d.looks(1); c.Resets <= 0 || c.Resets > time.Hour {
			t.Errorf("%+v", c)
		}
	})
	t.Run("what is refused begins no window", func(t *testing.T) {
		d := newDesk(t, open)
		if c := d.take(2, 1, time.Hour); c != (session.Count{}) {
			t.Errorf("%+v", c)
		}
		if c := d.take(1, 0, time.Hour); c != (session.Count{}) {
			t.Errorf("%+v", c)
		}
	})
	t.Run("the window is the first count's", func(t *testing.T) {
		d := newDesk(t, open)
		first := d.take(1, 9, time.Hour)
		if second := d.take(1, 9, 9*time.Hour); second.Resets > first.Resets {
			t.Errorf("%v, then %v", first.Resets, second.Resets)
		}
	})
	t.Run("a window ends and another begins", func(t *testing.T) {
		d := newDesk(t, open)
		d.take(1, 1, 40*time.Millisecond)
		d.await("another window", func() bool {
			c := d.take(1, 1, time.Hour)
			return c.Taken
		})
		d.counted(d.take(1, 1, time.Hour), false, 1)
	})
	t.Run("keys count apart", func(t *testing.T) {
		d := newDesk(t, open)
		d.take(1, 1, time.Hour)
		if c, err := d.one.Take(d.ctx, "quota/b", 1, 1, time.Hour); err != nil || !c.Taken {
			t.Errorf("%+v, %v", c, err)
		}
	})
	t.Run("a record under the same key is another thing", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("quota/a", "record")
		d.take(1, 9, time.Hour)
		d.holds("quota/a", "record")
		d.apply(session.Change{Key: "quota/a"})
		d.looks(1)
	})
}
