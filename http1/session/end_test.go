package session_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/session"
)

func TestEnd(t *testing.T) {
	t.Run("the record, its line and the cookie go", func(t *testing.T) {
		store := session.NewMemory()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "ada")
		before := &client{t: t, cookie: c.cookie}
		if err := c.signOut(m); err != nil {
			t.Fatal(err)
		}
		if c.cookie != "__Host-session=" || len(records(t, store, "session")) != 0 {
			t.Errorf("cookie %q, records %v", c.cookie, records(t, store, "session"))
		}
		before.is(m, "nobody")
	})
	t.Run("a cookie of no session is cleared and nothing is written", func(t *testing.T) {
		store := newMoodyStore()
		m, c := manager(t, session.Config{Store: store}), &client{t: t, cookie: "__Host-session=" + strings.Repeat("A", 43)}
		if err := c.signOut(m); err != nil || c.cookie != "__Host-session=" || store.applies.Load() != 0 {
			t.Errorf("%v, cookie %q", err, c.cookie)
		}
	})
	for name, how := range map[string]mood{"fails": full, "fails after the change": uncertain} {
		t.Run("where the store "+name+" the client keeps its cookie and is told", func(t *testing.T) {
			store := newMoodyStore()
			m, c := manager(t, session.Config{Store: store}), &client{t: t}
			c.signIn(m, "ada")
			store.is(how)
			for what, end := range map[string]func(now *session.Current) error{
				"End":    func(now *session.Current) error { return now.End() },
				"EndAll": func(now *session.Current) error { return now.EndAll("ada") },
			} {
				res := c.ask(m, func(now *session.Current) {
					before, err := now.Session()
					if err != nil || before == nil {
						return // the first of both was done after all
					}
					if _, away := errors.AsType[*session.Unavailable](end(now)); !away {
						t.Errorf("%s: not unavailable", what)
					}
				})
				if set := res.Get("Set-Cookie"); set != "" {
					t.Errorf("%s: cookie %q", what, set)
				}
			}
			want := map[mood]string{full: "ada", uncertain: "nobody"}[how]
			c.is(m, want)
		})
	}
	t.Run("over plain HTTP no cookie is touched", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		c.signIn(m, "ada")
		plain := &client{t: t, cookie: c.cookie, plain: true}
		if err := plain.signOut(m); err != nil || plain.cookie != c.cookie {
			t.Errorf("%v, cookie %q", err, plain.cookie)
		}
		c.is(m, "ada")
	})
}

func TestEndAll(t *testing.T) {
	m := manager(t, session.Config{Store: session.NewMemory()})
	here, there, other := &client{t: t}, &client{t: t}, &client{t: t}
	here.signIn(m, "ada")
	there.signIn(m, "ada")
	other.signIn(m, "bob")
	here.ask(m, func(now *session.Current) {
		if err := now.EndAll("bob"); err != nil {
			t.Error(err)
		}
	})
	t.Run("of another leaves who asks", func(t *testing.T) {
		here.is(m, "ada")
		other.is(m, "nobody")
	})
	here.ask(m, func(now *session.Current) {
		if err := now.EndAll("ada"); err != nil {
			t.Error(err)
		}
		if s, err := now.Session(); s != nil || err != nil {
			t.Error("the request still has its session")
		}
	})
	t.Run("ends here and there, and clears the cookie", func(t *testing.T) {
		if here.cookie != "__Host-session=" {
			t.Errorf("cookie %q", here.cookie)
		}
		there.is(m, "nobody")
	})
	t.Run("a sign-in afterwards is one", func(t *testing.T) {
		there.signIn(m, "ada")
		there.is(m, "ada")
	})
}

