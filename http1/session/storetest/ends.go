package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// call is one of a store's.
type call struct {
	name string
	make func(ctx context.Context, s session.Store) error
}

var calls = []call{
	{"Get", func(ctx context.Context, s session.Store) error { _, err := s.Get(ctx, "a"); return err }},
	{"List", func(ctx context.Context, s session.Store) error { _, err := s.List(ctx, "a", "", 1); return err }},
	{"Apply", func(ctx context.Context, s session.Store) error {
		return s.Apply(ctx, session.Change{Key: "a", Value: []byte("x")})
	}},
	{"a quiet Apply", func(ctx context.Context, s session.Store) error {
		return s.Apply(ctx, session.Change{Key: "a", Value: []byte("x"), Quiet: true})
	}},
	{"Take", func(ctx context.Context, s session.Store) error {
		_, err := s.Take(ctx, "quota/a", 1, session.MaxCount, time.Hour)
		return err
	}},
	{"Changes", func(ctx context.Context, s session.Store) error { _, err := s.Changes(ctx, ""); return err }},
}

func testRefusals(t *testing.T, open Opener) {
	d := newDesk(t, open)
	d.put("a", "x")
	before := d.now()
	refuse := func(err error, want string) {
		t.Helper()
		if err == nil || errors.Is(err, session.ErrConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want it refused with %q", err, want)
		}
	}
	for key, want := range map[string]string{
		"": "empty", strings.Repeat("k", session.MaxKeyBytes+1): "512", "a\xff": "UTF-8",
		"a\x00b": "control", "a\nb": "control", "a\x7f": "control", "a\u0085b": "control",
	} {
		t.Run("no key: "+want, func(t *testing.T) {
			_, err := d.one.Get(d.ctx, key)
			refuse(err, want)
			_, err = d.one.Take(d.ctx, key, 1, 1, time.Hour)
			refuse(err, want)
			refuse(d.one.Apply(d.ctx, session.Change{Key: "b", Value: []byte("x")}, session.Change{Key: key, Value: []byte("x")}), want)
		})
	}
	t.Run("a value above the limit", func(t *testing.T) {
		long := make([]byte, session.MaxValueBytes+1)
		refuse(d.one.Apply(d.ctx, session.Change{Key: "b", Value: []byte("x")}, session.Change{Key: "a", Value: long}), "65536")
	})
	t.Run("a key twice", func(t *testing.T) {
		refuse(d.one.Apply(d.ctx, session.Change{Key: "b", Value: []byte("x")}, session.Change{Key: "b"}), "twice")
	})
	t.Run("too many at once", func(t *testing.T) {
		refuse(d.one.Apply(d.ctx, numbered(0, session.MaxChanges+1)...), "1000")
		for _, limit := range []int{-1, 0, session.MaxListRecords + 1} {
			_, err := d.one.List(d.ctx, "", "", limit)
			refuse(err, "1000")
		}
	})
	t.Run("no count", func(t *testing.T) {
		for _, n := range [][2]int64{{-1, 1}, {1, -1}, {session.MaxCount + 1, 1}, {1, session.MaxCount + 1}} {
			_, err := d.one.Take(d.ctx, "quota/a", n[0], n[1], time.Hour)
			refuse(err, "cannot count")
		}
		_, err := d.one.Take(d.ctx, "quota/a", 1, 1, 0)
		refuse(err, "window")
	})
	t.Run("nothing was changed by any", func(t *testing.T) {
		d.tells(before)
		d.lacks("b")
		d.holds("a", "x")
		d.looks(0)
	})
}

func testEnds(t *testing.T, open Opener) {
	t.Run("a context that has ended", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		cancelled, cancel := context.WithCancel(d.ctx)
		cancel()
		late, cancelLate := context.WithDeadline(d.ctx, time.Unix(1, 0))
		defer cancelLate()
		for _, c := range calls {
			if err := c.make(cancelled, d.one); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v; want it cancelled", c.name, err)
			}
			if err := c.make(late, d.one); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v; want it late", c.name, err)
			}
		}
		d.looks(0)
		d.put("a", "y")
	})
	t.Run("contexts that end under way do no harm", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		d.together(func(s session.Store, worker int) {
			for i := range 5 {
				ctx, cancel := context.WithTimeout(d.ctx, time.Duration(worker*i)*50*time.Microsecond)
				for _, c := range calls {
					_ = c.make(ctx, s) // it may have come in time or not
				}
				cancel()
			}
		})
		for _, c := range calls {
			for _, s := range []session.Store{d.one, d.two} {
				if err := c.make(d.ctx, s); err != nil {
					t.Errorf("%s afterwards: %v", c.name, err)
				}
			}
		}
	})
	t.Run("it has a name", func(t *testing.T) {
		if d := newDesk(t, open); d.one.String() == "" || d.one.String() != d.two.String() {
			t.Errorf("%q and %q", d.one, d.two)
		}
	})
}

func testClosed(t *testing.T, open Opener) {
	t.Run("a store that is closed", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		for range 2 {
			if err := d.one.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		for _, c := range calls {
			if err := c.make(d.ctx, d.one); !errors.Is(err, session.ErrClosed) {
				t.Errorf("%s: %v; want %v", c.name, err, session.ErrClosed)
			}
			if err := c.make(d.ctx, d.two); err != nil {
				t.Errorf("%s by the other handle: %v", c.name, err)
			}
		}
	})
	t.Run("calls under way return", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		busy := make(chan struct{}, workers)
		go func() {
			for range workers {
				<-busy
			}
			if err := d.one.Close(); err != nil {
				t.Error(err)
			}
		}()
		d.two = d.one
		d.together(func(s session.Store, worker int) {
			for told := false; ; {
				err := calls[worker%len(calls)].make(d.ctx, s)
				if errors.Is(err, session.ErrClosed) {
					return
				}
				if d.ctx.Err() != nil {
					t.Error("the store does not close")
					return
				}
				if !told {
					busy <- struct{}{}
					told = true
				}
			}
		})
	})
}
