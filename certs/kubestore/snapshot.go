package kubestore

import (
	"context"
	"strings"
	"sync"
	"time"
)

// snapshotAge is how old the Secret may be that a read is answered from. The API gives it
// as a whole, 1.4 MB of JSON when it is full, so that a name that is asked for and missing
// would cost the cluster as much as all of them.
const snapshotAge = 500 * time.Millisecond

// snapshots share one reading of the Secret among those who ask at the same time or soon
// after. What they hold is nobody's to change.
type snapshots struct {
	age     time.Duration
	now     func() time.Time
	reading chan struct{} // of one: whoever is in it asks the API, and the others wait for what it says

	mu     sync.Mutex
	writes uint64 // a reading that a write of ours came into is not kept
	last   snapshot
}

// snapshot is what the API said to a reading that began at a time.
type snapshot struct {
	began  time.Time
	secret *secret // nil where there was none
	err    error
}

func newSnapshots() *snapshots {
	return &snapshots{age: snapshotAge, now: time.Now, reading: make(chan struct{}, 1)}
}

// forget is called after a write, whether it was done or may have been, and so after each
// Acquire: whoever holds a lease reads what the holder before wrote.
func (n *snapshots) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writes++
	n.last = snapshot{}
}

// lookup returns a Secret that was read for this name, or recently enough for it.
func (s *Store) lookup(ctx context.Context, name string) (*secret, error) {
	n := s.snapshots
	asked := n.now()
	since := asked.Add(-n.age)
	if strings.HasPrefix(name, "challenge") {
		// Another replica wrote it a moment before it told the CA to ask us.
		since = asked
	}
	if last, ok := n.recall(asked, since); ok {
		return last.secret, last.err
	}
	select {
	case n.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-n.reading }()
	if last, ok := n.recall(asked, since); ok {
		return last.secret, last.err
	}
	n.mu.Lock()
	writes := n.writes
	n.mu.Unlock()
	began := n.now()
	x, err := s.read(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	// That the caller has gone is no answer to those who wait.
	if writes == n.writes && ctx.Err() == nil {
		n.last = snapshot{began: began, secret: x, err: err}
	}
	return x, err
}

// recall returns the last snapshot if it is good for somebody. A failure is good only for
// whoever asked before it was tried: the next one tries again.
func (n *snapshots) recall(asked, since time.Time) (snapshot, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last.err != nil {
		since = asked
	}
	return n.last, !n.last.began.IsZero() && !n.last.began.Before(since)
}