func TestList(t *testing.T) {
	ctx := context.Background()
	m := manager(t, session.Config{Store: session.NewMemory()})
	phone, laptop, other := &client{t: t}, &client{t: t}, &client{t: t}
	begin := func(c *client, subject, agent string) (id string) {
		c.send(m, func(w *http1.Response, r *http1.Request) {
			s, err := session.From(r).Begin(subject)
			if err != nil {
				t.Fatal(err)
			}
			id = s.ID()
		}, "User-Agent", agent)
		return id
	}
	onPhone, onLaptop, others := begin(phone, "ada", "phone"), begin(laptop, "ada", "laptop"), begin(other, "adam", "x")
	t.Run("shows the subject's sessions and nobody else's", func(t *testing.T) {
		all, err := m.List(ctx, "ada")
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		agents := map[string]string{onPhone: "phone", onLaptop: "laptop"}
		for _, i := range all {
			if agents[i.ID] != i.Agent || i.Agent == "" || i.Began.IsZero() || i.Seen.IsZero() || !i.Ends.After(i.Began) {
				t.Errorf("%+v", i)
			}
		}
	})
	t.Run("of nobody known is empty", func(t *testing.T) {
		if all, err := m.List(ctx, "eve"); err != nil || len(all) != 0 {
			t.Error(all, err)
		}
	})
	t.Run("nobody ends another's", func(t *testing.T) {
		for _, id := range []string{others, "", "x", strings.Repeat("0", 64), strings.ToUpper(onPhone), onPhone + "/"} {
			if err := m.EndOne(ctx, "ada", id); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: %v", id, err)
			}
		}
		if err := m.EndOne(ctx, "a/da", onPhone); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		other.is(m, "adam")
		phone.is(m, "ada")
	})
	t.Run("one that is ended is gone from the list, and over", func(t *testing.T) {
		if err := m.EndOne(ctx, "ada", onPhone); err != nil {
			t.Fatal(err)
		}
		phone.is(m, "nobody")
		laptop.is(m, "ada")
		if all, err := m.List(ctx, "ada"); err != nil || len(all) != 1 || all[0].ID != onLaptop {
			t.Error(all, err)
		}
	})
	t.Run("those before a sign-out everywhere are not shown", func(t *testing.T) {
		if err := m.EndAll(ctx, "ada"); err != nil {
			t.Fatal(err)
		}
		again := begin(laptop, "ada", "laptop")
		if all, err := m.List(ctx, "ada"); err != nil || len(all) != 1 || all[0].ID != again {
			t.Error(all, err)
		}
	})
	t.Run("at most 100 are shown", func(t *testing.T) {
		for range 150 {
			begin(&client{t: t}, "eve", "x")
		}
		if all, err := m.List(ctx, "eve"); err != nil || len(all) != 100 {
			t.Error(len(all), err)
		}
	})
	t.Run("few are found behind a thousand that ended", func(t *testing.T) {
		store := session.NewMemory()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "zoe")
		line := records(t, store, "sessions/")[0]
		old := strings.Replace(string(line.Value), `"epoch":"`, `"epoch":"0`, 1)
		for page := range 5 {
			var changes []session.Change
			for i := range 1000 {
				changes = append(changes, session.Change{Key: fmt.Sprintf("sessions/zoe/%064d", page*1000+i), Value: []byte(old)})
			}
			if err := store.Apply(ctx, changes...); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := m.List(ctx, "zoe"); err != nil || len(all) != 1 {
			t.Error(len(all), err)
		}
		for range 2 { // each removes two thousand
			(&client{t: t}).signIn(m, "zoe")
		}
		if all := records(t, store, "sessions/zoe/"); len(all) != 1000 {
			t.Errorf("%d lines are left", len(all))
		}
	})
}

// Ending a session ends what it is rotated to meanwhile.
func TestEndMeetsRotation(t *testing.T) {
	ctx := context.Background()
	for name, end := range map[string]func(c *client, m *session.Manager, id string) error{
		"EndOne": func(_ *client, m *session.Manager, id string) error { return m.EndOne(ctx, "ada", id) },
		"End":    func(c *client, m *session.Manager, _ string) error { return c.signOut(m) },
	} {
		t.Run(name, func(t *testing.T) {
			store := session.NewMemory()
			here, slow := manager(t, session.Config{Store: store}), &moodyStore{Store: store}
			there, c := manager(t, session.Config{Store: slow}), &client{t: t}
			c.signIn(here, "ada")
			var id string
			rotate := func() {
				c.ask(here, func(now *session.Current) {
					s, err := now.Rotate()
					if err != nil {
						t.Fatal(err)
					}
					if id != "" && s.ID() != id {
						t.Errorf("it is another by name: %s, before %s", s.ID(), id)
					}
					id = s.ID()
				})
			}
			rotate()
			tab := *c
			slow.beforeApply = func([]session.Change) {
				slow.beforeApply = nil
				rotate()
				rotate()
			}
			if err := end(&tab, there, id); err != nil {
				t.Fatal(err)
			}
			c.is(here, "nobody")
			if left := records(t, store, "session"); len(left) != 0 {
				t.Errorf("records %v are left", left)
			}
		})
	}
	t.Run("a rotated session has one line, by which it is ended", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		c.signIn(m, "ada")
		c.ask(m, func(now *session.Current) {
			if _, err := now.Rotate(); err != nil {
				t.Fatal(err)
			}
		})
		all, err := m.List(ctx, "ada")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		if err := m.EndOne(ctx, "ada", all[0].ID); err != nil {
			t.Fatal(err)
		}
		c.is(m, "nobody")
	})
}

