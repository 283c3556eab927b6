package session_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// two are two processes on one store, each with its own way there.
func two(t *testing.T, each func(here, there *session.Manager, hereStore, thereStore *moodyStore)) {
	synctest.Test(t, func(t *testing.T) {
		memory := session.NewMemory()
		a, b := &moodyStore{Store: memory}, &moodyStore{Store: memory}
		here, there := manager(t, session.Config{Store: a}), manager(t, session.Config{Store: b})
		run(t, here)
		run(t, there)
		each(here, there, a, b)
	})
}

func TestRemembered(t *testing.T) {
	two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
		c := &client{t: t}
		c.signIn(here, "ada")
		c.is(here, "ada") // from the store
		time.Sleep(feedTold)
		c.is(here, "ada") // its beginning was told meanwhile
		before := store.gets.Load()
		for range 100 {
			c.is(here, "ada")
		}
		if got := store.gets.Load() - before; got != 0 {
			t.Errorf("the store was asked %d times", got)
		}
		if f := here.Figures(); f.FromMemory != 100 || f.Remembered != 1 || f.Begun != 1 || f.FromStore != 2 {
			t.Errorf("%+v", f)
		}
	})
}

// feedTold is in which time a process has heard of every change.
const feedTold = 300 * time.Millisecond

func TestNobodyIsRemembered(t *testing.T) {
	two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
		c := &client{t: t, cookie: madeUp()}
		c.is(here, "nobody")
		before := store.gets.Load()
		c.is(here, "nobody")
		if store.gets.Load() != before {
			t.Error("the store was asked again")
		}
		store.is(hangs)
		time.Sleep(time.Second)
		c.is(here, "unavailable") // no longer than the feed allows
	})
}

// In each of these a session ends on one process; the other has it in memory and must know
// within a second, whatever its store does meanwhile.
func TestEndsElsewhere(t *testing.T) {
	ways := map[string]func(c *client, m *session.Manager) error{
		"a sign-out":            func(c *client, m *session.Manager) error { return c.signOut(m) },
		"a sign-out everywhere": func(c *client, m *session.Manager) error { return m.EndAll(context.Background(), "ada") },
		"a change of password": func(c *client, m *session.Manager) error {
			epoch, _ := m.NewEpoch("ada")
			return m.Store().Apply(context.Background(), session.Change{Key: "member/ada", Value: []byte("{}")}, epoch)
		},
		"a removal": func(c *client, m *session.Manager) error {
			return m.Store().Apply(context.Background(), session.Change{Key: "subject/ada"})
		},
	}
	for way, end := range ways {
		for name, m := range map[string]mood{"well": well, "hanging": hangs, "failing": fails} {
			t.Run(way+" holds at once here and within a second on a process whose store is "+name, func(t *testing.T) {
				two(t, func(here, there *session.Manager, _, thereStore *moodyStore) {
					c := &client{t: t}
					c.signIn(here, "ada")
					everywhere := &client{t: t, cookie: c.cookie}
					c.is(here, "ada")
					time.Sleep(feedTold)
					everywhere.is(here, "ada")
					everywhere.is(there, "ada")
					everywhere.is(there, "ada")
					thereStore.is(m)
					if err := end(c, here); err != nil {
						t.Fatal(err)
					}
					everywhere.is(here, "nobody")
					time.Sleep(time.Second - 100*time.Millisecond)
					if got := everywhere.who(there); got == "ada" || m == well && got != "nobody" {
						t.Errorf("%s after a second", got)
					}
					thereStore.is(well)
					time.Sleep(time.Second)
					everywhere.is(there, "nobody")
				})
			})
		}
	}
}

