package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// seen is the last-seen time that the store has of the one session in it.
func seen(t *testing.T, s session.Store) time.Time {
	t.Helper()
	all := records(t, s, "session/")
	if len(all) != 1 {
		t.Fatalf("%d sessions", len(all))
	}
	var r struct{ Seen time.Time }
	if err := json.Unmarshal(all[0].Value, &r); err != nil {
		t.Fatal(err)
	}
	return r.Seen
}

func TestLastSeen(t *testing.T) {
	t.Run("is written once a minute at most, quietly, for the page too", func(t *testing.T) {
		two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
			c := &client{t: t}
			c.signIn(here, "ada")
			store.made()
			for range 300 {
				time.Sleep(time.Second)
				c.is(here, "ada")
			}
			time.Sleep(time.Minute)
			made := store.made()
			if len(made) < 4 || len(made) > 5 {
				t.Errorf("%d changes in five minutes", len(made))
			}
			for _, changes := range made {
				if len(changes) != 2 || !changes[0].Quiet || !changes[1].Quiet {
					t.Errorf("%v", changes)
				}
			}
			all, err := here.List(context.Background(), "ada")
			if err != nil || len(all) != 1 || !all[0].Seen.Equal(seen(t, store)) || time.Since(all[0].Seen) > 3*time.Minute {
				t.Error(all, err)
			}
		})
	})
	t.Run("of many is written a hundred at a time", func(t *testing.T) {
		two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
			clients := make([]client, 250)
			for i := range clients {
				clients[i].t = t
				clients[i].signIn(here, fmt.Sprint("member", i))
			}
			time.Sleep(2*time.Minute + 500*time.Millisecond) // between two rounds
			store.made()
			for i := range clients {
				clients[i].is(here, fmt.Sprint("member", i))
			}
			time.Sleep(2 * time.Second)
			if made := store.made(); len(made) != 3 {
				t.Errorf("%d Applies", len(made))
			}
		})
	})
	t.Run("is written when Run ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMoodyStore()
			m, c := manager(t, session.Config{Store: store}), &client{t: t}
			c.signIn(m, "ada")
			time.Sleep(2 * time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			ran := make(chan error, 1)
			go func() { ran <- m.Run(ctx) }()
			synctest.Wait()
			c.is(m, "ada")
			cancel()
			if err := <-ran; err != nil || !seen(t, store).Equal(time.Now().Truncate(time.Millisecond)) {
				t.Errorf("%v, seen %v", err, seen(t, store))
			}
		})
	})
	t.Run("keeps no Run that is to end for more than a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMoodyStore()
			m, c := manager(t, session.Config{Store: store}), &client{t: t}
			c.signIn(m, "ada")
			time.Sleep(2 * time.Minute)
			c.is(m, "ada")
			store.is(hangs)
			ctx, cancel := context.WithCancel(t.Context())
			ran := make(chan error, 1)
			go func() { ran <- m.Run(ctx) }()
			time.Sleep(time.Minute)
			cancel()
			asked := time.Now()
			if err := <-ran; err != nil || time.Since(asked) > time.Second+100*time.Millisecond {
				t.Errorf("%v after %v", err, time.Since(asked))
			}
		})
	})
	t.Run("is written after the store's return", func(t *testing.T) {
		two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
			c := &client{t: t}
			c.signIn(here, "ada")
			time.Sleep(2 * time.Minute)
			c.is(here, "ada")
			at := time.Now()
			store.is(fails)
			time.Sleep(2 * time.Minute)
			store.is(well)
			time.Sleep(2 * time.Second)
			if got := seen(t, store); !got.Equal(at.Truncate(time.Millisecond)) {
				t.Errorf("seen %v, want %v", got, at)
			}
		})
	})
}