// lagging is a store that does not know sessions yet.
type lagging struct {
	session.Store
	lags bool
}

func (s *lagging) Get(ctx context.Context, key string) (session.Record, error) {
	if s.lags && strings.HasPrefix(key, "session/") {
		return session.Record{}, fs.ErrNotExist
	}
	return s.Store.Get(ctx, key)
}

func TestEndOfUnknown(t *testing.T) {
	store := &lagging{Store: session.NewMemory()}
	m, c := manager(t, session.Config{Store: store}), &client{t: t}
	c.signIn(m, "ada")
	before := *c
	store.lags = true
	c.ask(m, func(now *session.Current) {
		if s, err := now.Session(); s != nil || err != nil {
			t.Fatal(s, err)
		}
		store.lags = false
		if err := now.End(); err != nil {
			t.Error(err)
		}
	})
	before.is(m, "nobody")
}

func TestTidy(t *testing.T) {
	ctx := context.Background()
	t.Run("a sign-out everywhere leaves no records", func(t *testing.T) {
		store := session.NewMemory()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		for range 50 {
			(&client{t: t}).signIn(m, "ada")
		}
		c.signIn(m, "ada")
		c.ask(m, func(now *session.Current) {
			if _, err := now.Rotate(); err != nil {
				t.Fatal(err)
			}
		})
		if err := m.EndAll(ctx, "ada"); err != nil {
			t.Fatal(err)
		}
		if left := records(t, store, "session"); len(left) != 0 {
			t.Errorf("%d records are left", len(left))
		}
	})
	t.Run("one more than a subject may have ends the one not seen for longest", func(t *testing.T) {
		store := session.NewMemory()
		now := time.Now().Truncate(time.Millisecond)
		m := manager(t, session.Config{Store: store, Now: func() time.Time { return now }})
		clients := make([]client, session.MaxSessions+2)
		for i := range clients {
			now = now.Add(time.Second)
			clients[i].t = t
			clients[i].signIn(m, "ada")
		}
		clients[0].is(m, "nobody")
		clients[1].is(m, "nobody")
		clients[2].is(m, "ada")
		clients[session.MaxSessions+1].is(m, "ada")
		if n := len(records(t, store, "session/")); n != session.MaxSessions {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("a store that fails meanwhile undoes no sign-in", func(t *testing.T) {
		store := noList{session.NewMemory()}
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "ada")
		if err := m.EndAll(ctx, "ada"); err != nil {
			t.Error(err)
		}
	})
}

// noList is a store that cannot list.
type noList struct{ session.Store }

func (noList) List(context.Context, string, string, int) ([]session.Record, error) {
	return nil, errStore
}

func TestValid(t *testing.T) {
	m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
	c.signIn(m, "ada")
	var name string
	c.ask(m, func(now *session.Current) {
		s, err := now.Session()
		if err != nil {
			t.Fatal(err)
		}
		name = s.ID()
	})
	is := func(t *testing.T, id, subject string, want bool) {
		t.Helper()
		if valid, err := m.Valid(id, subject); err != nil || valid != want {
			t.Errorf("%v, %v, want %v", valid, err, want)
		}
	}
	t.Run("a session goes on under its name, for its subject alone", func(t *testing.T) {
		is(t, name, "ada", true)
		is(t, name, "bea", false)
		is(t, "no name", "ada", false)
		is(t, strings.Repeat("0", 64), "ada", false)
	})
	t.Run("also once it is rotated", func(t *testing.T) {
		c.ask(m, func(now *session.Current) {
			if _, err := now.Rotate(); err != nil {
				t.Fatal(err)
			}
		})
		is(t, name, "ada", true)
	})
	t.Run("and no longer once it has ended", func(t *testing.T) {
		if err := c.signOut(m); err != nil {
			t.Fatal(err)
		}
		is(t, name, "ada", false)
	})
}
