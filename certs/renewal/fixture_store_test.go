package renewal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// memory is a store that all replicas of a test share.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	leases map[string]*memoryLease
	fences map[string]uint64
	gets   int
}

func newMemory() *memory {
	return &memory{values: map[string][]byte{}, leases: map[string]*memoryLease{}, fences: map[string]uint64{}}
}

func (m *memory) value(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[name]
}

func (m *memory) set(name string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name] = value
}

// replicaStore is the memory as one replica sees it, through a network that may fail.
type replicaStore struct {
	memory *memory
	mu     sync.Mutex
	fault  func(ctx context.Context, op, name string) error
}

// fail has each call answered by f, where that returns an error; nil mends the store.
func (r *replicaStore) fail(f func(ctx context.Context, op, name string) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

func (r *replicaStore) check(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	fault := r.fault
	r.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(ctx, op, name)
}

var errDead = errors.New("connection refused")

// dead answers every call with an error, hanging with the end of its context.
func dead(context.Context, string, string) error { return errDead }

func hanging(ctx context.Context, _, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// readOnly refuses whatever changes something.
func readOnly(_ context.Context, op, _ string) error {
	if op == "get" {
		return nil
	}
	return errDead
}

func (r *replicaStore) Get(ctx context.Context, name string) ([]byte, error) {
	if err := r.check(ctx, "get", name); err != nil {
		return nil, err
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	r.memory.gets++
	value, ok := r.memory.values[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(value), nil
}

func (r *replicaStore) Put(ctx context.Context, name string, value []byte, under store.Lease) error {
	if err := r.check(ctx, "put", name); err != nil {
		return err
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if under == nil {
		panic("a write without a fence")
	}
	if len(value) > store.MaxValueBytes {
		panic("a value that is too long")
	}
	if r.memory.fences[under.Name()] != under.Fence() {
		return store.ErrLost
	}
	r.memory.values[name] = bytes.Clone(value)
	return nil
}

func (r *replicaStore) Delete(ctx context.Context, name string, _ store.Lease) error {
	if err := r.check(ctx, "delete", name); err != nil {
		return err
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	delete(r.memory.values, name)
	return nil
}

func (r *replicaStore) List(ctx context.Context, prefix string) ([]string, error) {
	if err := r.check(ctx, "list", prefix); err != nil {
		return nil, err
	}
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	names := slices.Sorted(maps.Keys(r.memory.values))
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, prefix) }), nil
}

func (r *replicaStore) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := r.check(ctx, "acquire", name); err != nil {
		return nil, err
	}
	m := r.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if held := m.leases[name]; held != nil && time.Now().Before(held.until) {
		return nil, fmt.Errorf("%w: %s", store.ErrHeld, held.holder)
	}
	m.fences[name]++
	l := &memoryLease{store: r, name: name, holder: holder, ttl: ttl, fence: m.fences[name], until: time.Now().Add(ttl)}
	m.leases[name] = l
	return l, nil
}

func (r *replicaStore) String() string { return "memory" }

type memoryLease struct {
	store        *replicaStore
	name, holder string
	ttl          time.Duration
	fence        uint64
	until        time.Time
}

func (l *memoryLease) Fence() uint64 { return l.fence }
func (l *memoryLease) Name() string  { return l.name }

func (l *memoryLease) Renew(ctx context.Context) error {
	if err := l.store.check(ctx, "renew", l.name); err != nil {
		return err
	}
	m := l.store.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fences[l.name] != l.fence || !time.Now().Before(l.until) {
		return store.ErrLost
	}
	l.until = time.Now().Add(l.ttl)
	return nil
}

func (l *memoryLease) Release(ctx context.Context) error {
	if err := l.store.check(ctx, "release", l.name); err != nil {
		return err
	}
	m := l.store.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fences[l.name] == l.fence {
		delete(m.leases, l.name)
	}
	return nil
}
