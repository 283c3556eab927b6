// Package storetest is what every certs/store.Store has to pass.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// Peer is a store under test.
type Peer struct {
	// Open returns one more view of one and the same store, which is empty at first, as
	// another process has it. It is called at least once.
	Open func(t *testing.T) store.Store
	// TTL is a short time to live that the store can tell from none.
	TTL time.Duration
	// Alone is set when there is one view only, and Open returns the same each time.
	Alone bool
}

// hour outlives every test.
const hour = time.Hour

// Run holds the store to the contract. fresh makes an empty one for each subtest.
func Run(t *testing.T, fresh func(t *testing.T) Peer) {
	for _, part := range []struct {
		name string
		test func(t *testing.T, p Peer)
	}{
		{"values are written, replaced, listed and removed", values},
		{"what is missing is fs.ErrNotExist, and its removal no error", absence},
		{"every size up to the limit comes back as it was, and no more is taken", sizes},
		{"a value belongs to its reader and its writer", ownership},
		{"names are checked, and one may be the beginning of another", names},
		{"concurrent writers leave one of their values, whole", writers},
		{"a context that has ended ends every call", contexts},
		{"a lease has one holder at a time", oneHolder},
		{"a lease is renewed, and lost to whoever takes it over", renewal},
		{"a lease that nobody renews runs out", expiry},
		{"fences grow, and each lease has its own", fences},
		{"what is written under an old fence is refused", fencedWrites},
		{"of 100 who ask at once, one gets the lease", crowd},
		{"a lease of another store is refused", foreign},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, fresh(t))
		})
	}
}

// within is a context for a call that has to end.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func put(t *testing.T, s store.Store, name, value string, under store.Lease) {
	t.Helper()
	if err := s.Put(within(t), name, []byte(value), under); err != nil {
		t.Fatalf("Put %s: %v", name, err)
	}
}

// holds fails unless the store has that value.
func holds(t *testing.T, s store.Store, name, want string) {
	t.Helper()
	got, err := s.Get(within(t), name)
	if err != nil || string(got) != want {
		t.Errorf("%s is %.40q, %v, want %.40q", name, got, err, want)
	}
}

// is fails unless err is target.
func is(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", what, err, target)
	}
}

func acquire(t *testing.T, s store.Store, name string, ttl time.Duration) store.Lease {
	t.Helper()
	lease, err := s.Acquire(within(t), name, "a test", ttl)
	if err != nil {
		t.Fatalf("Acquire %s: %v", name, err)
	}
	return lease
}

// acquireEventually asks until the lease is given, as someone does who waits for its end.
func acquireEventually(t *testing.T, s store.Store, name string) store.Lease {
	t.Helper()
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for ctx := within(t); ; {
		lease, err := s.Acquire(ctx, name, "a test that waits", hour)
		if err == nil {
			return lease
		}
		if !errors.Is(err, store.ErrHeld) {
			t.Fatalf("Acquire %s: %v", name, err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s never ran out", name)
		case <-pause.C:
		}
	}
}
