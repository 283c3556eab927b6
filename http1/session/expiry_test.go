package session_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

const day = 24 * time.Hour

// briefly has minutes for the default's days: each second costs a process four questions.
func briefly(t *testing.T, each func(here, there *session.Manager)) {
	synctest.Test(t, func(t *testing.T) {
		store := session.NewMemory()
		c := session.Config{Store: store, IdleTimeout: 14 * time.Minute, Lifetime: 90 * time.Minute}
		here, there := manager(t, c), manager(t, c)
		run(t, here)
		run(t, there)
		each(here, there)
	})
}

func TestExpiry(t *testing.T) {
	t.Run("a session that is not used ends after the idle time", func(t *testing.T) {
		briefly(t, func(here, there *session.Manager) {
			c := &client{t: t}
			c.signIn(here, "ada")
			time.Sleep(14*time.Minute - time.Second)
			c.is(there, "ada")
			time.Sleep(14*time.Minute - 10*time.Second)
			c.is(here, "ada")
			time.Sleep(14*time.Minute + time.Second)
			c.is(here, "nobody")
			c.is(there, "nobody")
		})
	})
	t.Run("one that is used ends at its absolute end", func(t *testing.T) {
		briefly(t, func(here, _ *session.Manager) {
			c := &client{t: t}
			c.signIn(here, "ada")
			for range 89 {
				time.Sleep(time.Minute)
				c.is(here, "ada")
			}
			time.Sleep(time.Minute - time.Second)
			c.is(here, "ada")
			time.Sleep(time.Second)
			c.is(here, "nobody")
		})
	})
	t.Run("one that is used on one process is alive on another that remembers it unused", func(t *testing.T) {
		briefly(t, func(here, there *session.Manager) {
			c := &client{t: t}
			c.signIn(here, "ada")
			time.Sleep(feedTold)
			c.is(there, "ada")
			for range 20 {
				time.Sleep(time.Minute)
				c.is(here, "ada")
			}
			time.Sleep(2 * time.Second) // until that is written
			c.is(there, "ada")
		})
	})
	t.Run("an idle time of seconds is kept too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m, c := manager(t, session.Config{Store: session.NewMemory(), IdleTimeout: 2 * time.Second}), &client{t: t}
			run(t, m)
			c.signIn(m, "ada")
			for range 20 {
				time.Sleep(1500 * time.Millisecond)
				c.is(m, "ada")
			}
			time.Sleep(2 * time.Second)
			c.is(m, "nobody")
		})
	})
}

// withoutExpiry makes a store forget no record by itself, as if its clock were wrong.
func withoutExpiry(changes []session.Change) {
	for i := range changes {
		changes[i].Expires = time.Time{}
	}
}

func TestClockSetBack(t *testing.T) {
	for name, away := range map[string]time.Duration{"idle": 15 * day, "absolute": 91 * day} {
		t.Run("the "+name+" end is for good", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var shift atomic.Int64
				now := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
				store := newMoodyStore()
				store.beforeApply = withoutExpiry
				m, c := manager(t, session.Config{Store: store, Now: now}), &client{t: t}
				run(t, m)
				c.signIn(m, "ada")
				time.Sleep(feedTold)
				c.is(m, "ada")
				shift.Store(int64(away))
				c.is(m, "nobody")
				shift.Store(0)
				c.is(m, "nobody")
				time.Sleep(2 * time.Second)
				t.Log("another process, which never saw the later time")
				c.is(manager(t, session.Config{Store: store, Now: now}), "nobody")
				if left := records(t, store, "session"); len(left) != 0 {
					t.Errorf("records %v are left", left)
				}
			})
		})
	}
	t.Run("a session that has not ended lives on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var shift atomic.Int64
			store := newMoodyStore()
			m := manager(t, session.Config{Store: store, Now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }})
			run(t, m)
			c, later := &client{t: t}, &client{t: t}
			c.signIn(m, "ada")
			shift.Store(-int64(30 * day))
			c.is(m, "ada")
			later.signIn(m, "bob")
			later.is(m, "bob")
			c.is(m, "ada")
		})
	})
}
