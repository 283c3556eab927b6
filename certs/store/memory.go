package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"
)

// errForeign is what a write returns under a lease that another store gave.
var errForeign = errors.New("the lease is of another store")

// Memory is a Store that ends with the process. The zero value is empty and ready.
type Memory struct {
	mu     sync.Mutex
	values map[string][]byte
	leases map[string]memoryHeld
}

// memoryHeld is who took a lease last, and until when it holds.
type memoryHeld struct {
	fence uint64
	until time.Time // zero: given up
}

// String implements Store.
func (m *Memory) String() string { return "memory" }

// Get implements Store.
func (m *Memory) Get(ctx context.Context, name string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), CheckName(name)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.values[name]
	if !ok {
		return nil, missing(name)
	}
	return slices.Clone(value), nil
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, name string, value []byte, under Lease) error {
	if err := errors.Join(ctx.Err(), CheckValue(name, value)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkFence(under); err != nil {
		return err
	}
	if m.values == nil {
		m.values = make(map[string][]byte)
	}
	m.values[name] = slices.Clone(value)
	return nil
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, name string, under Lease) error {
	if err := errors.Join(ctx.Err(), CheckName(name)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.checkFence(under); err != nil {
		return err
	}
	delete(m.values, name)
	return nil
}

// List implements Store.
func (m *Memory) List(ctx context.Context, prefix string) (names []string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.values {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Acquire implements Store.
func (m *Memory) Acquire(ctx context.Context, name, _ string, ttl time.Duration) (Lease, error) {
	if err := errors.Join(ctx.Err(), CheckName(name)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	held, now := m.leases[name], time.Now()
	if now.Before(held.until) {
		return nil, fmt.Errorf("%s: %w", name, ErrHeld)
	}
	if m.leases == nil {
		m.leases = make(map[string]memoryHeld)
	}
	held = memoryHeld{fence: held.fence + 1, until: now.Add(ttl)}
	m.leases[name] = held
	return &memoryLease{m: m, name: name, ttl: ttl, fence: held.fence}, nil
}

// checkFence is called with the lock held.
func (m *Memory) checkFence(under Lease) error {
	if under == nil {
		return nil
	}
	l, ok := under.(*memoryLease)
	if !ok || l.m != m {
		return errForeign
	}
	if m.leases[l.name].fence != l.fence {
		return fmt.Errorf("%s: %w", l.name, ErrLost)
	}
	return nil
}

type memoryLease struct {
	m     *Memory
	name  string
	ttl   time.Duration
	fence uint64
}

func (l *memoryLease) Fence() uint64 { return l.fence }
func (l *memoryLease) Name() string  { return l.name }

func (l *memoryLease) Renew(ctx context.Context) error { return l.set(ctx, l.ttl) }

func (l *memoryLease) Release(ctx context.Context) error { return l.set(ctx, 0) }

func (l *memoryLease) set(ctx context.Context, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	held := l.m.leases[l.name]
	if held.fence != l.fence || held.until.IsZero() {
		return fmt.Errorf("%s: %w", l.name, ErrLost)
	}
	held.until = time.Time{}
	if ttl > 0 {
		held.until = time.Now().Add(ttl)
	}
	l.m.leases[l.name] = held
	return nil
}

func missing(name string) error { return fmt.Errorf("%s: %w", name, fs.ErrNotExist) }
