package account

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// knownFor is how long an address is one from which a member has signed in.
const knownFor = 90 * 24 * time.Hour

// A guess is an attempt to use a password, from when it is admitted until it is known whether it
// was right.
type guess struct {
	t     *throttle
	from  netip.Addr
	keys  []string // of the address and its network, pending
	limit [][]Limit
}

// guess admits an attempt from an address as far as the address goes; wait is how long to come
// back later, 0 where it is admitted. It is counted when it turns out wrong, and until then it
// holds a place, so that parallel ones gain nothing on this process. (Another process does not
// know of it: each admits so many more at once as it hashes.) An error is the store's: without
// it nobody guesses. The caller calls done.
func (t *throttle) guess(ctx context.Context, from netip.Addr) (g *guess, wait time.Duration, err error) {
	g = &guess{t: t, from: from}
	for key, limits := range t.addressKeys(from) {
		before := t.pend(key)
		g.keys, g.limit = append(g.keys, key), append(g.limit, limits)
		wait, err = t.look(ctx, key, limits, before)
		if wait > 0 || err != nil {
			g.done()
			return nil, wait, err
		}
	}
	return g, 0, nil
}

// of admits the attempt as far as the name goes, known under id, and counts it, before any work
// is done.
func (g *guess) of(ctx context.Context, name, id string) (wait time.Duration, err error) {
	who := hashed(name)
	mark := ""
	if g.from.IsValid() {
		if mark, err = g.t.mark(ctx, knownKey(name, id, g.from)); err != nil {
			return 0, err
		}
		// The mark is another after each right password: those before it count no longer.
		key := "throttle/both/" + who + "/" + network(g.from) + "/" + mark
		if wait, err = g.t.take(ctx, key, g.t.limits.NameAndAddress); wait > 0 || err != nil {
			return wait, err
		}
	}
	if mark != "" {
		return 0, nil
	}
	return g.t.take(ctx, "throttle/name/"+who, g.t.limits.Name)
}

// wrong counts the attempt for the address. It goes on when the client has left. On an error
// the attempt is not to be told as wrong: who is not counted would learn for nothing.
func (g *guess) wrong(ctx context.Context) error {
	for i, key := range g.keys {
		if _, err := g.t.take(context.WithoutCancel(ctx), key, g.limit[i]); err != nil {
			return err
		}
	}
	return nil
}

// done gives the place free.
func (g *guess) done() {
	g.t.mu.Lock()
	defer g.t.mu.Unlock()
	for _, key := range g.keys {
		if g.t.pending[key]--; g.t.pending[key] <= 0 {
			delete(g.t.pending, key)
		}
	}
	g.keys = nil
}

// right are the changes that remember from where a member has signed in, under the id that the
// member has from now on.
func (t *throttle) right(name, id string, from netip.Addr) []session.Change {
	if !from.IsValid() {
		return nil
	}
	value, err := json.Marshal(knownRecord{Mark: newID()})
	if err != nil {
		panic(err) // of a string
	}
	return []session.Change{{Key: knownKey(name, id, from), Value: value, Expires: t.now().Add(knownFor), Quiet: true}}
}

// knownRecord is of an address from which a member has signed in.
type knownRecord struct {
	Mark string `json:"mark"`
}

// mark is that of an address from which the member has signed in, "" for another.
func (t *throttle) mark(ctx context.Context, key string) (string, error) {
	r, err := t.store.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var known knownRecord
	if json.Unmarshal(r.Value, &known) != nil {
		return "", nil
	}
	return known.Mark, nil
}

// knownKey is where it is remembered. The id is the member's, another after each change of the
// password and for the next of that name; a name that nobody has, or an older record, has none.
func knownKey(name, id string, from netip.Addr) string {
	if id == "" {
		id = hashed(name)
	}
	return "known/" + id + "/" + network(from)
}

// fullMost bounds what is remembered of limits that are reached. Beyond it all is forgotten.
const fullMost = 10_000

// full remembers which windows are full until when: who is refused asks the store no more.
type full struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (f *full) wait(key string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(0, time.Until(f.until[key]))
}

func (f *full) set(key string, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.until == nil || len(f.until) >= fullMost {
		f.until = make(map[string]time.Time)
	}
	f.until[key] = time.Now().Add(wait)
}
