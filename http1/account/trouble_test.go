package account

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

// troubled is a store that can be told to fail: all of it, or what writes.
type troubled struct {
	session.Store
	down, full atomic.Bool
}

var errDisk = errors.New("redis://secret-host:6379: the disk is full of /var/secret")

func (s *troubled) Get(ctx context.Context, key string) (session.Record, error) {
	if s.down.Load() {
		return session.Record{}, errDisk
	}
	return s.Store.Get(ctx, key)
}

func (s *troubled) List(ctx context.Context, prefix, after string, limit int) ([]session.Record, error) {
	if s.down.Load() {
		return nil, errDisk
	}
	return s.Store.List(ctx, prefix, after, limit)
}

func (s *troubled) Apply(ctx context.Context, changes ...session.Change) error {
	if s.down.Load() || s.full.Load() {
		return errDisk
	}
	return s.Store.Apply(ctx, changes...)
}

func (s *troubled) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (session.Count, error) {
	if s.down.Load() || s.full.Load() {
		return session.Count{}, errDisk
	}
	return s.Store.Take(ctx, key, n, limit, window)
}

// unavailable fails unless the answer is a 503 that says when to try again and nothing of the store.
func unavailable(t *testing.T, res *http1test.Response) {
	t.Helper()
	is(t, res, 503)
	if res.Get("Retry-After") == "" || strings.Contains(string(res.Content), "secret") {
		t.Errorf("%v %s", res.Fields, res.Content)
	}
}

func TestStoreDown(t *testing.T) {
	store := &troubled{Store: session.NewMemory()}
	s := newSite(t, store, func(c *Config) { c.Quota, c.Limits = Quota{100, time.Hour}, Limits{} })
	ann := s.member("ann")
	store.down.Store(true)
	t.Run("public pages do not know", func(t *testing.T) {
		is(t, ann.get("/public"), 200)
	})
	t.Run("protected ones are 503, as a page and as a problem", func(t *testing.T) {
		unavailable(t, ann.get("/members/"))
		b := *ann
		b.fields = []string{"Accept", "application/json"}
		res := b.get("/members/")
		unavailable(t, res)
		if res.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v", res.Fields)
		}
	})
	t.Run("so is what the pages do", func(t *testing.T) {
		b := s.browser()
		unavailable(t, b.signIn("ann", goodPassword))
		unavailable(t, b.post("/-/sign-up", "name", "bob", "password", goodPassword))
		unavailable(t, ann.get("/-/account"))
		unavailable(t, ann.post("/-/sign-out"))
		if ann.cookie == "" || b.cookie != "" {
			t.Error("a cookie changed, and the store did not")
		}
	})
	t.Run("the sign-in page is there all the same", func(t *testing.T) {
		is(t, s.browser().get("/-/sign-in"), 200)
	})
}

func TestStoreFull(t *testing.T) {
	store := &troubled{Store: session.NewMemory()}
	s := newSite(t, store, nil)
	ann := s.member("ann")
	store.full.Store(true)
	t.Run("a member goes on", func(t *testing.T) {
		is(t, ann.get("/members/"), 200)
		is(t, ann.get("/-/account"), 200)
	})
	t.Run("what would have to be written is 503, and nothing is said to be done", func(t *testing.T) {
		unavailable(t, ann.post("/-/sign-out"))
		unavailable(t, ann.post("/-/sign-out-everywhere"))
		unavailable(t, s.browser().signIn("ann", goodPassword))
		unavailable(t, ann.post("/-/password", "old", goodPassword, "new", "another "+goodPassword))
		is(t, ann.get("/members/"), 200)
	})
}

func TestBusy(t *testing.T) {
	s := newSite(t, nil, nil)
	mustAdd(t, s.Members(), "ann")
	h := s.members.hasher
	for range cap(h.queue) {
		h.queue <- struct{}{}
	}
	for _, name := range []string{"ann", "nobody"} {
		unavailable(t, s.browser().signIn(name, goodPassword))
	}
	unavailable(t, s.browser().post("/-/sign-up", "name", "bob", "password", goodPassword))
	is(t, s.browser().get("/public"), 200)
}

func TestBadRequests(t *testing.T) {
	s := newSite(t, nil, nil)
	ann := s.member("ann")
	for _, c := range []struct {
		name   string
		r      http1test.Request
		status int
	}{
		{"a page that is none", http1test.Request{Target: "/-/nothing"}, 404},
		{"a page with a slash behind", http1test.Request{Target: "/-/sign-in/"}, 404},
		{"a way up", http1test.Request{Target: "/-/../members/"}, 404},
		{"a form with a field twice", http1test.Request{Method: "POST", Target: "/-/sign-in", Fields: []string{"Content-Type", formType}, Content: "name=a&name=b"}, 400},
		{"a form of another type", http1test.Request{Method: "POST", Target: "/-/sign-in", Fields: []string{"Content-Type", "text/plain"}, Content: "name=a"}, 415},
		{"a form of more than 16 KiB", http1test.Request{Method: "POST", Target: "/-/sign-in", Fields: []string{"Content-Type", formType}, Content: "name=" + strings.Repeat("a", 17000)}, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.browser()
			c.r.Secure, c.r.Fields = true, append(c.r.Fields, b.fields...)
			is(t, http1test.Do(s.handler, c.r), c.status)
		})
	}
	t.Run("other methods are told which there are (RFC 9110 §15.5.6)", func(t *testing.T) {
		for target, allow := range map[string]string{"/-/sign-in": "GET, HEAD, POST", "/-/account": "GET, HEAD", "/-/sign-out-everywhere": "POST", "/-/end-session": "POST"} {
			res := ann.do(http1test.Request{Method: "DELETE", Target: target})
			if is(t, res, 405); res.Get("Allow") != allow {
				t.Errorf("%s: %q", target, res.Get("Allow"))
			}
		}
		is(t, ann.get("/-/sign-out-everywhere"), 405)
		is(t, ann.do(http1test.Request{Method: "POST", Target: "/-/account"}), 405)
	})
	t.Run("another origin posts to no page", func(t *testing.T) {
		for _, fields := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			b := *ann
			b.fields = fields
			for _, page := range []string{"sign-in", "sign-up", "sign-out", "sign-out-everywhere", "password", "end-session"} {
				res := b.post("/-/"+page, "name", "ann", "password", goodPassword)
				if is(t, res, 403); res.Get("Set-Cookie") != "" {
					t.Errorf("%s: a cookie", page)
				}
			}
		}
		is(t, ann.get("/members/"), 200)
	})
	t.Run("over plain HTTP there is no page to type a password into", func(t *testing.T) {
		for _, method := range []string{"GET", "POST"} {
			res := http1test.Do(s.handler, http1test.Request{Method: method, Target: "/-/sign-in"})
			if is(t, res, 403); strings.Contains(string(res.Content), "<form") {
				t.Errorf("%s", res.Content)
			}
		}
	})
}
