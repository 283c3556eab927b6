package store

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	retryFirst = 250 * time.Millisecond
	retryMost  = 2 * time.Second
	// failuresInRow ends a round: a store that is dead is not asked for each name.
	failuresInRow = 3
)

// Status is how a Layered store is.
type Status struct {
	Layers []LayerStatus
	// Unsynced are the names of which a layer lacks what memory has, sorted.
	Unsynced []Unsynced
	// Refused counts the different values that Check refused since the start.
	Refused uint64
}

// LayerStatus is how one layer below memory is.
type LayerStatus struct {
	Layer  string // "local" or "remote"
	Store  string
	Errors uint64 // since the start
	// FailingSince is when the first call failed after which none succeeded; zero while the
	// layer works.
	FailingSince time.Time
	LastError    string // "" if there was none
}

// Unsynced is a name of which a layer lacks the newest value.
type Unsynced struct {
	Name          string
	Since         time.Time
	Local, Remote bool // which lacks it
}

// Status returns how the store is now.
func (l *Layered) Status() (s Status) {
	for _, y := range []*layer{l.local, l.remote} {
		if y != nil {
			s.Layers = append(s.Layers, y.status())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Refused = l.aside
	for name, e := range l.entries {
		if e.owed != nil {
			s.Unsynced = append(s.Unsynced, Unsynced{Name: name, Since: e.owed.since, Local: e.owed.local, Remote: e.owed.remote})
		}
	}
	slices.SortFunc(s.Unsynced, func(a, b Unsynced) int { return strings.Compare(a.Name, b.Name) })
	return s
}

func (y *layer) status() LayerStatus {
	y.mu.Lock()
	defer y.mu.Unlock()
	return LayerStatus{Layer: y.name, Store: y.store.String(), Errors: y.errors, FailingSince: y.since, LastError: y.last}
}

// wake has Run look.
func (l *Layered) wake() {
	select {
	case l.kick <- struct{}{}:
	default: // it will look anyway
	}
}

// Run brings to the layers what they lack, until ctx ends, and returns nil. It is called
// once. Attempts are 250 ms apart at first and 2 s at most, with jitter.
func (l *Layered) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.kick:
		}
		for pause := retryFirst; l.owing(); pause = min(2*pause, retryMost) {
			jitter := time.Duration(rand.Int64N(int64(pause / 4)))
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause - jitter):
			}
			l.payAll(ctx)
		}
	}
}

func (l *Layered) owing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.owed != nil {
			return true
		}
	}
	return false
}

// payAll tries every name once, those first that waited longest for it.
func (l *Layered) payAll(ctx context.Context) {
	type name struct {
		text  string
		tried time.Time
	}
	var names []name
	l.mu.Lock()
	for text, e := range l.entries {
		if e.owed != nil {
			names = append(names, name{text, e.owed.tried})
		}
	}
	l.mu.Unlock()
	slices.SortFunc(names, func(a, b name) int { return cmp.Or(a.tried.Compare(b.tried), strings.Compare(a.text, b.text)) })
	failed := 0
	for _, n := range names {
		if failed == failuresInRow || ctx.Err() != nil {
			return
		}
		if l.payName(ctx, n.text) == nil {
			failed = 0
		} else {
			failed++
		}
	}
}

func (l *Layered) payName(ctx context.Context, name string) error {
	e, end, err := l.beginWrite(ctx, name)
	if err != nil {
		return err
	}
	defer end()
	return l.pay(ctx, name, e)
}