func TestStoreAway(t *testing.T) {
	for name, away := range map[string]mood{"hangs": hangs, "fails": fails} {
		t.Run("that "+name+" adds 100 ms at most, is left alone, and is back within a second", func(t *testing.T) {
			two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
				c := &client{t: t}
				c.signIn(here, "ada")
				c.is(here, "ada")
				time.Sleep(feedTold)
				c.is(here, "ada")
				store.is(away)
				time.Sleep(time.Second)
				before := store.gets.Load()
				for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
					var all sync.WaitGroup
					for range 8 {
						all.Go(func() {
							asked := time.Now()
							(&client{t: t, cookie: c.cookie}).is(here, "unavailable")
							if took := time.Since(asked); took > 100*time.Millisecond {
								t.Errorf("it took %v", took)
							}
						})
					}
					all.Wait()
				}
				if got := store.gets.Load() - before; got > 30 {
					t.Errorf("it was asked %d times in 5 s", got)
				}
				if f := here.Figures(); f.Refused == 0 || f.StoreErrors == 0 {
					t.Errorf("%+v", f)
				}
				store.is(well)
				time.Sleep(time.Second - 200*time.Millisecond)
				c.is(here, "ada")
				time.Sleep(feedTold)
				asked := store.gets.Load()
				c.is(here, "ada")
				if store.gets.Load() != asked {
					t.Error("memory is not trusted again")
				}
			})
		})
	}
	t.Run("for less than half a second is not noticed by who is remembered", func(t *testing.T) {
		two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
			c := &client{t: t}
			c.signIn(here, "ada")
			time.Sleep(feedTold)
			c.is(here, "ada")
			store.is(hangs)
			time.Sleep(450 * time.Millisecond)
			c.is(here, "ada")
		})
	})
	t.Run("with a full disk sessions are read and changes refused", func(t *testing.T) {
		two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
			c := &client{t: t}
			c.signIn(here, "ada")
			store.is(full)
			for range 10 {
				c.is(here, "ada")
				if _, away := errors.AsType[*session.Unavailable](c.signOut(here)); !away {
					t.Fatal("not unavailable")
				}
				time.Sleep(300 * time.Millisecond)
			}
			store.is(well)
			time.Sleep(time.Second)
			if err := c.signOut(here); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("that hangs holds up no sign-in for long", func(t *testing.T) {
		two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
			c := &client{t: t}
			store.is(hangs)
			asked := time.Now()
			res := c.ask(here, func(now *session.Current) {
				_, err := now.Begin("ada")
				if away, ok := errors.AsType[*session.Unavailable](err); !ok || away.RetryAfter <= 0 || err.Error() != "session: the store does not answer" {
					t.Errorf("Begin: %v", err)
				}
			})
			if took := time.Since(asked); took > 100*time.Millisecond || res.Get("Set-Cookie") != "" {
				t.Errorf("it took %v, cookie %q", took, res.Get("Set-Cookie"))
			}
		})
	})
}

func TestRun(t *testing.T) {
	// asks is how often the store is asked for one request.
	asks := func(c *client, m *session.Manager, store *moodyStore) int64 {
		before := store.gets.Load()
		c.is(m, "ada")
		return store.gets.Load() - before
	}
	t.Run("without it the store is asked for every request", func(t *testing.T) {
		store := newMoodyStore()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "ada")
		for range 3 {
			if got := asks(c, m, store); got != 2 {
				t.Errorf("it was asked %d times", got)
			}
		}
	})
	t.Run("runs once at a time, and leaves nothing that could be believed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMoodyStore()
			m, c := manager(t, session.Config{Store: store}), &client{t: t}
			c.signIn(m, "ada")
			for range 2 {
				ctx, cancel := context.WithCancel(t.Context())
				ran := make(chan error, 1)
				go func() { ran <- m.Run(ctx) }()
				synctest.Wait()
				if err := m.Run(ctx); err != session.ErrRunning {
					t.Errorf("a second Run: %v", err)
				}
				if first, then := asks(c, m, store), asks(c, m, store); first != 2 || then != 0 {
					t.Errorf("asked %d times, then %d", first, then)
				}
				cancel()
				if err := <-ran; err != nil {
					t.Error(err)
				}
				if n, got := m.Figures().Remembered, asks(c, m, store); n != 0 || got != 2 {
					t.Errorf("%d are remembered, %d questions", n, got)
				}
			}
		})
	})
}

// lostStore tells once that its changes were lost, when it is told to.
type lostStore struct {
	*moodyStore
	lose atomic.Bool
}

