package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Put implements Store. With ErrUnsynced the value is served, and Run goes on.
func (l *Layered) Put(ctx context.Context, name string, value []byte, under Lease) error {
	if err := CheckValue(name, value); err != nil {
		return err
	}
	return l.change(ctx, name, append([]byte{}, value...), under)
}

// Delete implements Store. With ErrUnsynced the name is missing here, and Run goes on.
func (l *Layered) Delete(ctx context.Context, name string, under Lease) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return l.change(ctx, name, nil, under)
}

// beginWrite holds what memory knows of the name, and keeps other writers of it away, until end.
func (l *Layered) beginWrite(ctx context.Context, name string) (e *entry, end func(), err error) {
	e = l.hold(name)
	letGo := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.letGo(name, e)
	}
	if err := e.beginWrite(ctx); err != nil {
		letGo()
		return nil, nil, err
	}
	return e, func() {
		e.endWrite()
		letGo()
	}, nil
}

// change writes a value, nil to delete it, to memory and then to the layers.
func (l *Layered) change(ctx context.Context, name string, value []byte, under Lease) error {
	e, end, err := l.beginWrite(ctx, name)
	if err != nil {
		return err
	}
	defer end()
	l.mu.Lock()
	e.value, e.at, e.epoch = value, time.Now(), l.epoch
	e.gen++
	e.owed = &debt{local: l.keptLocally(name), remote: l.remote != nil, gone: value == nil, under: under, since: time.Now()}
	l.mu.Unlock()
	err = l.pay(ctx, name, e)
	if err == nil || errors.Is(err, ErrLost) || errors.Is(err, errForeign) {
		return err
	}
	l.wake()
	return fmt.Errorf("%s: %w: %w", name, ErrUnsynced, err)
}

// beginWrite waits until nobody else writes the name to the layers.
func (e *entry) beginWrite(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case e.write <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *entry) endWrite() { <-e.write }

// pay brings the layers what they lack of a name. The caller is the one who writes it.
func (l *Layered) pay(ctx context.Context, name string, e *entry) error {
	l.mu.Lock()
	if e.owed == nil {
		l.mu.Unlock()
		return nil
	}
	value, gen := e.value, e.gen
	e.owed.tried = time.Now()
	owed := *e.owed
	l.mu.Unlock()

	var localErr, remoteErr error
	if owed.local {
		localErr = l.payLocal(ctx, name, value, owed)
	}
	if owed.remote && !isFinal(localErr) {
		remoteErr = l.payRemote(ctx, name, value, owed)
	}
	err := errors.Join(localErr, remoteErr)
	if isFinal(err) {
		l.withdraw(name, e, gen)
		return err
	}
	l.settle(e, gen, localErr == nil, remoteErr == nil)
	return err
}

// isFinal tells of a write that no later attempt can mend.
func isFinal(err error) bool { return errors.Is(err, ErrLost) || errors.Is(err, errForeign) }

// payLocal writes to Local. The fence is looked at where the lease was given.
func (l *Layered) payLocal(ctx context.Context, name string, value []byte, owed debt) error {
	under := owed.under
	if l.remote != nil {
		under = nil
	}
	return write(ctx, l.local, name, value, under)
}

// payRemote writes to Remote, and what is doubtful only if nothing better is there.
func (l *Layered) payRemote(ctx context.Context, name string, value []byte, owed debt) error {
	if owed.doubtful {
		theirs, err := l.look(l.remote, name)
		switch {
		case err == nil && bytes.Equal(theirs, value):
			return nil
		case err == nil && (l.newer == nil || !l.newer(name, value, theirs)):
			return fmt.Errorf("%s: another process wrote it since: %w", name, ErrLost)
		case err != nil && !isMissing(err) && !errors.Is(err, errBad):
			return err
		}
	}
	return write(ctx, l.remote, name, value, owed.under)
}

func write(ctx context.Context, y *layer, name string, value []byte, under Lease) error {
	_, err := ask(ctx, y, y.l.patience, func(ctx context.Context) (struct{}, error) {
		if value == nil {
			return struct{}{}, y.store.Delete(ctx, name, under)
		}
		return struct{}{}, y.store.Put(ctx, name, slices.Clone(value), under)
	})
	return err
}

// settle strikes out what was paid.
func (l *Layered) settle(e *entry, gen uint64, local, remote bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.gen != gen || e.owed == nil {
		return
	}
	rest := *e.owed
	rest.local = rest.local && !local
	rest.remote = rest.remote && !remote
	if !rest.local && !rest.remote {
		e.owed = nil
		return
	}
	e.owed = &rest
}

// withdraw forgets a write that came too late: the next read gets the one that was
// faster. The local copy must not stand in for it.
func (l *Layered) withdraw(name string, e *entry, gen uint64) {
	l.mu.Lock()
	if e.gen == gen {
		e.value, e.owed = nil, nil
		e.gen++
	}
	l.mu.Unlock()
	if l.remote == nil || !l.keptLocally(name) {
		return
	}
	if err := write(l.ctx, l.local, name, nil, nil); err != nil {
		l.log.Warn("a value that came too late could not be removed", "name", name, "error", err)
	}
}

// copyDown writes to Local what Remote had.
func (l *Layered) copyDown(name string, e *entry) {
	select {
	case e.write <- struct{}{}:
	default:
		l.wake() // after whoever writes now
		return
	}
	defer e.endWrite()
	if l.pay(l.ctx, name, e) != nil {
		l.wake()
	}
}
