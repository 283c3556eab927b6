package session_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

// errStore is what a broken store says, with what no client should see.
var errStore = errors.New("dial redis://:hunter2@10.0.0.1: connection refused")

// A mood is how a store behaves.
type mood int32

const (
	well      mood = iota
	hangs          // until the context ends
	fails          // at once
	full           // reads go on
	uncertain      // changes are made, and failed
)

// moodyStore is a store in memory that may be away, and counts what it is asked.
type moodyStore struct {
	session.Store
	mood                               atomic.Int32
	gets, applies, feeds, atOnce, most atomic.Int64
	mu                                 sync.Mutex
	changes                            [][]session.Change
	slow                               atomic.Int64 // ns that each call takes
	beforeApply                        func(changes []session.Change)
}

func newMoodyStore() *moodyStore { return &moodyStore{Store: session.NewMemory()} }

func (s *moodyStore) is(m mood) { s.mood.Store(int32(m)) }

// ready behaves as the mood is.
func (s *moodyStore) ready(ctx context.Context, writes bool) error {
	switch m := mood(s.mood.Load()); {
	case m == hangs:
		<-ctx.Done()
		return ctx.Err()
	case m == fails, m == full && writes:
		return errStore
	}
	if slow := s.slow.Load(); slow > 0 {
		select {
		case <-time.After(time.Duration(slow)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *moodyStore) Get(ctx context.Context, key string) (session.Record, error) {
	s.gets.Add(1)
	now := s.atOnce.Add(1)
	defer s.atOnce.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	if err := s.ready(ctx, false); err != nil {
		return session.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *moodyStore) Apply(ctx context.Context, changes ...session.Change) error {
	s.applies.Add(1)
	if s.beforeApply != nil {
		s.beforeApply(changes)
	}
	if err := s.ready(ctx, true); err != nil {
		return err
	}
	err := s.Store.Apply(ctx, changes...)
	if err == nil {
		s.mu.Lock()
		s.changes = append(s.changes, changes)
		s.mu.Unlock()
	}
	if err == nil && mood(s.mood.Load()) == uncertain {
		return errStore
	}
	return err
}

func (s *moodyStore) Changes(ctx context.Context, since session.Cursor) (session.Changes, error) {
	s.feeds.Add(1)
	if err := s.ready(ctx, false); err != nil {
		return session.Changes{}, err
	}
	return s.Store.Changes(ctx, since)
}

// made are the changes that were made since the last call.
func (s *moodyStore) made() [][]session.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.changes
	s.changes = nil
	return all
}

// manager makes one on the store.
func manager(t testing.TB, c session.Config) *session.Manager {
	t.Helper()
	m, err := session.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// run lets m follow its store until the test ends, and waits until it does.
func run(t *testing.T, m *session.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	synctest.Wait()
}

// A client keeps the cookie that it is given.
type client struct {
	t      testing.TB
	cookie string // the field's value
	plain  bool   // it asks by plain HTTP
}

// ask lets the client's request meet do behind m.
func (c *client) ask(m *session.Manager, do func(now *session.Current)) *http1test.Response {
	c.t.Helper()
	return c.send(m, func(w *http1.Response, r *http1.Request) { do(session.From(r)) })
}

func (c *client) send(m *session.Manager, do http1.HandlerFunc, fields ...string) *http1test.Response {
	c.t.Helper()
	if c.cookie != "" {
		fields = append(fields, "Cookie", c.cookie)
	}
	res := http1test.Do(m.Attach(do), http1test.Request{Secure: !c.plain, Fields: fields})
	if res.Result.Err != nil {
		c.t.Fatalf("the handler failed: %v", res.Result.Err)
	}
	if set := res.Get("Set-Cookie"); set != "" {
		c.cookie, _, _ = strings.Cut(set, ";")
	}
	return res
}

// signIn begins a session.
func (c *client) signIn(m *session.Manager, subject string, with ...session.Change) {
	c.t.Helper()
	c.ask(m, func(now *session.Current) {
		if s, err := now.Begin(subject, with...); err != nil || s.Subject() != subject {
			c.t.Fatalf("Begin: %v", err)
		}
	})
}

// who tells whose session the client has: "nobody" without one, "unavailable" where the store
// does not say.
func (c *client) who(m *session.Manager) (subject string) {
	c.t.Helper()
	c.ask(m, func(now *session.Current) {
		s, err := now.Session()
		_, away := errors.AsType[*session.Unavailable](err)
		switch {
		case away:
			subject = "unavailable"
		case err != nil:
			c.t.Fatalf("Session: %v", err)
		case s == nil:
			subject = "nobody"
		default:
			subject = s.Subject()
		}
	})
	return subject
}

// is fails the test unless the client is who it should be.
func (c *client) is(m *session.Manager, want string) {
	c.t.Helper()
	if got := c.who(m); got != want {
		c.t.Errorf("the client is %s, want %s", got, want)
	}
}

// records are those of the store below the prefix.
func records(t testing.TB, s session.Store, prefix string) []session.Record {
	t.Helper()
	all, err := s.List(context.Background(), prefix, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// signOut ends the client's session.
func (c *client) signOut(m *session.Manager) (err error) {
	c.ask(m, func(now *session.Current) { err = now.End() })
	return err
}

// madeUp is a cookie of nobody.
func madeUp() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return "__Host-session=" + base64.RawURLEncoding.EncodeToString(b[:])
}