func (s *lostStore) Changes(ctx context.Context, since session.Cursor) (session.Changes, error) {
	changes, err := s.moodyStore.Changes(ctx, since)
	if s.lose.CompareAndSwap(true, false) {
		changes.Lost, changes.Keys = true, nil
	}
	return changes, err
}

func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lostStore{moodyStore: newMoodyStore()}
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		run(t, m)
		c.signIn(m, "ada")
		time.Sleep(feedTold)
		c.is(m, "ada")
		if err := store.Store.Apply(t.Context(), session.Change{Key: "subject/ada", Quiet: true}); err != nil {
			t.Fatal(err)
		}
		c.is(m, "ada") // nobody told
		store.lose.Store(true)
		time.Sleep(feedTold)
		c.is(m, "nobody")
	})
}

// A flood of made-up cookies takes a bounded part of the store, and nothing that is remembered.
func TestFlood(t *testing.T) {
	two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
		c := &client{t: t}
		c.signIn(here, "ada")
		time.Sleep(feedTold)
		c.is(here, "ada")
		store.slow.Store(int64(10 * time.Millisecond))
		var all sync.WaitGroup
		for range 2000 {
			all.Go(func() {
				if got := (&client{t: t, cookie: madeUp()}).who(here); got != "nobody" && got != "unavailable" {
					t.Errorf("it is %s", got)
				}
			})
		}
		all.Wait()
		if most := store.most.Load(); most > 64 {
			t.Errorf("%d questions at once", most)
		}
		before := store.gets.Load()
		c.is(here, "ada")
		if store.gets.Load() != before {
			t.Error("the member was forgotten")
		}
	})
}

// One cookie that many requests bring at once is one question.
func TestSingleFlight(t *testing.T) {
	two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
		c := &client{t: t}
		c.signIn(here, "ada")
		store.slow.Store(int64(10 * time.Millisecond))
		before := store.gets.Load()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { (&client{t: t, cookie: c.cookie}).is(here, "ada") })
		}
		all.Wait()
		if got := store.gets.Load() - before; got != 2 { // the session and its subject
			t.Errorf("%d questions", got)
		}
	})
}

// slowEpochs takes its time to tell a subject's epoch.
type slowEpochs struct{ *moodyStore }

func (s slowEpochs) Get(ctx context.Context, key string) (session.Record, error) {
	if strings.HasPrefix(key, "subject/") {
		time.Sleep(5 * time.Millisecond)
	}
	return s.moodyStore.Get(ctx, key)
}

// A session that began under a new epoch meets a process that remembers the old one.
func TestOldEpochIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := session.NewMemory()
		here := manager(t, session.Config{Store: slowEpochs{&moodyStore{Store: memory}}})
		there := manager(t, session.Config{Store: session.Another(memory)})
		run(t, here)
		run(t, there)
		c := &client{t: t}
		c.signIn(here, "ada")
		time.Sleep(feedTold)
		c.is(here, "ada")
		epoch, _ := there.NewEpoch("ada")
		c.signIn(there, "ada", epoch)
		tab, out, after := *c, *c, *c
		first := make(chan struct{})
		go func() { defer close(first); c.is(here, "ada") }()
		time.Sleep(time.Millisecond) // it has the session by now, and asks for the epoch
		tab.is(here, "ada")
		if err := out.signOut(here); err != nil {
			t.Error(err)
		}
		<-first
		time.Sleep(time.Second)
		after.is(here, "nobody")
		after.is(there, "nobody")
	})
}

// One that was ended by its epoch costs the store no question for each request.
func TestEndedByEpochIsRemembered(t *testing.T) {
	two(t, func(here, there *session.Manager, store, _ *moodyStore) {
		c := &client{t: t}
		c.signIn(here, "ada")
		c.is(here, "ada")
		if err := there.EndAll(context.Background(), "ada"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(feedTold)
		c.is(here, "nobody")
		before := store.gets.Load()
		c.is(here, "nobody")
		if got := store.gets.Load() - before; got != 0 {
			t.Errorf("the store was asked %d times", got)
		}
	})
}
