package session_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-server/holdfast/http1/session"
)

type basket struct {
	Items []string
	Count int
}

var (
	color = session.NewKey[string]("color")
	cart  = session.NewKey[basket]("cart")
)

// with lets do have the client's session.
func (c *client) with(m *session.Manager, do func(s *session.Session)) {
	c.t.Helper()
	c.ask(m, func(now *session.Current) {
		s, err := now.Session()
		if err != nil {
			c.t.Error(err)
		}
		do(s)
	})
}

func TestValues(t *testing.T) {
	ctx := context.Background()
	store := newMoodyStore()
	m, c := manager(t, session.Config{Store: store}), &client{t: t}
	c.signIn(m, "ada")
	t.Run("none is there at first", func(t *testing.T) {
		c.with(m, func(s *session.Session) {
			if v, ok := cart.Get(s); ok || v.Count != 0 {
				t.Error(v)
			}
			before := store.applies.Load()
			if err := cart.Delete(ctx, s); err != nil || store.applies.Load() != before {
				t.Error("what is not there was deleted", err)
			}
		})
	})
	t.Run("what was set is there at once, and in the next request", func(t *testing.T) {
		want := basket{Items: []string{"tea", "cup"}, Count: 2}
		check := func(s *session.Session) {
			if v, ok := cart.Get(s); !ok || v.Count != 2 || strings.Join(v.Items, " ") != "tea cup" {
				t.Error(v, ok)
			}
		}
		c.with(m, func(s *session.Session) {
			if err := errors.Join(cart.Set(ctx, s, want), color.Set(ctx, s, "red"), color.Set(ctx, s, "blue")); err != nil {
				t.Error(err)
			}
			check(s)
		})
		c.with(m, check)
		c.with(m, func(s *session.Session) {
			if v, _ := color.Get(s); v != "blue" {
				t.Error(v)
			}
		})
	})
	t.Run("what is kept there of another type is none", func(t *testing.T) {
		c.with(m, func(s *session.Session) {
			if v, ok := session.NewKey[int]("color").Get(s); ok || v != 0 {
				t.Error(v)
			}
		})
	})
	t.Run("a deleted one is gone, and the others stay", func(t *testing.T) {
		c.with(m, func(s *session.Session) {
			if err := cart.Delete(ctx, s); err != nil {
				t.Error(err)
			}
			if _, ok := cart.Get(s); ok {
				t.Error("it is still there")
			}
		})
		c.with(m, func(s *session.Session) {
			_, gone := cart.Get(s)
			_, stays := color.Get(s)
			if gone || !stays {
				t.Error(gone, stays)
			}
		})
	})
	t.Run("a session without them is not too large by one that is", func(t *testing.T) {
		c.with(m, func(s *session.Session) {
			if err := color.Set(ctx, s, strings.Repeat("x", session.MaxSessionBytes)); err != session.ErrTooLarge {
				t.Errorf("Set: %v", err)
			}
			if v, _ := color.Get(s); v != "blue" {
				t.Error(v)
			}
		})
	})
	t.Run("what JSON cannot say is refused", func(t *testing.T) {
		c.with(m, func(s *session.Session) {
			if err := session.NewKey[func()]("f").Set(ctx, s, func() {}); err == nil {
				t.Error("it was set")
			}
		})
	})
	t.Run("without a session there are none", func(t *testing.T) {
		if _, ok := color.Get(nil); ok || color.Set(ctx, nil, "") != session.ErrEnded || color.Delete(ctx, nil) != session.ErrEnded {
			t.Error("there are")
		}
	})
	t.Run("a name is 1 to 64 bytes", func(t *testing.T) {
		for _, name := range []string{"", strings.Repeat("a", 65)} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%q is one", name)
					}
				}()
				session.NewKey[int](name)
			}()
		}
	})
	t.Run("a full disk is told", func(t *testing.T) {
		store.is(full)
		defer store.is(well)
		c.with(m, func(s *session.Session) {
			err := color.Set(ctx, s, "green")
			if _, away := errors.AsType[*session.Unavailable](err); !away {
				t.Errorf("Set: %v", err)
			}
			if v, _ := color.Get(s); v != "blue" {
				t.Errorf("%q is taken for kept", v)
			}
		})
	})
}

