package account

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// slow is a store that takes its time.
type slow struct {
	session.Store
	get, take time.Duration
}

func (s *slow) Get(ctx context.Context, key string) (session.Record, error) {
	if err := sleep(ctx, s.get); err != nil {
		return session.Record{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *slow) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (session.Count, error) {
	if err := sleep(ctx, s.take); err != nil {
		return session.Count{}, err
	}
	return s.Store.Take(ctx, key, n, limit, window)
}

func TestQuota(t *testing.T) {
	in := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	three := func(c *Config) { c.Quota = Quota{3, time.Minute} }
	in("each request for a protected page counts, and says what is left", func(t *testing.T) {
		s := newSite(t, nil, three)
		ann := s.member("ann")
		for used := 1; used <= 3; used++ {
			res := ann.get("/members/")
			is(t, res, 200)
			if policy, left := res.Get("RateLimit-Policy"), res.Get("RateLimit"); policy != `"members";q=3;w=60` || left != fmt.Sprintf(`"members";r=%d;t=60`, 3-used) {
				t.Errorf("%s and %s after %d", policy, left, used)
			}
		}
	})
	in("the next is 429, until the window ends", func(t *testing.T) {
		s := newSite(t, nil, three)
		ann := s.member("ann")
		for range 3 {
			is(t, ann.get("/members/"), 200)
			time.Sleep(5 * time.Second)
		}
		res := ann.get("/members/")
		is(t, res, 429)
		if res.Get("Retry-After") != "45" || res.Get("RateLimit") != `"members";r=0;t=45` {
			t.Errorf("%v", res.Fields)
		}
		says(t, res, "Your quota is used up.", "45 seconds")
		ann.fields = []string{"Accept", "application/json"}
		if res = ann.get("/members/"); res.Status != 429 || res.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%d %v", res.Status, res.Fields)
		}
		time.Sleep(45 * time.Second)
		is(t, ann.get("/members/"), 200)
	})
	in("public pages and the member's own cost nothing", func(t *testing.T) {
		s := newSite(t, nil, three)
		ann := s.member("ann")
		for range 10 {
			is(t, ann.get("/public"), 200)
			is(t, ann.get("/-/account"), 200)
		}
		says(t, ann.get("/-/account"), "<dd>0 of 3</dd>", "<dd>3</dd>", "with the next request")
		is(t, ann.get("/members/"), 200)
		says(t, ann.get("/-/account"), "<dd>1 of 3</dd>", "<dd>2</dd>", "in 60 seconds")
	})
	in("a member's own goes before the site's within a second", func(t *testing.T) {
		s := newSite(t, nil, three)
		ann := s.member("ann")
		is(t, ann.get("/members/"), 200)
		if err := s.Members().SetQuota(t.Context(), "ann", &Quota{2, time.Minute}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		is(t, ann.get("/members/"), 200)
		is(t, ann.get("/members/"), 429)
		if err := s.Members().SetQuota(t.Context(), "ann", &Quota{}); err != nil { // no limit
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		res := ann.get("/members/")
		is(t, res, 200)
		if res.Get("RateLimit") != "" {
			t.Errorf("%v", res.Fields)
		}
	})
	in("all questions to a slow store together add no more than its timeout", func(t *testing.T) {
		store := &slow{Store: session.NewMemory()}
		manager, err := session.New(session.Config{Store: store, StoreTimeout: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		s := newSiteOn(t, manager, three)
		ann := s.member("ann")
		store.get, store.take = 30*time.Millisecond, 90*time.Millisecond
		began := time.Now()
		unavailable(t, ann.get("/members/")) // three records at 30 ms, then the counter
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("%v", took)
		}
	})
	in("one member's requests are not another's", func(t *testing.T) {
		s := newSite(t, nil, three)
		ann, bob := s.member("ann"), s.member("bob")
		for range 3 {
			is(t, ann.get("/members/"), 200)
		}
		is(t, bob.get("/members/"), 200)
	})
	t.Run("it is exact under concurrency, and between processes", func(t *testing.T) {
		const n = 100
		store := session.NewMemory()
		hundred := func(c *Config) { c.Quota = Quota{n, time.Hour} }
		sites := []*site{newSite(t, store, hundred), newSite(t, store, hundred)}
		ann := sites[0].member("ann")
		var served, refused atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				b := *ann
				b.site = sites[i%2]
				for range 20 {
					switch res := b.get("/members/"); res.Status {
					case 200:
						served.Add(1)
					case 429:
						refused.Add(1)
					default:
						t.Errorf("status %d", res.Status)
					}
				}
			})
		}
		all.Wait()
		if served.Load() != n || refused.Load() != 60 {
			t.Errorf("served %d, refused %d", served.Load(), refused.Load())
		}
	})
	t.Run("a clock that is set back keeps none for longer", func(t *testing.T) {
		var q quotas
		now := time.Now()
		q.set("ann", knownQuota{quota: Quota{5, time.Hour}, until: now.Add(quotaKnownFor)})
		if got, known := q.get("ann", now); !known || got.quota.N != 5 {
			t.Errorf("%v, %v", got, known)
		}
		if _, known := q.get("ann", now.Add(-time.Hour)); known {
			t.Error("known for another hour")
		}
	})
	t.Run("what is remembered of quotas is bounded", func(t *testing.T) {
		var q quotas
		for i := range 3 * quotasMost {
			q.set(fmt.Sprint(i), knownQuota{until: time.Now()})
		}
		if len(q.of) > quotasMost {
			t.Errorf("%d", len(q.of))
		}
	})
}

func TestHumanDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 seconds", time.Second: "1 second", 1500 * time.Millisecond: "2 seconds", 2 * time.Minute: "120 seconds",
		121 * time.Second: "3 minutes", 3 * time.Hour: "3 hours", 72 * time.Hour: "3 days"} {
		if got := humanDuration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
