package session

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// retryAfter is what clients are told of a store that does not answer.
	retryAfter = time.Second
	// outageLogPause is the least time between two lines about the store.
	outageLogPause = 10 * time.Second
)

// bounded is a store whose calls take no longer than they may, and whose failures are
// *Unavailable. Reads, changes and counters fail apart: with a full disk reads go on.
type bounded struct {
	store                 Store
	readLimit, writeLimit time.Duration
	log                   *slog.Logger
	changed               func([]Change) // after each Apply, whatever came of it

	reads, writes, takes gate
	failures             atomic.Uint64
	logged               atomic.Int64 // Unix time in ns of the last line about a failure
	toldAway             atomic.Bool  // it has not been followed by one about the return
}

func (b *bounded) Get(ctx context.Context, key string) (rec Record, err error) {
	if err := CheckKey(key); err != nil {
		return Record{}, err
	}
	err = b.through(ctx, &b.reads, b.readLimit, func(ctx context.Context) error {
		var err error
		rec, err = b.store.Get(ctx, key)
		return err
	})
	return rec, err
}

func (b *bounded) List(ctx context.Context, prefix, after string, limit int) (all []Record, err error) {
	if err := CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	err = b.through(ctx, &b.reads, b.readLimit, func(ctx context.Context) error {
		var err error
		all, err = b.store.List(ctx, prefix, after, limit)
		return err
	})
	return all, err
}

// Apply forgets what is remembered of the records, also where it is not known whether they
// were changed.
func (b *bounded) Apply(ctx context.Context, changes ...Change) error {
	if err := CheckChanges(changes); err != nil {
		return err // ours, and not the store's: it closes no gate
	}
	defer b.changed(changes)
	return b.through(ctx, &b.writes, b.writeLimit, func(ctx context.Context) error {
		return b.store.Apply(ctx, changes...)
	})
}

// Take waits as long as a read does, since each request may count; as long as a change only where
// the store says that it is well and busy.
func (b *bounded) Take(ctx context.Context, key string, n, limit int64, window time.Duration) (count Count, err error) {
	if err := CheckTake(key, n, limit, window); err != nil {
		return Count{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, max(b.readLimit, b.writeLimit))
	defer cancel()
	for busy := true; busy; {
		busy = false
		err = b.through(ctx, &b.takes, b.readLimit, func(ctx context.Context) error {
			var err error
			count, err = b.store.Take(ctx, key, n, limit, window)
			busy = errors.Is(err, ErrBusy)
			return err
		})
		busy = busy && ctx.Err() == nil
	}
	return count, err
}

// Changes passes no gate: its one caller asks four times a second. No request waits for it.
func (b *bounded) Changes(ctx context.Context, since Cursor) (Changes, error) {
	ctx, cancel := context.WithTimeout(ctx, max(feedPause, b.readLimit))
	defer cancel()
	changes, err := b.store.Changes(ctx, since)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		b.failures.Add(1)
	}
	return changes, err
}

func (b *bounded) String() string { return b.store.String() }

// Close does nothing: the store is its opener's to close.
func (b *bounded) Close() error { return nil }

// through makes one call, if the gate lets it.
func (b *bounded) through(ctx context.Context, g *gate, limit time.Duration, call func(context.Context) error) error {
	probe, ok := g.enter()
	if !ok {
		b.failures.Add(1)
		return &Unavailable{RetryAfter: retryAfter}
	}
	v := failed // also of a call that panics
	var err error
	defer func() {
		if g.leave(probe, v) {
			b.tell(v, err)
		}
	}()
	began := time.Now()
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = call(within)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrConflict):
		v = answered
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		v = unknown
		return ctx.Err()
	case errors.Is(err, ErrBusy):
		v = unknown // it is well, and this was not its turn
	case ctx.Err() != nil && time.Since(began) < limit/2:
		v = unknown // a caller who had waited in line before says nothing about the store
	}
	b.failures.Add(1)
	return &Unavailable{RetryAfter: retryAfter}
}

// tell logs that the store fails, once in a while, and that it answers again.
func (b *bounded) tell(v verdict, err error) {
	if v == answered {
		if b.toldAway.CompareAndSwap(true, false) {
			b.log.Info("the session store answers again", "store", b.store.String())
		}
		return
	}
	now, last := time.Now().UnixNano(), b.logged.Load()
	if (last == 0 || now-last >= int64(outageLogPause)) && b.logged.CompareAndSwap(last, now) {
		b.toldAway.Store(true)
		b.log.Warn("the session store fails", "store", b.store.String(), "error", err)
	}
}
