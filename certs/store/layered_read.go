package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"time"
)

// errBad is what a layer's value counts as that Check refused: missing, but not so that
// another copy should take its place.
var errBad = errors.New("the value was refused")

// keepsAside is what Dir can do with values that are damaged.
type keepsAside interface {
	SetAside(ctx context.Context, name string, value []byte, now time.Time) error
	MoveAside(ctx context.Context, name string, value []byte, now time.Time) error
}

// Get implements Store.
func (l *Layered) Get(ctx context.Context, name string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), CheckName(name)); err != nil {
		return nil, err
	}
	l.mu.Lock()
	e := l.holding(name)
	if l.current(e) {
		value := slices.Clone(e.value)
		l.letGo(name, e)
		l.mu.Unlock()
		return found(name, value)
	}
	f := l.read(name, e)
	l.letGo(name, e)
	l.mu.Unlock()
	return l.await(ctx, name, f)
}

func found(name string, value []byte) ([]byte, error) {
	if value == nil {
		return nil, missing(name)
	}
	return value, nil
}

// current tells whether memory alone answers: what the lowest layer lacks is newest
// here. The lock is held.
func (l *Layered) current(e *entry) bool {
	if e.owed != nil && (e.owed.remote || l.remote == nil && e.owed.local) {
		return true
	}
	return e.value != nil && e.epoch == l.epoch && time.Since(e.at) < l.fresh
}

// read returns the read of a name that is under way, or begins one. The lock is held.
func (l *Layered) read(name string, e *entry) *flight {
	if f := e.flight; f != nil && f.epoch == l.epoch && f.gen == e.gen {
		return f
	}
	f := &flight{done: make(chan struct{}), epoch: l.epoch, gen: e.gen}
	if l.closed {
		f.err = errClosed
		close(f.done)
		return f
	}
	e.flight = f
	e.users++
	l.work.Add(1)
	go l.fly(name, e, f)
	return f
}

