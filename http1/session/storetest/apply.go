package storetest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

func testApply(t *testing.T, open Opener) {
	t.Run("absent", func(t *testing.T) {
		d := newDesk(t, open)
		d.apply(session.Change{Key: "a", Value: []byte("x"), If: session.Absent()})
		d.conflicts(session.Change{Key: "a", Value: []byte("y"), If: session.Absent()})
		d.conflicts(session.Change{Key: "a", If: session.Absent()})
		d.holds("a", "x")
	})
	t.Run("unchanged", func(t *testing.T) {
		d := newDesk(t, open)
		r := d.put("a", "x")
		d.apply(session.Change{Key: "a", Value: []byte("y"), If: session.Unchanged(r)})
		d.conflicts(session.Change{Key: "a", Value: []byte("z"), If: session.Unchanged(r)})
		d.conflicts(session.Change{Key: "a", If: session.Unchanged(r)})
		d.apply(session.Change{Key: "a", If: session.Unchanged(d.holds("a", "y"))})
		d.lacks("a")
		d.conflicts(session.Change{Key: "a", Value: []byte("z"), If: session.Unchanged(r)})
		d.lacks("a")
	})
	t.Run("a record made again is not the old one", func(t *testing.T) {
		d := newDesk(t, open)
		r := d.put("a", "x")
		d.apply(session.Change{Key: "a"})
		d.put("a", "x")
		d.conflicts(session.Change{Key: "a", If: session.Unchanged(r)})
	})
	t.Run("all or none", func(t *testing.T) {
		d := newDesk(t, open)
		r := d.put("b", "old")
		d.put("c", "old")
		d.put("b", "new")
		d.conflicts(session.Change{Key: "a", Value: []byte("x")}, session.Change{Key: "c"},
			session.Change{Key: "b", Value: []byte("y"), If: session.Unchanged(r)})
		d.lacks("a")
		d.holds("b", "new")
		d.holds("c", "old")
		d.apply(session.Change{Key: "a", Value: []byte("x"), If: session.Absent()}, session.Change{Key: "c"},
			session.Change{Key: "b", Value: []byte("y"), If: session.Unchanged(d.holds("b", "new"))})
		d.holds("a", "x")
		d.holds("b", "y")
		d.lacks("c")
	})
	t.Run("none at all", func(t *testing.T) { newDesk(t, open).apply() })
	t.Run("as many as the limit", func(t *testing.T) {
		d := newDesk(t, open)
		d.apply(numbered(0, session.MaxChanges)...)
		if n := len(d.list("", "", session.MaxListRecords)); n != session.MaxChanges {
			t.Errorf("%d records, want %d", n, session.MaxChanges)
		}
	})
}

// numbered is n changes of as many records.
func numbered(from, n int) []session.Change {
	changes := make([]session.Change, n)
	for i := range changes {
		changes[i] = session.Change{Key: "numbered/" + strconv.Itoa(from+i), Value: []byte("x")}
	}
	return changes
}

// Eight at work over two handles is more than any store serves at a time.
const workers = 8

// together runs work on both handles and waits for it.
func (d *desk) together(work func(s session.Store, worker int)) {
	var all sync.WaitGroup
	for worker := range workers {
		s := d.one
		if worker%2 == 1 {
			s = d.two
		}
		all.Go(func() { work(s, worker) })
	}
	all.Wait()
}

