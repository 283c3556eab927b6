package account

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// cheap is a cost that tests can pay often.
var cheap = Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}

func newHasher(t testing.TB, cost Cost, atOnce int) *Hasher {
	t.Helper()
	h, err := NewHasher(cost, atOnce)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustHash(t testing.TB, h *Hasher, password string) string {
	t.Helper()
	text, err := h.Hash(t.Context(), Name{Key: "ann", Shown: "Ann"}, password)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestHasher(t *testing.T) {
	h := newHasher(t, cheap, 1)
	t.Run("the zero cost is 19 MiB, two passes and one lane", func(t *testing.T) {
		if h := newHasher(t, Cost{}, 0); h.cost != (Cost{19 << 10, 2, 1}) || cap(h.slots) != max(1, runtime.GOMAXPROCS(0)/2) {
			t.Errorf("%+v, %d at once", h.cost, cap(h.slots))
		}
	})
	for _, c := range []Cost{{7, 1, 1}, {64, 0, 1}, {64, 1, 0}, {64 << 11, 1, 1}, {64, 17, 1}, {1 << 10, 1, 17}} {
		t.Run(fmt.Sprintf("a cost of %v is refused", c), func(t *testing.T) {
			if _, err := NewHasher(c, 1); err == nil {
				t.Error("taken")
			}
		})
	}
	t.Run("the same password twice has two hashes, with the parameters in them", func(t *testing.T) {
		one, two := mustHash(t, h, "correct horse"), mustHash(t, h, "correct horse")
		if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("%s and %s", one, two)
		}
	})
	hash := mustHash(t, h, "caf\u00e9 horse")
	for _, c := range []struct {
		name, password string
		right          bool
	}{
		{"the password is right", "caf\u00e9 horse", true},
		{"so is another keyboard's spelling of it (RFC 8265 §4.2)", "cafe\u0301 horse", true},
		{"and one with another kind of space", "caf\u00e9\u00a0horse", true},
		{"another password is wrong", "caf\u00e9 horsf", false},
		{"case counts", "Caf\u00e9 horse", false},
		{"nothing is wrong", "", false},
		{"what no password can be is wrong", "caf\u00e9\x00horse", false},
		{"so is what is too long", strings.Repeat("a", 1025), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			right, renewed, err := h.verify(t.Context(), hash, c.password)
			if right != c.right || renewed != "" || err != nil {
				t.Errorf("%v, %q, %v", right, renewed, err)
			}
		})
	}
	t.Run("a hash that cannot be read is an error without the hash in it", func(t *testing.T) {
		_, _, err := h.verify(t.Context(), "$argon2i$secret", "password")
		if !errors.Is(err, errHash) || strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	})
}

func TestRehash(t *testing.T) {
	old := mustHash(t, newHasher(t, cheap, 1), "correct horse")
	h := newHasher(t, Cost{MemoryKiB: 128, Passes: 2, Lanes: 1}, 1)
	t.Run("the right password of another cost is hashed anew", func(t *testing.T) {
		right, renewed, err := h.verify(t.Context(), old, "correct horse")
		if !right || err != nil || !strings.Contains(renewed, "m=128,t=2,p=1") {
			t.Fatalf("%v, %q, %v", right, renewed, err)
		}
		if right, again, err := h.verify(t.Context(), renewed, "correct horse"); !right || again != "" || err != nil {
			t.Errorf("the new hash: %v, %q, %v", right, again, err)
		}
	})
	t.Run("a wrong one is not", func(t *testing.T) {
		if right, renewed, err := h.verify(t.Context(), old, "wrong horse"); right || renewed != "" || err != nil {
			t.Errorf("%v, %q, %v", right, renewed, err)
		}
	})
}

// What an attacker with a clock can see is which work is done.
func TestUnknownNamesCostTheSame(t *testing.T) {
	h := newHasher(t, cheap, 1)
	stored := mustHash(t, h, "correct horse")
	type work struct {
		cost       Cost
		salt, size int
	}
	var done []work
	sum := h.sum
	h.sum = func(p, salt []byte, c Cost, n uint32) []byte {
		done = append(done, work{c, len(salt), int(n)})
		return sum(p, salt, c, n)
	}
	for _, hash := range []string{stored, ""} {
		for _, password := range []string{"wrong horse", "short", strings.Repeat("a", 2000), "\x00"} {
			if right, _, err := h.verify(t.Context(), hash, password); right || err != nil {
				t.Errorf("%q for %q: %v, %v", password, hash, right, err)
			}
		}
	}
	if len(done) != 8 {
		t.Fatalf("%d hashes for 8 attempts", len(done))
	}
	for _, w := range done {
		if w != done[0] {
			t.Errorf("%+v, elsewhere %+v", w, done[0])
		}
	}
	t.Run("and no password is right for them", func(t *testing.T) {
		d := h.dummy()
		h.sum = func([]byte, []byte, Cost, uint32) []byte { return d.sum }
		if right, _, _ := h.verify(t.Context(), "", "not a password"); right {
			t.Error("the dummy's sum lets in")
		}
	})
}