// await waits for a flight, and not for ever: a disk may hang as well as a network.
func (l *Layered) await(ctx context.Context, name string, f *flight) ([]byte, error) {
	bound := time.NewTimer(2 * l.wait)
	defer bound.Stop()
	select {
	case <-f.done:
		return slices.Clone(f.value), f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-bound.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entries[name]; e != nil && e.value != nil {
		return slices.Clone(e.value), nil
	}
	return nil, errSlow
}

// fly reads the layers, answers all who wait, and then brings Local up to date.
func (l *Layered) fly(name string, e *entry, f *flight) {
	defer l.work.Done()
	value, owed, err := l.fetch(name, e)
	l.mu.Lock()
	switch {
	case e.gen != f.gen && (e.value != nil || e.owed != nil): // written meanwhile, which is newer
		value, err = found(name, slices.Clone(e.value))
	case e.gen != f.gen: // a write that came too late, or a deletion: the layers know
	case err == nil:
		e.value, e.at, e.epoch = value, time.Now(), f.epoch
		if owed != nil && e.owed == nil {
			e.owed = owed
		}
	case isMissing(err) && e.owed == nil:
		e.value = nil
	}
	f.value, f.err = slices.Clone(value), err
	close(f.done)
	if e.flight == f {
		e.flight = nil
	}
	l.mu.Unlock()
	switch {
	case owed != nil && owed.remote:
		l.wake()
	case owed != nil:
		l.copyDown(name, e)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.letGo(name, e)
}

// fetch asks the layers, and tells what one lacks of what another has.
func (l *Layered) fetch(name string, e *entry) (value []byte, owed *debt, err error) {
	late := l.local != nil && l.local.skipped() // a disk that hangs is asked when nothing else answers
	own, ownErr := l.fetchOwn(name, e, late)
	if l.remote == nil {
		if late && own == nil {
			own, ownErr = l.fetchOwn(name, e, false)
		}
		return own, nil, ownErr
	}
	if own != nil && l.remote.skipped() {
		return own, nil, nil
	}
	theirs, err := l.look(l.remote, name)
	if late && own == nil && err == nil {
		return theirs, nil, nil // a later read compares it to the copy, which may be newer
	}
	if late && own == nil {
		own, _ = l.fetchOwn(name, e, false)
	}
	switch {
	case err == nil && own != nil && l.newer != nil && l.newer(name, own, theirs):
		return own, &debt{remote: true, doubtful: true, since: time.Now()}, nil
	case err == nil && l.keptLocally(name) && !bytes.Equal(own, theirs):
		return theirs, &debt{local: true, since: time.Now()}, nil
	case err == nil:
		return theirs, nil, nil
	case isMissing(err) && own != nil && l.outdated(name, own):
		return own, nil, nil
	case isMissing(err) && own != nil && !l.passes(name):
		return own, &debt{remote: true, doubtful: true, since: time.Now()}, nil
	case isMissing(err):
		return nil, nil, err
	case own != nil:
		return own, nil, nil
	case errors.Is(err, errBad):
		return nil, nil, missing(name)
	default:
		return nil, nil, err
	}
}

// fetchOwn is what this machine has: the local copy, else what memory remembers, unless
// the local copy is the truth and is gone. late passes by the local copy.
func (l *Layered) fetchOwn(name string, e *entry, late bool) ([]byte, error) {
	err := missing(name)
	if l.keptLocally(name) && !late {
		var value []byte
		value, err = l.look(l.local, name)
		if err == nil || l.remote == nil && isMissing(err) {
			return value, err
		}
	}
	l.mu.Lock()
	remembered := slices.Clone(e.value)
	l.mu.Unlock()
	switch {
	case l.usable(name, remembered):
		return remembered, nil
	case errors.Is(err, errBad):
		return nil, missing(name)
	default:
		return nil, err
	}
}

// look reads a name of one layer and checks what comes: errBad if that is refused.
func (l *Layered) look(y *layer, name string) ([]byte, error) {
	value, err := ask(l.ctx, y, l.wait, func(ctx context.Context) ([]byte, error) { return y.store.Get(ctx, name) })
	if err != nil {
		return nil, err
	}
	if value == nil {
		value = []byte{} // empty, and there
	}
	if l.check == nil {
		return value, nil
	}
	if fault := l.check(name, value); fault != nil {
		l.refuse(y, name, value, fault)
		if !errors.Is(fault, ErrOutdated) {
			return nil, errBad
		}
	}
	return value, nil
}

// usable tells whether memory may answer with a value, which was sound when it came.
func (l *Layered) usable(name string, value []byte) bool {
	if value == nil || l.check == nil {
		return value != nil
	}
	fault := l.check(name, value)
	return fault == nil || errors.Is(fault, ErrOutdated)
}

// outdated tells whether a value is a certificate that has ended, which is brought nowhere.
func (l *Layered) outdated(name string, value []byte) bool {
	return l.check != nil && errors.Is(l.check(name, value), ErrOutdated)
}

// refuse puts a value aside, once, and says so, once. A certificate that has ended stays
// where it is, and is used: it may be the clock, and there may be no other.
func (l *Layered) refuse(y *layer, name string, value []byte, fault error) {
	sum := sha256.Sum256(append([]byte(y.name+" "+name+"\n"), value...))
	l.mu.Lock()
	known := l.bad[sum]
	if len(l.bad) >= memoryLimitNames {
		clear(l.bad)
	}
	l.bad[sum] = true
	if !known && !errors.Is(fault, ErrOutdated) {
		l.aside++
	}
	l.mu.Unlock()
	if known {
		return
	}
	if errors.Is(fault, ErrOutdated) {
		l.log.Warn("a certificate in the store has ended", "layer", y.name, "store", y.store.String(), "name", name, "error", fault)
		return
	}
	l.log.Warn("a value in the certificate store is not used", "layer", y.name, "store", y.store.String(), "name", name, "error", fault)
	if l.local == nil {
		return
	}
	keeper, ok := l.local.store.(keepsAside)
	if !ok {
		return
	}
	_, err := ask(l.ctx, l.local, l.wait, func(ctx context.Context) (struct{}, error) {
		if y == l.local {
			return struct{}{}, keeper.MoveAside(ctx, name, value, time.Now())
		}
		return struct{}{}, keeper.SetAside(ctx, name, value, time.Now())
	})
	if err != nil {
		l.log.Warn("a damaged value could not be put aside", "name", name, "error", err)
	}
}