// A last-seen time meets changes by others: it must never write over them.
func TestLastSeenGivesWay(t *testing.T) {
	// inBetween runs other right before the first Apply of a last-seen time.
	inBetween := func(store *moodyStore, other func()) {
		done := false
		store.beforeApply = func(changes []session.Change) {
			if !done && changes[0].Quiet {
				done = true
				other()
			}
		}
	}
	t.Run("to a sign-out", func(t *testing.T) {
		two(t, func(here, there *session.Manager, store, _ *moodyStore) {
			c, other := &client{t: t}, &client{t: t}
			c.signIn(here, "ada")
			other.signIn(here, "bob")
			inBetween(store, func() {
				if err := (&client{t: t, cookie: c.cookie}).signOut(there); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(2 * time.Minute)
			c.is(here, "ada")
			other.is(here, "bob")
			at := time.Now()
			time.Sleep(2 * time.Second)
			c.is(here, "nobody")
			c.is(there, "nobody")
			if !seen(t, store).Equal(at.Truncate(time.Millisecond)) {
				t.Error("the other's was not written")
			}
		})
	})
	t.Run("to a value", func(t *testing.T) {
		two(t, func(here, there *session.Manager, store, _ *moodyStore) {
			c := &client{t: t}
			c.signIn(here, "ada")
			inBetween(store, func() {
				c.ask(there, func(now *session.Current) {
					s, _ := now.Session()
					if err := color.Set(context.Background(), s, "red"); err != nil {
						t.Error(err)
					}
				})
			})
			time.Sleep(2 * time.Minute)
			c.is(here, "ada")
			time.Sleep(2 * time.Second)
			c.ask(here, func(now *session.Current) {
				s, _ := now.Session()
				if got, _ := color.Get(s); got != "red" {
					t.Errorf("the value is %q", got)
				}
			})
		})
	})
}

// A session as large as it may be meets times that take more digits than the first.
func TestLastSeenOfTheLargest(t *testing.T) {
	two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
		large, other := &client{t: t}, &client{t: t}
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // no digits
		large.signIn(here, "ada")
		large.ask(here, func(now *session.Current) {
			s, _ := now.Session()
			for n := session.MaxSessionBytes; ; n-- {
				err := color.Set(context.Background(), s, strings.Repeat("x", n))
				if err == nil {
					break
				}
				if !errors.Is(err, session.ErrTooLarge) {
					t.Fatal(err)
				}
			}
		})
		other.signIn(here, "bob")
		for range 3 {
			time.Sleep(2*time.Minute + 123*time.Millisecond)
			store.made()
			large.is(here, "ada")
			other.is(here, "bob")
			time.Sleep(2 * time.Second)
			changed := map[string]bool{}
			for _, changes := range store.made() {
				for _, c := range changes {
					changed[c.Key] = true
				}
			}
			if len(changed) != 4 {
				t.Errorf("%d records were written, want both sessions and their lines", len(changed))
			}
		}
		large.ask(here, func(now *session.Current) {
			if _, err := now.Rotate(); err != nil {
				t.Errorf("Rotate: %v", err)
			}
			if s, _ := now.Session(); color.Delete(context.Background(), s) != nil {
				t.Error("the value cannot be removed")
			}
		})
	})
}

// A visit that no store would take keeps no other from being written.
func TestLastSeenOfWhatCannotBeWritten(t *testing.T) {
	two(t, func(here, _ *session.Manager, store, _ *moodyStore) {
		broken, other := &client{t: t}, &client{t: t}
		broken.signIn(here, "ada")
		all := records(t, store, "session/")
		text := strings.Replace(string(all[0].Value), `"agent"`, `"x"`, 1)
		text = strings.TrimSuffix(text, "}") + `,"agent":"` + strings.Repeat("<", session.MaxValueBytes/2) + `"}` // '<' is written as six bytes
		if err := store.Apply(context.Background(), session.Change{Key: all[0].Key, Value: []byte(text), Expires: all[0].Expires}); err != nil {
			t.Fatal(err)
		}
		other.signIn(here, "bob")
		time.Sleep(2*time.Minute + 500*time.Millisecond)
		store.made()
		broken.is(here, "ada")
		other.is(here, "bob")
		time.Sleep(2 * time.Second)
		if made := store.made(); len(made) != 1 || len(made[0]) != 2 {
			t.Errorf("%d Applies, want the other's", len(made))
		}
	})
}
