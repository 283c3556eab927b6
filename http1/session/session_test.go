package session_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

func TestSession(t *testing.T) {
	store := newMoodyStore()
	m, c := manager(t, session.Config{Store: store}), &client{t: t}
	c.signIn(m, "ada")
	t.Run("over plain HTTP none is believed", func(t *testing.T) {
		(&client{t: t, cookie: c.cookie, plain: true}).is(m, "nobody")
	})
	t.Run("unless a trusted proxy ended TLS", func(t *testing.T) {
		h := m.Attach(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			if s, err := session.From(r).Session(); s == nil || err != nil {
				t.Error(s, err)
			}
		}))
		http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			r.SetScheme("https")
			h.Serve(w, r)
		}), http1test.Request{Fields: []string{"Cookie", c.cookie}})
	})
	t.Run("two cookies of the name are none", func(t *testing.T) {
		(&client{t: t, cookie: c.cookie + "; " + c.cookie}).is(m, "nobody")
	})
	t.Run("a malformed cookie asks the store nothing", func(t *testing.T) {
		before := store.gets.Load()
		(&client{t: t, cookie: c.cookie + "A"}).is(m, "nobody")
		if store.gets.Load() != before {
			t.Error("it was asked")
		}
	})
	t.Run("a handler that does not ask costs the store nothing and has none of the fields", func(t *testing.T) {
		before := store.gets.Load()
		res := c.send(m, func(w *http1.Response, r *http1.Request) {})
		if store.gets.Load() != before || res.Get("Cache-Control") != "" || res.Get("Vary") != "" {
			t.Errorf("%v", res.Fields)
		}
	})
	t.Run("one that asks twice asks the store once", func(t *testing.T) {
		before := store.gets.Load()
		c.ask(m, func(now *session.Current) {
			first, _ := now.Session()
			again, _ := now.Session()
			if first == nil || first != again || first.ID() == "" || first.Seen().IsZero() || now.Manager() != m {
				t.Error(first, again)
			}
		})
		if got := store.gets.Load() - before; got != 2 { // the session and its subject
			t.Errorf("it was asked %d times", got)
		}
	})
	t.Run("a response that depends on it is not stored, also where there is none", func(t *testing.T) {
		for _, who := range []*client{c, {t: t}} {
			res := who.ask(m, func(now *session.Current) { _, _ = now.Session() })
			if res.Get("Cache-Control") != "no-store" || res.Get("Vary") != "Cookie" {
				t.Errorf("%v", res.Fields)
			}
		}
	})
	t.Run("unless the handler says otherwise", func(t *testing.T) {
		res := c.send(m, func(w *http1.Response, r *http1.Request) {
			_, _ = session.From(r).Session()
			w.Set("Cache-Control", "private, max-age=60")
		})
		if got := res.Values("Cache-Control"); len(got) != 1 || got[0] != "private, max-age=60" {
			t.Errorf("%q", got)
		}
	})
	t.Run("the context of a middleware keeps it", func(t *testing.T) {
		type key struct{}
		c.send(m, func(w *http1.Response, r *http1.Request) {
			r.SetContext(context.WithValue(r.Context(), key{}, 1))
			if s, err := session.From(r).Session(); s == nil || err != nil || r.Context().Value(key{}) != 1 {
				t.Error(s, err)
			}
		})
	})
	t.Run("a broken record is none, so that the member can sign in anew", func(t *testing.T) {
		for _, r := range records(t, store, "session/") {
			if err := m.Store().Apply(context.Background(), session.Change{Key: r.Key, Value: []byte("{")}); err != nil {
				t.Fatal(err)
			}
		}
		c.is(m, "nobody")
		c.signIn(m, "ada")
		c.is(m, "ada")
	})
	t.Run("one without a subject is nobody's, and still one", func(t *testing.T) {
		visitor := &client{t: t}
		visitor.signIn(m, "")
		visitor.is(m, "")
		if err := visitor.signOut(m); err != nil {
			t.Error(err)
		}
		visitor.is(m, "nobody")
	})
}

func TestNewRefuses(t *testing.T) {
	memory := session.NewMemory()
	for name, c := range map[string]session.Config{
		"no store":                       {},
		"a cookie's name with a space":   {Store: memory, CookieName: "a b"},
		"a cookie's name of 65 bytes":    {Store: memory, CookieName: strings.Repeat("a", 65)},
		"an idle time below a second":    {Store: memory, IdleTimeout: time.Millisecond},
		"a lifetime below a second":      {Store: memory, Lifetime: -1},
		"a negative timeout":             {Store: memory, StoreTimeout: -1},
		"a negative timeout for changes": {Store: memory, WriteTimeout: -1},
		"a negative number in memory":    {Store: memory, Remembered: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := session.New(c); m != nil || err == nil || !strings.Contains(err.Error(), "Config.") {
				t.Errorf("%v, %v", m, err)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	m := manager(t, session.Config{Store: session.NewMemory(), StoreTimeout: 251 * time.Millisecond})
	if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Config.StoreTimeout is 251ms, more than 250ms") {
		t.Errorf("a timeout that outlasts what is trusted: %v", err)
	}
}

func TestRefuse(t *testing.T) {
	var log bytes.Buffer
	m := manager(t, session.Config{Store: session.NewMemory(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, c := range []struct {
		name, accept string
		err          error
		status       int
		retry, kind  string
		content      string
	}{
		{"a person", "text/html", &session.Unavailable{RetryAfter: 1500 * time.Millisecond}, 503, "2", "text/plain; charset=utf-8", "503 Service Unavailable\n"},
		{"a program", "application/json", errors.Join(&session.Unavailable{}), 503, "1", "application/problem+json", `{"status":503,"title":"Service Unavailable"}` + "\n"},
		{"a mistake", "", errStore, 500, "", "text/plain; charset=utf-8", "500 Internal Server Error\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) { m.Refuse(w, r, c.err) }),
				http1test.Request{Fields: []string{"Accept", c.accept}})
			if res.Status != c.status || res.Get("Retry-After") != c.retry || res.Get("Content-Type") != c.kind || string(res.Content) != c.content {
				t.Errorf("%d %v %q", res.Status, res.Fields, res.Content)
			}
			if res.Get("Cache-Control") != "no-store" || res.Get("Vary") != "Accept, Cookie" {
				t.Errorf("%v", res.Fields)
			}
		})
	}
	if !strings.Contains(log.String(), "a session could not be had") || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("log %q", &log)
	}
}
