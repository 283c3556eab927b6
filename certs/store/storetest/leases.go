package storetest

import (
	"errors"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-server/holdfast/certs/store"
)

func oneHolder(t *testing.T, p Peer) {
	a, b := p.Open(t), p.Open(t)
	lease := acquire(t, a, "order/example.org", hour)
	if lease.Name() != "order/example.org" {
		t.Errorf("the lease is called %q", lease.Name())
	}
	for _, s := range []store.Store{a, b} {
		_, err := s.Acquire(within(t), "order/example.org", "another", hour)
		is(t, "Acquire of a lease that is held", err, store.ErrHeld)
	}
	acquire(t, b, "order/other.example", hour)
	if err := lease.Release(within(t)); err != nil {
		t.Fatalf("Release: %v", err)
	}
	is(t, "Renew after Release", lease.Renew(within(t)), store.ErrLost)
	is(t, "a second Release", lease.Release(within(t)), store.ErrLost)
	acquire(t, b, "order/example.org", hour)
	is(t, "Release of what another has", lease.Release(within(t)), store.ErrLost)
	_, err := a.Acquire(within(t), "order/example.org", "a third", hour)
	is(t, "Acquire after the Release of a lease that was lost", err, store.ErrHeld)
}

func renewal(t *testing.T, p Peer) {
	a, b := p.Open(t), p.Open(t)
	lease := acquire(t, a, "secret", hour)
	for range 3 {
		if err := lease.Renew(within(t)); err != nil {
			t.Fatalf("Renew: %v", err)
		}
	}
	_, err := b.Acquire(within(t), "secret", "another", hour)
	is(t, "Acquire of a lease that is renewed", err, store.ErrHeld)
	if err := lease.Release(within(t)); err != nil {
		t.Fatal(err)
	}
	short := acquire(t, a, "secret", p.TTL)
	acquireEventually(t, b, "secret")
	is(t, "Renew of what another took over", short.Renew(within(t)), store.ErrLost)
}

func expiry(t *testing.T, p Peer) {
	a, b := p.Open(t), p.Open(t)
	stuck := acquire(t, a, "order/example.org", p.TTL)
	next := acquireEventually(t, b, "order/example.org")
	if next.Fence() <= stuck.Fence() {
		t.Errorf("the fence went from %d to %d", stuck.Fence(), next.Fence())
	}
	_, err := a.Acquire(within(t), "order/example.org", "the one that was stuck", hour)
	is(t, "Acquire by the old holder", err, store.ErrHeld)
}

func fences(t *testing.T, p Peer) {
	a, b := p.Open(t), p.Open(t)
	last := uint64(0)
	for i, s := range []store.Store{a, b, b, a} {
		lease := acquire(t, s, "order/example.org", hour)
		if lease.Fence() <= last {
			t.Errorf("holder %d has the fence %d, the one before had %d", i, lease.Fence(), last)
		}
		last = lease.Fence()
		if err := lease.Release(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	other := acquire(t, a, "order/other.example", hour)
	put(t, a, "cert/other.example", "value", other)
	holds(t, b, "cert/other.example", "value")
}

func fencedWrites(t *testing.T, p Peer) {
	a, b := p.Open(t), p.Open(t)
	old := acquire(t, a, "order/example.org", p.TTL)
	put(t, a, "cert/example.org", "of the first", old)
	put(t, a, "ledger/example.org", "of the first", old)
	next := acquireEventually(t, b, "order/example.org")
	// The new one has written nothing yet, and counts all the same.
	is(t, "Put under an old fence", a.Put(within(t), "cert/example.org", []byte("too late"), old), store.ErrLost)
	is(t, "Delete under an old fence", a.Delete(within(t), "ledger/example.org", old), store.ErrLost)
	holds(t, b, "cert/example.org", "of the first")
	put(t, b, "cert/example.org", "of the second", next)
	is(t, "Put after the new one's", a.Put(within(t), "cert/example.org", []byte("too late"), old), store.ErrLost)
	if err := b.Delete(within(t), "ledger/example.org", next); err != nil {
		t.Errorf("Delete: %v", err)
	}
	_, err := a.Get(within(t), "ledger/example.org")
	is(t, "Get", err, fs.ErrNotExist)
	holds(t, a, "cert/example.org", "of the second")
	put(t, a, "cert/example.org", "by hand", nil)
	holds(t, b, "cert/example.org", "by hand")
	if err := next.Release(within(t)); err != nil {
		t.Fatal(err)
	}
	put(t, b, "cert/example.org", "no newer holder came", next)
}

func crowd(t *testing.T, p Peer) {
	views := []store.Store{p.Open(t), p.Open(t), p.Open(t), p.Open(t)}
	ctx := within(t)
	var got atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			_, err := views[i%len(views)].Acquire(ctx, "order/example.org", "one of many", hour)
			switch {
			case err == nil:
				got.Add(1)
			case !errors.Is(err, store.ErrHeld):
				t.Errorf("Acquire: %v", err)
			}
		})
	}
	wg.Wait()
	runtime.KeepAlive(views) // a store that is collected drops its leases, as a process does
	if got.Load() != 1 {
		t.Errorf("%d got the lease", got.Load())
	}
}

func foreign(t *testing.T, p Peer) {
	s, elsewhere := p.Open(t), new(store.Memory)
	lease := acquire(t, elsewhere, "order/example.org", hour)
	if err := s.Put(within(t), "cert/example.org", []byte("value"), lease); err == nil {
		t.Error("a value was written under a lease that the store did not give")
	}
	_, err := s.Get(within(t), "cert/example.org")
	is(t, "Get", err, fs.ErrNotExist)
}
