package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

func TestBegin(t *testing.T) {
	t.Run("the cookie is for this host, over TLS, without scripts and with same-site posts alone", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		res := c.ask(m, func(now *session.Current) {
			if _, err := now.Begin("ada"); err != nil {
				t.Error(err)
			}
		})
		value, attributes, _ := strings.Cut(strings.TrimPrefix(res.Get("Set-Cookie"), "__Host-session="), ";")
		if token, err := base64.RawURLEncoding.DecodeString(value); err != nil || len(token) != 32 || len(value) != 43 {
			t.Errorf("the value %q is not 32 bytes: %v", value, err)
		}
		if attributes != " Path=/; Max-Age=7776000; Secure; HttpOnly; SameSite=Lax" {
			t.Errorf("attributes %q", attributes)
		}
		c.is(m, "ada")
	})
	t.Run("the store never sees the token", func(t *testing.T) {
		store := session.NewMemory()
		m, c := manager(t, session.Config{Store: store, CookieName: "s"}), &client{t: t}
		c.signIn(m, "ada")
		value := strings.TrimPrefix(c.cookie, "__Host-s=")
		token, _ := base64.RawURLEncoding.DecodeString(value)
		all := records(t, store, "")
		if len(all) != 3 { // session, its line, the subject
			t.Errorf("%d records", len(all))
		}
		for _, r := range all {
			if strings.Contains(r.Key, value) || bytes.Contains(r.Value, []byte(value)) || bytes.Contains(r.Value, token) {
				t.Errorf("%s has the token", r.Key)
			}
		}
	})
	t.Run("a token is another each time, and the one before is over", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		c.signIn(m, "ada")
		before := &client{t: t, cookie: c.cookie}
		c.signIn(m, "ada")
		if c.cookie == before.cookie {
			t.Error("the token stayed")
		}
		c.is(m, "ada")
		before.is(m, "nobody")
	})
	t.Run("the new session, the end of the old one and further changes are one Apply", func(t *testing.T) {
		store := newMoodyStore()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "ada")
		store.made()
		c.signIn(m, "ada", session.Change{Key: "member/ada", Value: []byte("{}")})
		made := store.made()
		if len(made) != 1 || len(made[0]) != 5 {
			t.Errorf("changes %v", made)
		}
	})
	t.Run("two in one response send one cookie", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		c.signIn(m, "ada")
		res := c.ask(m, func(now *session.Current) {
			err := now.EndAll("ada")
			_, again := now.Begin("ada")
			_, more := now.Begin("ada")
			if err = errors.Join(err, again, more); err != nil {
				t.Error(err)
			}
		})
		if got := res.Values("Set-Cookie"); len(got) != 1 {
			t.Errorf("cookies %q", got)
		}
		c.is(m, "ada")
		if all, err := m.List(context.Background(), "ada"); err != nil || len(all) != 1 {
			t.Errorf("%d sessions, %v", len(all), err)
		}
	})
	t.Run("the same session is there in the request that began it", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		c.ask(m, func(now *session.Current) {
			begun, err := now.Begin("ada")
			if s, err2 := now.Session(); err != nil || err2 != nil || s != begun {
				t.Error(s, err, err2)
			}
		})
	})
	t.Run("many at once for one new subject all succeed", func(t *testing.T) {
		m := manager(t, session.Config{Store: session.NewMemory()})
		clients := make([]client, 8)
		var all sync.WaitGroup
		for i := range clients {
			clients[i].t = t
			all.Go(func() { clients[i].signIn(m, "ada") })
		}
		all.Wait()
		for i := range clients {
			clients[i].is(m, "ada")
		}
	})
	t.Run("what agents call themselves is cut to text of 256 bytes", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		c.send(m, func(w *http1.Response, r *http1.Request) {
			s, err := session.From(r).Begin("ada")
			if err != nil || s.Agent() != "M\u00e9"+strings.Repeat("x", 251) {
				t.Error(s.Agent(), err)
			}
		}, "User-Agent", "M\u00e9\xff\t"+strings.Repeat("x", 300)+"\u00e9")
	})
}

