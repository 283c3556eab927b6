package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// skipFirst and skipMost bound for how long reads pass by a layer that failed, when
	// there is something to return without it.
	skipFirst = 100 * time.Millisecond
	skipMost  = time.Second
)

// layer is a store below memory, with a count of what it did.
type layer struct {
	l     *Layered
	name  string // for the log and for metrics
	store Store
	slots chan struct{} // of callsLimit

	mu     sync.Mutex
	errors uint64
	since  time.Time // of the first failure without a success after it, zero while it works
	last   string
	skip   time.Duration
	until  time.Time // reads pass by until then
}

func newLayer(l *Layered, name string, s Store) *layer {
	return &layer{l: l, name: name, store: s, slots: make(chan struct{}, callsLimit)}
}

// ask calls into a layer, and waits no longer than bound for its place and its answer. A
// call that ignores its context goes on alone and keeps its place until it ends.
func ask[T any](ctx context.Context, y *layer, bound time.Duration, do func(ctx context.Context) (T, error)) (answer T, err error) {
	bounded, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("%s: %w", y.store, errSlow))
	defer cancel()
	defer context.AfterFunc(y.l.ctx, cancel)()
	select {
	case y.slots <- struct{}{}:
	case <-bounded.Done():
		return answer, y.note(ctx, context.Cause(bounded))
	}
	if !y.l.begin() {
		<-y.slots
		return answer, errClosed
	}
	type result struct {
		answer T
		err    error
	}
	results := make(chan result, 1)
	go func() {
		defer y.l.work.Done()
		defer func() { <-y.slots }()
		answer, err := do(bounded)
		results <- result{answer, err}
	}()
	select {
	case r := <-results:
		return r.answer, y.note(ctx, r.err)
	case <-bounded.Done():
		return answer, y.note(ctx, context.Cause(bounded))
	}
}

// begin counts one more piece of work, unless Close has come.
func (l *Layered) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work.Add(1)
	}
	return !l.closed
}

// note keeps the books of a call and returns its error. That the caller has gone says
// nothing about the layer, nor does an answer that is no.
func (y *layer) note(ctx context.Context, err error) error {
	failed := err != nil && !isMissing(err) && !errors.Is(err, ErrHeld) && !isFinal(err)
	if failed && (ctx.Err() != nil || y.l.ctx.Err() != nil) {
		return err
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	now := time.Now()
	switch {
	case !failed && !y.since.IsZero():
		y.l.log.Info("the certificate store works again", "layer", y.name, "store", y.store.String(), "after", now.Sub(y.since).Round(time.Millisecond))
		y.since, y.until, y.skip = time.Time{}, time.Time{}, 0
	case failed:
		y.errors++
		y.last = err.Error()
		y.skip = min(max(2*y.skip, skipFirst), skipMost)
		y.until = now.Add(y.skip)
		if y.since.IsZero() {
			y.since = now
			y.l.log.Warn("the certificate store fails, what is here goes on being served", "layer", y.name, "store", y.store.String(), "error", err)
		}
	}
	return err
}

// skipped tells reads to pass by.
func (y *layer) skipped() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return time.Now().Before(y.until)
}
