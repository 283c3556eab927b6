package account

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

func usualLimits(c *Config) { c.Limits = Limits{} }

func TestBusyCountsNothing(t *testing.T) {
	s := newSite(t, nil, usualLimits)
	mustAdd(t, s.Members(), "ann")
	h := s.members.hasher
	for range cap(h.queue) {
		h.queue <- struct{}{}
	}
	for range 40 {
		res := s.browser().signIn("ann", goodPassword)
		if is(t, res, 503); res.Get("Retry-After") != "5" {
			t.Fatalf("Retry-After: %s", res.Get("Retry-After"))
		}
		is(t, s.browser().post("/-/sign-up", "name", "bob", "password", goodPassword), 503)
	}
	for range cap(h.queue) {
		<-h.queue
	}
	is(t, s.browser().signIn("ann", goodPassword), 303)
	is(t, s.browser().post("/-/sign-up", "name", "bob", "password", goodPassword), 303)
	if len(h.queue) != 0 {
		t.Errorf("%d places are left behind", len(h.queue))
	}
}

func TestRightPasswordsCountNot(t *testing.T) {
	s := newSite(t, nil, usualLimits)
	mustAdd(t, s.Members(), "ann")
	t.Run("a member signs in as often as they like", func(t *testing.T) {
		for n := range 60 {
			if res := s.browser().signIn("ann", goodPassword); res.Status != 303 {
				t.Fatalf("number %d: %d", n+1, res.Status)
			}
		}
	})
	t.Run("and makes an end of the wrong ones before", func(t *testing.T) {
		for range 4 {
			for range 4 {
				is(t, s.browser().signIn("ann", "wrong horse"), 401)
			}
			is(t, s.browser().signIn("ann", goodPassword), 303)
		}
	})
	t.Run("what is wrong for other names counts on for the address", func(t *testing.T) {
		s := newSite(t, nil, func(c *Config) { c.Limits = Limits{Address: []Limit{{3, time.Hour}}} })
		mustAdd(t, s.Members(), "ann")
		for n := range 3 {
			is(t, s.browser().signIn(fmt.Sprint("name", n), "wrong horse"), 401)
			if n < 2 {
				is(t, s.browser().signIn("ann", goodPassword), 303)
			}
		}
		is(t, s.browser().signIn("ann", goodPassword), 429)
	})
	t.Run("a form of sign-up that is not accepted counts not", func(t *testing.T) {
		s := newSite(t, nil, func(c *Config) { c.Limits = Limits{SignUp: []Limit{{1, time.Hour}}} })
		for range 3 {
			is(t, s.browser().post("/-/sign-up", "name", "bob", "password", "short"), 422)
		}
		is(t, s.browser().post("/-/sign-up", "name", "bob", "password", goodPassword), 303)
	})
}

func TestGuess(t *testing.T) {
	t.Run("those under way take places of the address until they are known", func(t *testing.T) {
		h := limited(Limits{Address: []Limit{{3, time.Hour}}})
		var all []*guess
		for range 3 {
			g, wait, err := h.guess(t.Context(), here)
			if wait != 0 || err != nil {
				t.Fatal(wait, err)
			}
			all = append(all, g)
		}
		if _, wait, _ := h.guess(t.Context(), here); wait != time.Second {
			t.Errorf("the fourth waits %v", wait)
		}
		for _, g := range all[:2] {
			if err := g.wrong(t.Context()); err != nil {
				t.Fatal(err)
			}
			g.done()
		}
		if _, wait, _ := h.guess(t.Context(), here); wait != time.Second {
			t.Errorf("with two wrong and one under way it waits %v", wait)
		}
		all[2].done() // it was right
		g, wait, err := h.guess(t.Context(), here)
		if wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
		g.done()
		if len(h.pending) != 0 {
			t.Errorf("left behind: %v", h.pending)
		}
	})
	t.Run("a /48 of IPv6 has eight times as many", func(t *testing.T) {
		few := []Limit{{1, time.Minute}, {2, time.Hour}}
		h := limited(Limits{Address: few, SignUp: few})
		n := 0
		for ; n < 100; n++ {
			from := netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::1", n))
			if one, _ := h.tries(t, fmt.Sprint("name", n), from, 1); one == 0 {
				break
			}
		}
		if n != 16 {
			t.Errorf("%d from the /64s of one /48", n)
		}
		if one, _ := h.tries(t, "bob", netip.MustParseAddr("2001:db8:1::1"), 1); one != 1 {
			t.Error("another /48 is refused too")
		}
		for n = 0; n < 100; n++ {
			if wait, _ := h.signUp(t.Context(), netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::1", n))); wait > 0 {
				break
			}
		}
		if n != 16 {
			t.Errorf("%d sign-ups from there", n)
		}
	})
	t.Run("an attempt that cannot be counted is not told as wrong", func(t *testing.T) {
		store := &troubled{Store: session.NewMemory()}
		h := newThrottle(store, Limits{}, time.Now)
		g, _, err := h.guess(t.Context(), here)
		if err != nil {
			t.Fatal(err)
		}
		defer g.done()
		store.full.Store(true)
		if g.wrong(t.Context()) == nil {
			t.Error("no error")
		}
	})
	t.Run("who left is counted", func(t *testing.T) {
		h := limited(Limits{Address: []Limit{{1, time.Hour}}})
		g, _, err := h.guess(t.Context(), here)
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		err = g.wrong(gone)
		g.done()
		if _, wait, _ := h.guess(t.Context(), here); wait == 0 || err != nil {
			t.Errorf("%v, %v", wait, err)
		}
	})
}