func testAtOnce(t *testing.T, open Opener) {
	t.Run("one of many makes a record", func(t *testing.T) {
		d := newDesk(t, open)
		var made atomic.Int64
		d.together(func(s session.Store, worker int) {
			err := s.Apply(d.ctx, session.Change{Key: "a", Value: []byte{byte(worker)}, If: session.Absent()})
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, session.ErrConflict) {
				t.Error(err)
			}
		})
		if made.Load() != 1 {
			t.Errorf("%d made it", made.Load())
		}
	})
	t.Run("no change is lost", func(t *testing.T) {
		d := newDesk(t, open)
		const rounds = 12
		d.put("n", "0")
		d.together(func(s session.Store, _ int) {
			for range rounds {
				if err := addOne(d.ctx, s); err != nil {
					t.Error(err)
				}
			}
		})
		d.holds("n", strconv.Itoa(workers*rounds))
	})
	t.Run("nobody sees half of it", func(t *testing.T) { testHalves(t, open) })
	t.Run("no take is counted twice or not", func(t *testing.T) { testTakeAtOnce(t, open) })
	t.Run("no change goes untold", func(t *testing.T) { testToldAtOnce(t, open) })
}

// addOne counts in a record as who has no Take must.
func addOne(ctx context.Context, s session.Store) error {
	for {
		r, err := s.Get(ctx, "n")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return err
		}
		err = s.Apply(ctx, session.Change{Key: "n", Value: []byte(strconv.Itoa(n + 1)), If: session.Unchanged(r)})
		if !errors.Is(err, session.ErrConflict) {
			return err
		}
	}
}

func testHalves(t *testing.T, open Opener) {
	d := newDesk(t, open)
	write := func(s session.Store, value string) error {
		return s.Apply(d.ctx, session.Change{Key: "pair/a", Value: []byte(value)},
			session.Change{Key: "between", Value: []byte(value)}, session.Change{Key: "pair/b", Value: []byte(value)})
	}
	if err := write(d.one, "first"); err != nil {
		t.Fatal(err)
	}
	d.together(func(s session.Store, worker int) {
		for i := range 10 {
			if worker < workers/2 {
				if err := write(s, strconv.Itoa(worker*100+i)); err != nil {
					t.Error(err)
				}
				continue
			}
			pair, err := s.List(d.ctx, "pair/", "", 2)
			if err != nil || len(pair) != 2 || string(pair[0].Value) != string(pair[1].Value) {
				t.Errorf("%v, %v", pair, err)
			}
		}
	})
}

func testTakeAtOnce(t *testing.T, open Opener) {
	d := newDesk(t, open)
	const limit, rounds = 50, 10 // of 80
	var mu sync.Mutex
	used := map[int64]bool{}
	d.together(func(s session.Store, _ int) {
		for range rounds {
			c, err := s.Take(d.ctx, "quota/a", 1, limit, time.Hour)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if c.Taken && used[c.Used] {
				t.Errorf("two were the %d.", c.Used)
			}
			used[c.Used] = used[c.Used] || c.Taken
			if !c.Taken && c.Used != limit {
				t.Errorf("refused at %d of %d", c.Used, limit)
			}
			mu.Unlock()
		}
	})
	if len(used) != limit || !used[1] || !used[limit] {
		t.Errorf("%d counted, want %d", len(used), limit)
	}
}

func testToldAtOnce(t *testing.T, open Opener) {
	d := newDesk(t, open)
	const rounds = 10
	start := d.now()
	told, writing := map[string]bool{}, make(chan struct{})
	go func() {
		defer close(writing)
		d.together(func(s session.Store, worker int) {
			for i := range rounds {
				key := "key/" + strconv.Itoa(worker) + "/" + strconv.Itoa(i)
				if err := s.Apply(d.ctx, session.Change{Key: key, Value: []byte("x")}); err != nil {
					t.Error(err)
				}
			}
		})
	}()
	for done := false; !done; {
		select {
		case <-writing:
			done = true // and one look more
		default:
		}
		changes, err := d.two.Changes(d.ctx, start)
		if err != nil || changes.Lost {
			t.Errorf("%v, %v", changes, err)
		}
		for _, key := range changes.Keys {
			if told[key] || !strings.HasPrefix(key, "key/") {
				t.Errorf("%s was told again", key)
			}
			told[key] = true
		}
		start = changes.Next
	}
	if len(told) != workers*rounds {
		t.Errorf("%d told, want %d", len(told), workers*rounds)
	}
}
