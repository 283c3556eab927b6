package session

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"
)

const (
	// longestTouchPause is how often at most a session's last-seen time is written.
	longestTouchPause = time.Minute
	// touchShare is which part of the idle time that is at most: other processes know a
	// session as unused for no longer than it is, within this.
	touchShare = 8
	// touchedAtOnce is how many sessions one Apply writes.
	touchedAtOnce = 100
	// touchedLimit bounds how many wait, while the store is away. The others are written
	// when they are seen again.
	touchedLimit = 100_000
	// writePause is between two rounds of writing, at most.
	writePause = time.Second
	// lastWrite is how long Run writes after its end was asked for.
	lastWrite = time.Second
)

// touched are the sessions whose last-seen times wait to be written.
type touched struct {
	mu   sync.Mutex
	seen map[id]time.Time
}

func (t *touched) add(i id, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[id]time.Time{}
	}
	if _, waits := t.seen[i]; waits || len(t.seen) < touchedLimit {
		t.seen[i] = at
	}
}

// visit is a session that was seen.
type visit struct {
	id id
	at time.Time
}

// take removes up to n of those that wait.
func (t *touched) take(n int) (some []visit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, at := range t.seen {
		if len(some) == n {
			break
		}
		some = append(some, visit{i, at})
		delete(t.seen, i)
	}
	return some
}

// back puts those back that could not be written, unless they were seen again.
func (t *touched) back(some []visit) {
	for _, v := range some {
		t.mu.Lock()
		_, newer := t.seen[v.id]
		t.mu.Unlock()
		if !newer {
			t.add(v.id, v.at)
		}
	}
}

func (m *Manager) touchPause() time.Duration {
	return min(longestTouchPause, m.config.IdleTimeout/touchShare)
}

// kept is how long the store keeps a session that is not seen: a little longer than it is valid,
// so that who comes at the last moment finds it still there when that is written.
func (m *Manager) kept() time.Duration { return m.config.IdleTimeout + 2*m.touchPause() }

// touch notes that s was seen.
func (m *Manager) touch(i id, s *remembered, now time.Time) {
	at, pause := now.UnixNano(), int64(m.touchPause())
	s.seen.Store(at)
	// A due time further off than a pause was noted by a clock that was ahead.
	if due := s.due.Load(); (at >= due || due-at > pause) && s.due.CompareAndSwap(due, at+pause) {
		m.touched.add(i, now)
	}
}

// writeTouched writes last-seen times until ctx is done, and the rest then.
func (m *Manager) writeTouched(ctx context.Context) {
	tick := time.NewTicker(min(writePause, m.touchPause()/2))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			m.writeRound(ctx)
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	m.writeRound(last)
}

// writeRound writes what waits, until the store fails.
func (m *Manager) writeRound(ctx context.Context) {
	for ctx.Err() == nil {
		some := m.touched.take(touchedAtOnce)
		if len(some) == 0 {
			return
		}
		if err := m.writeSome(ctx, some); err != nil {
			m.touched.back(some)
			return
		}
	}
}

// writeSome writes some at once, and each by itself if one of them stands in the others' way: it
// was changed meanwhile, or cannot be written at all.
func (m *Manager) writeSome(ctx context.Context, some []visit) error {
	var all []Change
	for _, v := range some {
		changes, err := m.touchChanges(ctx, v)
		if err := m.passOver(ctx, err); err != nil {
			return err
		}
		all = append(all, changes...)
	}
	if len(all) == 0 {
		return nil
	}
	err := m.store.applyQuietly(ctx, all)
	if err == nil || m.passOver(ctx, err) != nil {
		return err
	}
	for _, v := range some {
		changes, err := m.touchChanges(ctx, v)
		if err == nil && len(changes) > 0 {
			err = m.store.applyQuietly(ctx, changes)
		}
		if err := m.passOver(ctx, err); err != nil {
			return err
		}
	}
	return nil
}

// passOver is what of a visit's error concerns the other visits: that the store is away, or the time
// is up. Else it is about the one record, and no reason to keep the others unwritten.
func (m *Manager) passOver(ctx context.Context, err error) error {
	if _, away := errors.AsType[*Unavailable](err); away || err == nil || ctx.Err() != nil {
		return err
	}
	if !errors.Is(err, ErrConflict) { // whoever changed it has seen it
		m.config.Log.Warn("a last-seen time cannot be written", "store", m.store.String(), "error", err)
	}
	return nil
}

// touchChanges are what notes a visit: on the record as it is now, so that a sign-out is never
// undone.
func (m *Manager) touchChanges(ctx context.Context, v visit) ([]Change, error) {
	rec, err := m.store.Get(ctx, sessionKey(v.id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := m.parse(rec)
	if err != nil {
		return nil, nil // not ours to change
	}
	if v.at.Sub(s.Seen) < m.touchPause() {
		return nil, nil // another process was here
	}
	next := *s.record
	next.Seen = stamp(v.at)
	return next.writes(v.id, m.kept(), Unchanged(rec), true)
}

// applyQuietly is Apply of changes of which nobody errs who remembers the records.
func (b *bounded) applyQuietly(ctx context.Context, changes []Change) error {
	if err := CheckChanges(changes); err != nil {
		return err
	}
	return b.through(ctx, &b.writes, b.writeLimit, func(ctx context.Context) error {
		return b.store.Apply(ctx, changes...)
	})
}

// stamp is a time as records have it.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
