package acme

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"
)

const (
	// lookTimeout bounds a look at the shared store on behalf of a peer.
	lookTimeout = 2 * time.Second
	// lookLimit bounds how many such looks there are at once, of each kind of challenge.
	lookLimit = 8
	// lookPause is the least time between the beginnings of two looks for the same name:
	// the peer is anybody, may ask as often as a network carries, and each look may be a
	// request to another's API.
	lookPause = time.Second
)

// errNoTurn is a look that the other hosts' kept from its turn.
var errNoTurn = errors.New("too many looks at the store at once")

// looks are those at one name of the shared store, on behalf of all who ask for it. One
// is under way at a time, and whoever asks meanwhile shares the next one: so a crowd that
// asks costs the store as much as one peer does, and cannot keep the CA from its answer.
type looks struct {
	name  string
	slots chan struct{} // shared with the looks at other names

	mu   sync.Mutex
	last *look
}

// look is one of them. Until done is closed only who makes it may read the last three.
type look struct {
	number uint64
	began  time.Time
	done   chan struct{}
	found  answer
	ok     bool // found is
	failed bool // the store did not say
}

func newLooks(name string, slots chan struct{}) *looks {
	first := &look{done: make(chan struct{})} // number 0, long ago, which saw nothing
	close(first.done)
	return &looks{name: name, slots: slots, last: first}
}

// ask returns what the store has under the name, as seen by a look that began after the
// call. Where one fails that is under way meanwhile, it says at once that there is
// nothing: the others would wait as long. It waits for one look that another began, and
// for one of its own: 4 s at most, 2 s while the store hangs.
func (l *looks) ask(ctx context.Context, c *Challenges) (answer, bool) {
	due := l.latest() + 1
	for ctx.Err() == nil {
		at, wait := l.join(ctx, c, due)
		if at == nil {
			_ = sleep(ctx, ctx, wait) // the loop's condition tells how it ended
			continue
		}
		select {
		case <-at.done:
		case <-ctx.Done():
			return answer{}, false
		}
		if at.failed || at.number >= due {
			return at.found, at.ok
		}
	}
	return answer{}, false
}

// latest is the number of the look that began last.
func (l *looks) latest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.number
}

// join returns the look to wait for: the last one where it is under way, or as new as is
// due, else one that it makes. Nil while it is too early for that, by wait.
func (l *looks) join(ctx context.Context, c *Challenges, due uint64) (at *look, wait time.Duration) {
	l.mu.Lock()
	last := l.last
	over := false
	select {
	case <-last.done:
		over = true
	default:
	}
	if last.number >= due || !over {
		l.mu.Unlock()
		return last, 0
	}
	if wait = lookPause - time.Since(last.began); wait > 0 {
		l.mu.Unlock()
		return nil, wait
	}
	at = &look{number: last.number + 1, began: time.Now(), done: make(chan struct{}), failed: true}
	l.last = at
	l.mu.Unlock()
	l.make(ctx, c, at)
	return at, 0
}

// make is a look. It goes on where the peer on whose behalf it began has gone: others
// wait for it.
func (l *looks) make(ctx context.Context, c *Challenges, at *look) {
	defer close(at.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	found, err := l.read(ctx, c)
	at.found, at.ok = found, err == nil
	at.failed = err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoAnswer)
}

func (l *looks) read(ctx context.Context, c *Challenges) (answer, error) {
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-ctx.Done():
		return answer{}, errNoTurn
	}
	return c.read(ctx, l.name)
}
