package session

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// feedPause is between two questions for what has changed.
	feedPause = 250 * time.Millisecond
	// trust is how long after such a question began what is remembered counts. With the
	// StoreTimeout of a request that asked meanwhile it stays below a second.
	trust = 750 * time.Millisecond
)

// feed is what the store told of changes. The clock is the machine's own, which nobody can set
// back.
type feed struct {
	start   time.Time
	running atomic.Bool
	cursor  atomic.Pointer[Cursor] // nil while nothing is followed
	fresh   atomic.Int64           // when the last question that was answered began, after start; 0 for never
}

// following tells whether a change from now on will be told.
func (f *feed) following() bool { return f.cursor.Load() != nil }

// trusted tells whether what is remembered counts.
func (f *feed) trusted() bool {
	fresh := f.fresh.Load()
	return fresh != 0 && int64(time.Since(f.start))-fresh < int64(trust)
}

// Run follows the changes of the store, so that sessions can be remembered, and writes when
// they were last seen. It returns nil once ctx is done and that is written, a second later at
// most. It runs once at a time.
func (m *Manager) Run(ctx context.Context) error {
	if limit := m.config.StoreTimeout; limit > maxStoreTimeout {
		return fmt.Errorf("session: Config.StoreTimeout is %v, more than %v: a sign-out has to hold everywhere within a second", limit, maxStoreTimeout)
	}
	if !m.feed.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer m.feed.running.Store(false)
	m.unfollow()
	written := make(chan struct{})
	go func() {
		defer close(written)
		m.writeTouched(ctx)
	}()
	tick := time.NewTicker(feedPause)
	defer tick.Stop()
	for ctx.Err() == nil {
		m.follow(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	m.unfollow()
	<-written
	return nil
}

// unfollow forgets everything: what happens from now on is not told.
func (m *Manager) unfollow() {
	m.feed.fresh.Store(0)
	m.feed.cursor.Store(nil)
	m.sessions.forgetAll()
	m.subjects.forgetAll()
}

// follow asks once what has changed, and forgets that.
func (m *Manager) follow(ctx context.Context) {
	began := int64(time.Since(m.feed.start))
	var since Cursor
	if c := m.feed.cursor.Load(); c != nil {
		since = *c
	}
	changes, err := m.store.Changes(ctx, since)
	if err != nil {
		return
	}
	if changes.Lost {
		m.sessions.forgetAll()
		m.subjects.forgetAll()
	}
	for _, key := range changes.Keys {
		m.forget(key)
	}
	m.feed.cursor.Store(&changes.Next)
	m.feed.fresh.Store(max(began, 1))
}
