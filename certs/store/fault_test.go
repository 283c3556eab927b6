package store_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

var errBroken = errors.New("broken")

// shaky is a store that can be made to hang, for some names or all, or to fail.
type shaky struct {
	store.Memory

	calls atomic.Int32 // of Get and Put

	mu    sync.Mutex
	hangs func(name string) bool
	deaf  bool // hangs on after its context has ended, until it is let go
	free  chan struct{}
	err   error
}

func (s *shaky) set(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *shaky) hang(names ...string) {
	s.set(func() {
		s.hangs = func(name string) bool {
			for _, n := range names {
				if n == name {
					return true
				}
			}
			return len(names) == 0
		}
	})
}

func (s *shaky) breakDown(err error) { s.set(func() { s.err = err }) }
func (s *shaky) heal()               { s.set(func() { s.err, s.hangs = nil, nil }) }

func (s *shaky) pass(ctx context.Context, name string) error {
	s.mu.Lock()
	hangs, deaf, err := s.hangs != nil && s.hangs(name), s.deaf, s.err
	s.mu.Unlock()
	if hangs && deaf {
		<-s.free
	}
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (s *shaky) Get(ctx context.Context, name string) ([]byte, error) {
	s.calls.Add(1)
	if err := s.pass(ctx, name); err != nil {
		return nil, err
	}
	return s.Memory.Get(ctx, name)
}

func (s *shaky) Put(ctx context.Context, name string, value []byte, under store.Lease) error {
	s.calls.Add(1)
	if err := s.pass(ctx, name); err != nil {
		return err
	}
	return s.Memory.Put(ctx, name, value, under)
}

func (s *shaky) Delete(ctx context.Context, name string, under store.Lease) error {
	if err := s.pass(ctx, name); err != nil {
		return err
	}
	return s.Memory.Delete(ctx, name, under)
}

func (s *shaky) List(ctx context.Context, prefix string) ([]string, error) {
	if err := s.pass(ctx, prefix); err != nil {
		return nil, err
	}
	return s.Memory.List(ctx, prefix)
}

func (s *shaky) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	if err := s.pass(ctx, name); err != nil {
		return nil, err
	}
	return s.Memory.Acquire(ctx, name, holder, ttl)
}

func (s *shaky) String() string { return "shaky" }

// aside is what was put aside.
type asideMemory struct {
	shaky

	kept map[string]string
}

func (a *asideMemory) SetAside(_ context.Context, name string, value []byte, _ time.Time) error {
	a.set(func() { a.kept[name] = string(value) })
	return nil
}

func (a *asideMemory) MoveAside(ctx context.Context, name string, value []byte, now time.Time) error {
	return errors.Join(a.SetAside(ctx, name, value, now), a.Memory.Delete(ctx, name, nil))
}

// logText is a log to look into.
type logText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logText) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