// counting is a store that tells how often and how many at once ask for counters.
type counting struct {
	session.Store
	takes, now, peak atomic.Int64
	pause            time.Duration
}

func (s *counting) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (session.Count, error) {
	s.takes.Add(1)
	s.peak.Store(max(s.peak.Load(), s.now.Add(1)))
	defer s.now.Add(-1)
	_ = sleep(ctx, s.pause)
	return s.Store.Take(ctx, key, n, limit, window)
}

func TestFloodAndTheStore(t *testing.T) {
	t.Run("who is refused does not ask the store again", func(t *testing.T) {
		store := &counting{Store: session.NewMemory()}
		h := newThrottle(store, Limits{Address: []Limit{{1, time.Hour}}}, time.Now)
		h.tries(t, "ann", there, 3)
		asked := store.takes.Load()
		for n := range 100 {
			h.tries(t, fmt.Sprint("name", n), there, 1)
		}
		if store.takes.Load() != asked {
			t.Errorf("%d times", store.takes.Load()-asked)
		}
	})
	t.Run("what is remembered of them is bounded", func(t *testing.T) {
		var f full
		for n := range 3 * fullMost {
			f.set(fmt.Sprint(n), time.Hour)
		}
		if len(f.until) > fullMost {
			t.Errorf("%d", len(f.until))
		}
	})
	t.Run("a flood waits behind itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := &counting{Store: session.NewMemory(), pause: 10 * time.Millisecond}
			h := newThrottle(store, Limits{}, time.Now)
			var all sync.WaitGroup
			for n := range 30 {
				all.Go(func() {
					_, _ = h.attempt(t.Context(), "ann", netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}))
				})
			}
			all.Wait()
			if store.peak.Load() > takesAtOnce {
				t.Errorf("%d at once", store.peak.Load())
			}
		})
	})
}

// A member whose hash is of a former cost takes as long as nobody.
func TestWrongPasswordsTakeOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := mustHash(t, newHasher(t, cheap, 1), "correct horse")
		h := newHasher(t, Cost{MemoryKiB: 128, Passes: 2, Lanes: 1}, 1)
		h.sum = func(_, _ []byte, c Cost, n uint32) []byte {
			time.Sleep(time.Duration(c.work()) * time.Microsecond)
			return make([]byte, n)
		}
		for _, stored := range []string{old, "", strings.Replace(old, "m=64", "m=1024", 1)} {
			began := time.Now()
			p, err := h.reserve()
			if err != nil {
				t.Fatal(err)
			}
			if right, _, err := p.verify(t.Context(), stored, "wrong horse"); right || err != nil {
				t.Error(right, err)
			}
			p.pause(t.Context())
			if took := time.Since(began); took != h.quantum() || len(h.queue) != 0 {
				t.Errorf("%.30q took %v, want %v", stored, took, h.quantum())
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		if (&place{h: h, left: true, began: began}).pause(gone); time.Since(began) != 0 {
			t.Error("it waits for who has left")
		}
	})
}

func TestClientsWithoutAnAddress(t *testing.T) {
	s := newSite(t, nil, func(c *Config) {
		one := []Limit{{1, time.Hour}}
		c.Limits = Limits{NameAndAddress: one, Address: one, SignUp: one, Name: []Limit{{3, time.Hour}}}
	})
	post := func(page, name, password string) int {
		return http1test.Do(s.handler, http1test.Request{Method: "POST", Target: "/-/" + page, Secure: true, Unix: true,
			Fields: []string{"Content-Type", formType}, Content: "name=" + name + "&password=" + password}).Status
	}
	for n := range 5 {
		if status := post("sign-up", fmt.Sprint("name", n), "a+good+horse"); status != 303 {
			t.Errorf("sign-up %d: %d", n, status)
		}
		if status := post("sign-in", fmt.Sprint("name", n), "wrong+horse"); status != 401 {
			t.Errorf("sign-in %d: %d", n, status)
		}
	}
	t.Run("they are counted by the name", func(t *testing.T) {
		if a, b, c := post("sign-in", "name0", "wrong+horse"), post("sign-in", "name0", "wrong+horse"), post("sign-in", "name0", "wrong+horse"); a != 401 || b != 401 || c != 429 {
			t.Errorf("%d, %d, %d", a, b, c)
		}
	})
	t.Run("the owner is told once", func(t *testing.T) {
		if n := strings.Count(s.log.String(), "clients have no address"); n != 1 {
			t.Errorf("%d times", n)
		}
	})
}
