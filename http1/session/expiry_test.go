package session_test

import (
	"bytes"
	"log/slog"
	"strings"
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

// shifted is a clock that can be set wrong.
type shifted struct{ by atomic.Int64 }

func (c *shifted) now() time.Time { return time.Now().Add(time.Duration(c.by.Load())) }

func (c *shifted) set(by time.Duration) { c.by.Store(int64(by)) }

// One of two processes has a clock that is ahead for a while.
func TestClockAhead(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"idle": 15 * day, "absolute": 91 * day} {
		t.Run("by more than the "+name+" time signs nobody out for longer", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wrong shifted
				var log bytes.Buffer
				store := newMoodyStore()
				here := manager(t, session.Config{Store: store, Now: wrong.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
				there := manager(t, session.Config{Store: session.Another(store.Store)})
				run(t, here)
				run(t, there)
				c, later := &client{t: t}, &client{t: t}
				c.signIn(here, "ada")
				time.Sleep(feedTold)
				c.is(here, "ada")
				wrong.set(ahead)
				c.is(here, "nobody")
				c.is(there, "ada")
				time.Sleep(3 * time.Second)
				c.is(there, "ada")
				wrong.set(0)
				c.is(here, "ada")
				later.signIn(there, "bob")
				later.is(here, "bob")
				time.Sleep(3 * time.Second)
				c.is(manager(t, session.Config{Store: store}), "ada")
				if got := strings.Count(log.String(), "the clock has jumped"); got != 2 {
					t.Errorf("%d lines: %s", got, &log)
				}
			})
		})
	}
	t.Run("writes visits again once it is mended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var wrong shifted
			store := newMoodyStore()
			m, c := manager(t, session.Config{Store: store, Now: wrong.now}), &client{t: t}
			run(t, m)
			c.signIn(m, "ada")
			time.Sleep(feedTold)
			c.is(m, "ada")
			store.is(full) // so that the wrong time is not written
			wrong.set(day)
			c.is(m, "ada")
			wrong.set(0)
			time.Sleep(2 * time.Minute)
			c.is(m, "ada")
			at := time.Now()
			store.is(well)
			time.Sleep(3 * time.Second)
			if got := seen(t, store); !got.Equal(at.Truncate(time.Millisecond)) {
				t.Errorf("seen %v, want %v", got, at)
			}
		})
	})
}

func TestClockSetBack(t *testing.T) {
	t.Run("a session that has not ended lives on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var shift atomic.Int64
			store := newMoodyStore()
			m := manager(t, session.Config{Store: store, Now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }})
			run(t, m)
			c, later := &client{t: t}, &client{t: t}
			c.signIn(m, "ada")
			shift.Store(-int64(10 * day)) // the store's own clock is right, and the idle time 14 days
			c.is(m, "ada")
			later.signIn(m, "bob")
			later.is(m, "bob")
			c.is(m, "ada")
		})
	})
}