func TestValuesAtOnce(t *testing.T) {
	t.Run("several keys are all kept", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		c.signIn(m, "ada")
		var all sync.WaitGroup
		names := []string{"a", "b", "c", "d"}
		for _, name := range names {
			all.Go(func() {
				(&client{t: t, cookie: c.cookie}).with(m, func(s *session.Session) {
					if err := session.NewKey[string](name).Set(context.Background(), s, name); err != nil {
						t.Error(err)
					}
				})
			})
		}
		all.Wait()
		c.with(m, func(s *session.Session) {
			for _, name := range names {
				if v, ok := session.NewKey[string](name).Get(s); !ok || v != name {
					t.Errorf("%s is %q", name, v)
				}
			}
		})
	})
	t.Run("a session that was signed out meanwhile takes none", func(t *testing.T) {
		store := session.NewMemory()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "ada")
		c.with(m, func(s *session.Session) {
			if err := m.EndOne(context.Background(), "ada", s.ID()); err != nil {
				t.Fatal(err)
			}
			if err := color.Set(context.Background(), s, "red"); err != session.ErrEnded {
				t.Errorf("Set: %v", err)
			}
			if err := s.Flash(context.Background(), "info", "x"); err != session.ErrEnded {
				t.Errorf("Flash: %v", err)
			}
		})
		if left := records(t, store, "session"); len(left) != 0 {
			t.Errorf("it is back: %v", left)
		}
	})
}

func TestValuesAtBegin(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name, before, after string
		kept                bool
	}{
		{"those of nobody's session go with it into the member's", "", "ada", true},
		{"those of the same member stay", "ada", "ada", true},
		{"those of another member do not", "ada", "bob", false},
		{"those of a member do not come to nobody", "ada", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, who := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
			who.signIn(m, c.before)
			who.with(m, func(s *session.Session) {
				if err := errors.Join(color.Set(ctx, s, "red"), s.Flash(ctx, "info", "welcome")); err != nil {
					t.Error(err)
				}
			})
			who.signIn(m, c.after)
			who.with(m, func(s *session.Session) {
				_, kept := color.Get(s)
				flashes, err := s.Flashes(ctx)
				if kept != c.kept || (len(flashes) == 1) != c.kept || err != nil {
					t.Error(kept, flashes, err)
				}
			})
		})
	}
}

func TestFlash(t *testing.T) {
	ctx := context.Background()
	m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
	c.signIn(m, "ada")
	leave := func(n int) {
		c.with(m, func(s *session.Session) {
			for i := range n {
				if err := s.Flash(ctx, "info", strings.Repeat("x", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("is shown once, in order", func(t *testing.T) {
		leave(2)
		c.with(m, func(s *session.Session) {
			got, err := s.Flashes(ctx)
			if err != nil || len(got) != 2 || got[0] != (session.Flash{Kind: "info"}) || got[1].Text != "x" {
				t.Error(got, err)
			}
			if again, err := s.Flashes(ctx); err != nil || again != nil {
				t.Error(again, err)
			}
		})
		c.with(m, func(s *session.Session) {
			if got, err := s.Flashes(ctx); err != nil || got != nil {
				t.Error(got, err)
			}
		})
	})
	t.Run("is shown to one of many who ask at once", func(t *testing.T) {
		leave(1)
		var all sync.WaitGroup
		var mu sync.Mutex
		shown := 0
		for range 8 {
			all.Go(func() {
				(&client{t: t, cookie: c.cookie}).with(m, func(s *session.Session) {
					got, err := s.Flashes(ctx)
					if err != nil && err != session.ErrConflict {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					shown += len(got)
				})
			})
		}
		all.Wait()
		if shown != 1 {
			t.Errorf("shown %d times", shown)
		}
	})
	t.Run("waits among sixteen at most", func(t *testing.T) {
		leave(20)
		c.with(m, func(s *session.Session) {
			if got, err := s.Flashes(ctx); err != nil || len(got) != 16 || len(got[15].Text) != 19 {
				t.Error(got, err)
			}
		})
	})
	t.Run("of no session is none", func(t *testing.T) {
		var none *session.Session
		if got, err := none.Flashes(ctx); got != nil || err != nil || none.Flash(ctx, "", "") != session.ErrEnded {
			t.Error(got, err)
		}
	})
}

// A change of a session that was ended with all others is told so.
func TestChangeAfterEndAll(t *testing.T) {
	m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
	c.signIn(m, "ada")
	c.ask(m, func(now *session.Current) {
		s, _ := now.Session()
		epoch, _ := session.NewEpoch("ada")
		if err := m.Store().Apply(context.Background(), epoch); err != nil {
			t.Fatal(err)
		}
		if err := color.Set(context.Background(), s, "red"); err != session.ErrEnded {
			t.Errorf("Set: %v", err)
		}
		if err := s.Flash(context.Background(), "note", "x"); err != session.ErrEnded {
			t.Errorf("Flash: %v", err)
		}
	})
}
