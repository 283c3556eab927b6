package storetest

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// Opener makes an empty store and returns a function that opens one more handle on it. It
// closes them and removes the store when t ends.
type Opener func(t *testing.T) (handle func() session.Store)

// Run tests the stores that open makes.
func Run(t *testing.T, open Opener) {
	t.Run("records", func(t *testing.T) { testRecords(t, open) })
	t.Run("expiry", func(t *testing.T) { testExpiry(t, open) })
	t.Run("list", func(t *testing.T) { testList(t, open) })
	t.Run("apply", func(t *testing.T) { testApply(t, open) })
	t.Run("at once", func(t *testing.T) { testAtOnce(t, open) })
	t.Run("take", func(t *testing.T) { testTake(t, open) })
	t.Run("changes", func(t *testing.T) { testChanges(t, open) })
	t.Run("lost", func(t *testing.T) { testLost(t, open) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, open) })
	t.Run("ends", func(t *testing.T) { testEnds(t, open) })
	t.Run("closed", func(t *testing.T) { testClosed(t, open) })
}

// patience is when a test gives up. Nothing that works comes near it.
const patience = time.Minute

// desk is a store with two handles and what tests do with it.
type desk struct {
	t   *testing.T
	ctx context.Context
	one session.Store
	two session.Store
}

func newDesk(t *testing.T, open Opener) *desk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	handle := open(t)
	return &desk{t: t, ctx: ctx, one: handle(), two: handle()}
}

// apply makes changes by the first handle, which must be possible.
func (d *desk) apply(changes ...session.Change) {
	d.t.Helper()
	if err := d.one.Apply(d.ctx, changes...); err != nil {
		d.t.Fatalf("apply: %v", err)
	}
}

// put writes one record by the first handle and returns it as the second sees it.
func (d *desk) put(key, value string) session.Record {
	d.t.Helper()
	d.apply(session.Change{Key: key, Value: []byte(value)})
	return d.holds(key, value)
}

// holds tells whether the second handle sees the value.
func (d *desk) holds(key, value string) session.Record {
	d.t.Helper()
	r, err := d.two.Get(d.ctx, key)
	if err != nil || r.Key != key || string(r.Value) != value || r.Version == 0 {
		d.t.Fatalf("get %s: %q under %s, version %d, %v; want %q", key, r.Value, r.Key, r.Version, err, value)
	}
	return r
}

// lacks tells whether the second handle sees no record.
func (d *desk) lacks(key string) {
	d.t.Helper()
	if r, err := d.two.Get(d.ctx, key); !errors.Is(err, fs.ErrNotExist) {
		d.t.Fatalf("get %s: %q, %v; want none", key, r.Value, err)
	}
}

// conflicts tells whether the second handle refuses the changes because of a condition.
func (d *desk) conflicts(changes ...session.Change) {
	d.t.Helper()
	if err := d.two.Apply(d.ctx, changes...); !errors.Is(err, session.ErrConflict) {
		d.t.Fatalf("apply: %v; want a conflict", err)
	}
}

// list is the keys of a List by the second handle.
func (d *desk) list(prefix, after string, limit int) []string {
	d.t.Helper()
	records, err := d.two.List(d.ctx, prefix, after, limit)
	if err != nil {
		d.t.Fatalf("list %q after %q: %v", prefix, after, err)
	}
	var keys []string
	for _, r := range records {
		keys = append(keys, r.Key)
	}
	return keys
}

// await asks until the answer is yes.
func (d *desk) await(what string, ask func() bool) {
	d.t.Helper()
	pause := time.NewTicker(2 * time.Millisecond)
	defer pause.Stop()
	for !ask() {
		select {
		case <-pause.C:
		case <-d.ctx.Done():
			d.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// soon is when short-lived things end: not before the next call, most often, and not long
// after.
func soon() time.Time { return time.Now().Add(40 * time.Millisecond) }
