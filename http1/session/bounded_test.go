package session_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

func TestManagerStoreAway(t *testing.T) {
	calls := map[string]func(ctx context.Context, s session.Store) error{
		"Get":   func(ctx context.Context, s session.Store) error { _, err := s.Get(ctx, "k"); return err },
		"List":  func(ctx context.Context, s session.Store) error { _, err := s.List(ctx, "k", "", 1); return err },
		"Apply": func(ctx context.Context, s session.Store) error { return s.Apply(ctx, session.Change{Key: "k"}) },
	}
	for name, call := range calls {
		t.Run(name+" fails with Unavailable, which tells no secrets, and the log has why once", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				store := &moodyList{newMoodyStore()}
				s := manager(t, session.Config{Store: store, Log: slog.New(slog.NewTextHandler(&log, nil))}).Store()
				store.is(fails)
				for range 20 {
					err := call(context.Background(), s)
					if away, ok := errors.AsType[*session.Unavailable](err); !ok || away.RetryAfter <= 0 || strings.Contains(err.Error(), "redis") {
						t.Fatalf("%v", err)
					}
					time.Sleep(100 * time.Millisecond)
				}
				store.is(well)
				time.Sleep(time.Second)
				if err := call(context.Background(), s); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
				if lines := strings.Split(log.String(), "\n"); len(lines) != 3 || !strings.Contains(lines[0], "fails") || !strings.Contains(lines[1], "answers again") {
					t.Errorf("log %q", &log)
				}
			})
		})
		t.Run(name+" of a caller who leaves says nothing about the store", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &moodyList{newMoodyStore()}
				s := manager(t, session.Config{Store: store}).Store()
				store.is(hangs)
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer cancel()
				if _, away := errors.AsType[*session.Unavailable](call(ctx, s)); !away {
					t.Error("not unavailable")
				}
				gone, leave := context.WithCancel(context.Background())
				leave()
				if err := call(gone, s); err != context.Canceled {
					t.Errorf("%v", err)
				}
				store.is(well)
				if err := call(context.Background(), s); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			})
		})
	}
	t.Run("what no store would take closes no gate", func(t *testing.T) {
		store := newMoodyStore()
		s := manager(t, session.Config{Store: store}).Store()
		if err := s.Apply(context.Background(), session.Change{Key: "k", Value: make([]byte, session.MaxValueBytes+1)}); err == nil || store.applies.Load() != 0 {
			t.Error("the store was asked", err)
		}
		if err := s.Apply(context.Background(), session.Change{Key: "k", Value: []byte("v")}); err != nil {
			t.Error(err)
		}
	})
	t.Run("Close leaves the store to its opener", func(t *testing.T) {
		store := session.NewMemory()
		s := manager(t, session.Config{Store: store}).Store()
		if err := s.Close(); err != nil || s.String() != store.String() {
			t.Error(err)
		}
		if _, err := store.Get(context.Background(), "k"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

// moodyList has its mood at lists too.
type moodyList struct{ *moodyStore }

func (s *moodyList) List(ctx context.Context, prefix, after string, limit int) ([]session.Record, error) {
	if err := s.ready(ctx, false); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, prefix, after, limit)
}

// busyStore has others' changes before its own.
type busyStore struct {
	session.Store
	turns int // that others have
}

func (s *busyStore) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (session.Count, error) {
	if s.turns--; s.turns >= 0 {
		<-ctx.Done()
		return session.Count{}, errors.Join(session.ErrBusy, ctx.Err())
	}
	return s.Store.Take(ctx, key, n, limit, window)
}

func TestManagerStoreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &busyStore{session.NewMemory(), 5}
		s := manager(t, session.Config{Store: store}).Store()
		if c, err := s.Take(context.Background(), "k", 1, 9, time.Hour); err != nil || !c.Taken {
			t.Errorf("%+v, %v; want it to wait longer than a read", c, err)
		}
		store.turns = 1000
		began := time.Now()
		_, err := s.Take(context.Background(), "k", 1, 9, time.Hour)
		if _, away := errors.AsType[*session.Unavailable](err); !away || time.Since(began) != session.DefaultWriteTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		store.turns = 0
		if c, err := s.Take(context.Background(), "k", 1, 9, time.Hour); err != nil || !c.Taken {
			t.Errorf("%+v, %v; the gate has closed", c, err)
		}
	})
}