// A hundred sign-ins at once hold the memory of two.
func TestFloodIsBounded(t *testing.T) {
	h := newHasher(t, cheap, 2)
	var now, peak, refused, hashed atomic.Int64
	sum := h.sum
	h.sum = func(p, salt []byte, c Cost, n uint32) []byte {
		for k := now.Add(1); ; {
			if was := peak.Load(); was >= k || peak.CompareAndSwap(was, k) {
				break
			}
		}
		defer now.Add(-1)
		return sum(p, salt, c, n)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			_, _, err := h.verify(t.Context(), "", "some password")
			switch {
			case err == nil:
				hashed.Add(1)
			case errors.Is(err, ErrBusy):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if peak.Load() > 2 || hashed.Load()+refused.Load() != 100 || hashed.Load() < 2*(1+queueMost) {
		t.Errorf("at once %d, hashed %d, refused %d", peak.Load(), hashed.Load(), refused.Load())
	}
	if len(h.slots) != 0 || len(h.queue) != 0 {
		t.Errorf("left behind: %d slots, %d places in the queue", len(h.slots), len(h.queue))
	}
}

func TestQueue(t *testing.T) {
	// crowd fills the slot and n places of the queue, until the context ends.
	enter := func(ctx context.Context, h *Hasher) (leave func(), err error) {
		p, err := h.reserve()
		if err != nil {
			return nil, err
		}
		release, err := p.slot(ctx)
		if err != nil {
			p.leave()
			return nil, err
		}
		return func() { release(); p.leave() }, nil
	}
	crowd := func(ctx context.Context, h *Hasher, n int) (release func()) {
		leave, err := enter(ctx, h)
		if err != nil {
			panic(err)
		}
		for range n {
			go func() {
				if leave, err := enter(ctx, h); err == nil {
					leave()
				}
			}()
		}
		synctest.Wait()
		return leave
	}
	t.Run("a full queue refuses at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHasher(t, cheap, 1)
			release := crowd(t.Context(), h, queueMost)
			if _, err := h.Hash(t.Context(), Name{Key: "ann"}, "correct horse"); !errors.Is(err, ErrBusy) {
				t.Error(err)
			}
			release()
			synctest.Wait()
			if _, err := h.Hash(t.Context(), Name{Key: "ann"}, "correct horse"); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	})
	t.Run("who waits five seconds is told to come back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHasher(t, cheap, 1)
			release := crowd(t.Context(), h, 0)
			defer release()
			if _, _, err := h.verify(t.Context(), "", "correct horse"); !errors.Is(err, ErrBusy) {
				t.Error(err)
			}
			if len(h.queue) != 1 {
				t.Errorf("%d in the queue", len(h.queue))
			}
		})
	})
	t.Run("who leaves gives the place free", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHasher(t, cheap, 1)
			release := crowd(t.Context(), h, 0)
			defer release()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, _, err := h.verify(ctx, "", "correct horse"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if len(h.queue) != 1 {
				t.Errorf("%d in the queue", len(h.queue))
			}
		})
	})
}

func BenchmarkSignInHash(b *testing.B) {
	h := newHasher(b, Cost{}, 1)
	hash := mustHash(b, h, "correct horse battery")
	b.ReportAllocs()
	for b.Loop() {
		if right, _, err := h.verify(b.Context(), hash, "correct horse battery"); !right || err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFlood is a hundred sign-ins at once on two slots of the usual cost, and what the
// process got from the system for them.
func BenchmarkFlood(b *testing.B) {
	h := newHasher(b, Cost{}, 2)
	for b.Loop() {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { _, _, _ = h.verify(b.Context(), "", "some password") })
		}
		all.Wait()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "MiB-heap-of-the-system")
}