func TestBeginRefuses(t *testing.T) {
	beginner := func(subject string, want error) func(now *session.Current) {
		return func(now *session.Current) {
			if _, err := now.Begin(subject); !errors.Is(err, want) || err == nil {
				panic(http1.ErrAbort)
			}
		}
	}
	t.Run("plain HTTP", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t, plain: true}
		if res := c.ask(m, beginner("ada", session.ErrInsecure)); res.Get("Set-Cookie") != "" {
			t.Error("a cookie was set")
		}
	})
	t.Run("a response that is on its way", func(t *testing.T) {
		store := newMoodyStore()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.send(m, func(w *http1.Response, r *http1.Request) {
			if err := w.Flush(); err != nil {
				t.Error(err)
			}
			beginner("ada", http1.ErrCommitted)(session.From(r))
			if err := session.From(r).End(); err != http1.ErrCommitted {
				t.Errorf("End: %v", err)
			}
		})
		if store.applies.Load() != 0 {
			t.Error("the store was told")
		}
	})
	t.Run("a request without a Manager", func(t *testing.T) {
		http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			now := session.From(r)
			s, err := now.Session()
			_, begin := now.Begin("ada")
			if now != nil || s != nil || err != nil || begin != session.ErrNotAttached || now.End() != session.ErrNotAttached || now.Manager() != nil {
				t.Error(now, s, err, begin)
			}
		}), http1test.Request{Secure: true})
	})
	t.Run("a handler that has returned", func(t *testing.T) {
		m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
		var kept *session.Current
		c.ask(m, func(now *session.Current) { kept = now })
		if _, err := kept.Begin("ada"); err != session.ErrNotAttached {
			t.Errorf("Begin: %v", err)
		}
		if s, err := kept.Session(); s != nil || err != nil {
			t.Error(s, err)
		}
	})
	for name, subject := range map[string]string{
		"a slash": "a/b", "a line end": "a\nb", "broken UTF-8": "a\xff", "257 bytes": strings.Repeat("a", 257), "a C1 control": "a\u0085",
	} {
		t.Run("a subject with "+name, func(t *testing.T) {
			m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
			c.ask(m, func(now *session.Current) {
				if _, err := now.Begin(subject); err == nil {
					t.Error("it began")
				}
				if err := now.EndAll(subject); err == nil {
					t.Error("it ended")
				}
			})
		})
	}
	t.Run("what another change expects in vain", func(t *testing.T) {
		store := session.NewMemory()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "ada", session.Change{Key: "member/ada", Value: []byte("1"), If: session.Absent()})
		before := c.cookie
		c.ask(m, func(now *session.Current) {
			if _, err := now.Begin("ada", session.Change{Key: "member/ada", Value: []byte("2"), If: session.Absent()}); err != session.ErrConflict {
				t.Errorf("Begin: %v", err)
			}
		})
		if c.cookie != before {
			t.Error("the cookie changed")
		}
		c.is(m, "ada")
	})
}

func TestBeginUnderNewEpoch(t *testing.T) {
	m, here, there := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}, &client{t: t}
	here.signIn(m, "ada")
	there.signIn(m, "ada")
	t.Run("a change of password in the same Apply ends all others", func(t *testing.T) {
		epoch, _ := m.NewEpoch("ada")
		here.signIn(m, "ada", epoch)
		here.is(m, "ada")
		there.is(m, "nobody")
	})
	t.Run("and so does one before", func(t *testing.T) {
		there.signIn(m, "ada")
		epoch, _ := session.NewEpoch("ada")
		if err := m.Store().Apply(context.Background(), epoch); err != nil {
			t.Fatal(err)
		}
		there.is(m, "nobody")
		here.is(m, "nobody")
		here.signIn(m, "ada")
		here.is(m, "ada")
	})
	t.Run("one that removes the subject begins nothing", func(t *testing.T) {
		here.ask(m, func(now *session.Current) {
			if s, err := now.Begin("ada", session.Change{Key: "subject/ada"}); err == nil {
				t.Errorf("it began: %v", s)
			}
		})
	})
	t.Run("without its subject's record a session is over", func(t *testing.T) {
		if err := m.Store().Apply(context.Background(), session.Change{Key: "subject/ada"}); err != nil {
			t.Fatal(err)
		}
		here.is(m, "nobody")
		if all, err := m.List(context.Background(), "ada"); err != nil || len(all) != 0 {
			t.Errorf("%d sessions, %v", len(all), err)
		}
	})
}

