package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// startingStore answers the first reads of all replicas before any of them writes.
type startingStore struct {
	store.Memory
	mu       sync.Mutex
	expected int
	all      chan struct{} // closed once they have read
	names    []string      // of the leases that were asked for
	refuse   error         // what Acquire says, nil for the truth
}

func (s *startingStore) Get(ctx context.Context, name string) ([]byte, error) {
	value, err := s.Memory.Get(ctx, name)
	s.mu.Lock()
	if s.expected--; s.expected == 0 {
		close(s.all)
	}
	s.mu.Unlock()
	<-s.all
	return value, err
}

func (s *startingStore) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	s.mu.Lock()
	s.names = append(s.names, name)
	s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	return s.Memory.Acquire(ctx, name, holder, ttl)
}

func accountIn(s store.Store, log *bytes.Buffer) *account {
	return newAccount(&Options{Directory: ProductionURL, Store: s, Log: slog.New(slog.NewTextHandler(log, nil))})
}

func TestAccountOfReplicas(t *testing.T) {
	t.Run("that start at once is one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const replicas = 8
			s := &startingStore{expected: replicas, all: make(chan struct{})}
			keys := make([]*ecdsa.PrivateKey, replicas)
			var all sync.WaitGroup
			for i := range keys {
				all.Go(func() {
					var err error
					if keys[i], err = accountIn(s, new(bytes.Buffer)).signer(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for _, key := range keys {
				if !key.Equal(keys[0]) {
					t.Error("two replicas are two accounts")
				}
			}
			if a := accountIn(s, new(bytes.Buffer)); s.names[0] != a.name {
				t.Errorf("the lease is called %s, the account %s", s.names[0], a.name)
			}
		})
	})
	t.Run("of which one died while it made the key is made by another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var s store.Memory
			a := accountIn(&s, new(bytes.Buffer))
			if _, err := s.Acquire(t.Context(), a.name, "a dead one", 3*time.Second); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := a.signer(t.Context()); err != nil || time.Since(began) > 4*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	})
	t.Run("is made without the lease where that is not to be had", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, log := &startingStore{expected: 1, all: make(chan struct{}), refuse: store.ErrHeld}, new(bytes.Buffer)
			key, err := accountIn(s, log).signer(t.Context())
			if err != nil || log.Len() > 0 {
				t.Fatal(err, log)
			}
			again, err := accountIn(s, log).signer(t.Context())
			if err != nil || !again.Equal(key) {
				t.Error("the key was not stored", err)
			}
		})
	})
	t.Run("ends its wait for the lease when it is told to", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var s store.Memory
			a := accountIn(&s, new(bytes.Buffer))
			if _, err := s.Acquire(t.Context(), a.name, "another", time.Hour); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			if _, err := a.signer(ctx); err == nil || time.Since(began) != time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
			if names, _ := s.List(t.Context(), "account/"); len(names) > 0 {
				t.Errorf("it stored %s", strings.Join(names, ", "))
			}
		})
	})
}
