package kubestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

const (
	// conflictsLimit is how often a write is done over. This process has one write under way at a time,
	// so each conflict is another replica's success.
	conflictsLimit = 20
	conflictPause  = 20 * time.Millisecond
)

// objectName is what Kubernetes calls objects: DNS subdomains (RFC 1123), shorter here
// since the names of leases are longer.
var objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?$`)

// Store is a certs/store.Store in a Secret.
type Store struct {
	account   credentials
	namespace string
	name      string
	writing   chan struct{} // of one: the writes of one process need not conflict
	snapshots *snapshots

	mu   sync.Mutex
	seen map[string]sighting // leases of others, by name
}

// Open returns the store in the Secret NAMESPACE/NAME. Nothing is asked yet. Close ends it.
func Open(place string, account Account) (*Store, error) {
	namespace, name, ok := strings.Cut(place, "/")
	if !ok || !objectName.MatchString(namespace) || !objectName.MatchString(name) {
		return nil, fmt.Errorf("%q names no Secret: write NAMESPACE/NAME, in lower-case letters, digits and '-'", place)
	}
	return &Store{
		account: credentials{Account: account}, namespace: namespace, name: name,
		writing: make(chan struct{}, 1), snapshots: newSnapshots(), seen: make(map[string]sighting),
	}, nil
}

// Close drops the connections that nobody uses.
func (s *Store) Close() error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	s.account.close()
	return nil
}

// String implements store.Store.
func (s *Store) String() string { return "kubernetes:" + s.namespace + "/" + s.name }

// read returns the Secret, nil where there is none.
func (s *Store) read(ctx context.Context) (*secret, error) {
	x := new(secret)
	err := s.call(ctx, "get", "secrets", s.name, nil, x)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return x, err
}

// Get implements store.Store. What another process wrote, or did not write yet, may be half
// a second old, unless the name is a challenge's; a write of this Store and an Acquire are
// seen at once.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), store.CheckName(name)); err != nil {
		return nil, err
	}
	x, err := s.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	if x != nil {
		if value, ok := x.get(name); ok {
			return bytes.Clone(value), nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// List implements store.Store. The names may be as old as what Get returns.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x, err := s.lookup(ctx, prefix)
	if x == nil || err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(x.names(), func(name string) bool { return !strings.HasPrefix(name, prefix) })
	slices.Sort(names)
	return names, nil
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, name string, value []byte, under store.Lease) error {
	if err := store.CheckValue(name, value); err != nil {
		return err
	}
	return s.change(ctx, under, func(x *secret) error {
		if err := x.put(name, value); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		return nil
	})
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, name string, under store.Lease) error {
	if err := store.CheckName(name); err != nil {
		return err
	}
	return s.change(ctx, under, func(x *secret) error {
		delete(x.data, keyOf(name))
		return nil
	})
}

// change does something to the Secret while no newer holder of the lease has come.
func (s *Store) change(ctx context.Context, under store.Lease, do func(x *secret) error) error {
	if under == nil {
		return s.update(ctx, do)
	}
	l, ok := under.(*lease)
	if !ok || l.s.String() != s.String() {
		return fmt.Errorf("%s: the lease is of another store", s)
	}
	return s.update(ctx, func(x *secret) error {
		if x.fence(l.name) > l.fence {
			return fmt.Errorf("%s: %w", l.name, store.ErrLost)
		}
		x.setFence(l.name, l.fence)
		return do(x)
	})
}

// update reads the Secret, has do change it, and writes it back, again and again while
// others come between.
func (s *Store) update(ctx context.Context, do func(x *secret) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writing }()
	defer s.snapshots.forget()
	for range conflictsLimit {
		if err = s.updateOnce(ctx, do); !errors.Is(err, errConflict) {
			return err
		}
		// Two that conflicted should not meet again.
		select {
		case <-time.After(rand.N(conflictPause)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w, %d times in a row", err, conflictsLimit)
}

func (s *Store) updateOnce(ctx context.Context, do func(x *secret) error) error {
	x, err := s.read(ctx)
	if err != nil {
		return err
	}
	fresh := x == nil
	if fresh {
		x = newSecret(s.name)
	}
	if err := do(x); err != nil {
		return err
	}
	if fresh {
		return s.call(ctx, "create", "secrets", "", x, nil)
	}
	err = s.call(ctx, "update", "secrets", s.name, x, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: deleted: %w", s, errConflict) // and is made anew
	}
	return err
}