func TestRotate(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond) // the store has its own clock
	m, c := manager(t, session.Config{Store: session.NewMemory(), Now: func() time.Time { return now }, Lifetime: 24 * time.Hour, IdleTimeout: 24 * time.Hour}), &client{t: t}
	t.Run("without a session there is nothing to rotate", func(t *testing.T) {
		c.ask(m, func(now *session.Current) {
			if _, err := now.Rotate(); err != session.ErrEnded {
				t.Errorf("Rotate: %v", err)
			}
		})
	})
	t.Run("the token is another and the end the same", func(t *testing.T) {
		c.signIn(m, "ada")
		old, began := &client{t: t, cookie: c.cookie}, now
		now = now.Add(time.Hour)
		res := c.ask(m, func(current *session.Current) {
			s, err := current.Rotate()
			if err != nil || !s.Began().Equal(began) || !s.Ends().Equal(began.Add(24*time.Hour)) || !s.Seen().Equal(now) {
				t.Error(s, err)
			}
		})
		if !strings.Contains(res.Get("Set-Cookie"), "Max-Age=82800;") {
			t.Errorf("cookie %q", res.Get("Set-Cookie"))
		}
		old.is(m, "nobody")
		c.is(m, "ada")
	})
	t.Run("one that was signed out meanwhile stays so", func(t *testing.T) {
		c.ask(m, func(now *session.Current) {
			s, _ := now.Session()
			if err := m.EndOne(context.Background(), "ada", s.ID()); err != nil {
				t.Fatal(err)
			}
			if _, err := now.Rotate(); err != session.ErrEnded {
				t.Errorf("Rotate: %v", err)
			}
		})
		c.is(m, "nobody")
	})
}

// What ended every session of the subject is not undone by one of them.
func TestRotateAfterEndAll(t *testing.T) {
	epoch, _ := session.NewEpoch("ada")
	ends := map[string]func(m *session.Manager) error{
		"a sign-out everywhere": func(m *session.Manager) error { return m.EndAll(context.Background(), "ada") },
		"a new epoch":           func(m *session.Manager) error { return m.Store().Apply(context.Background(), epoch) },
		"a removal": func(m *session.Manager) error {
			return m.Store().Apply(context.Background(), session.Change{Key: "subject/ada"})
		},
	}
	for name, end := range ends {
		for _, anew := range []bool{false, true} {
			m, c := manager(t, session.Config{Store: session.NewMemory()}), &client{t: t}
			c.signIn(m, "ada")
			c.ask(m, func(now *session.Current) {
				if s, err := now.Session(); s == nil || err != nil {
					t.Fatal(s, err)
				}
				if err := end(m); err != nil {
					t.Fatal(err)
				}
				var with []session.Change
				if anew {
					change, _ := m.NewEpoch("ada")
					with = append(with, change)
				}
				if _, err := now.Rotate(with...); err != session.ErrEnded {
					t.Errorf("%s, a new epoch %v: Rotate: %v", name, anew, err)
				}
			})
			c.is(m, "nobody")
		}
	}
	t.Run("one that comes between the look and the change wins", func(t *testing.T) {
		store := newMoodyStore()
		m, c := manager(t, session.Config{Store: store}), &client{t: t}
		c.signIn(m, "ada")
		between := sync.OnceFunc(func() {
			if err := store.Store.Apply(context.Background(), epoch); err != nil {
				t.Error(err)
			}
		})
		store.beforeApply = func([]session.Change) { between() }
		c.ask(m, func(now *session.Current) {
			change, _ := m.NewEpoch("ada")
			if _, err := now.Rotate(change); err != session.ErrEnded {
				t.Errorf("Rotate: %v", err)
			}
		})
		c.is(m, "nobody")
	})
}
