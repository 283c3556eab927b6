package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// now is the second handle's cursor to what comes.
func (d *desk) now() session.Cursor {
	d.t.Helper()
	changes, err := d.two.Changes(d.ctx, "")
	if err != nil || changes.Lost || len(changes.Keys) > 0 || changes.Next == "" {
		d.t.Fatalf("%+v, %v; want a cursor and nothing else", changes, err)
	}
	return changes.Next
}

// tells reads the second handle's changes, which must be these in any order.
func (d *desk) tells(since session.Cursor, want ...string) session.Cursor {
	d.t.Helper()
	changes, err := d.two.Changes(d.ctx, since)
	got := slices.Sorted(slices.Values(changes.Keys))
	slices.Sort(want)
	if err != nil || changes.Lost || !slices.Equal(got, want) || changes.Next == "" {
		d.t.Fatalf("%+v, %v; want %q", changes, err, want)
	}
	return changes.Next
}

func testChanges(t *testing.T, open Opener) {
	t.Run("each key once", func(t *testing.T) {
		d := newDesk(t, open)
		before := d.now()
		d.put("a", "1")
		d.put("b", "1")
		d.put("a", "2")
		d.apply(session.Change{Key: "a"})
		next := d.tells(before, "a", "b")
		d.tells(next)
		d.tells(before, "a", "b") // a cursor may be used again
		d.put("a", "3")
		d.tells(d.tells(next, "a"))
	})
	t.Run("all that one Apply changed", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("c", "old")
		before := d.now()
		d.apply(session.Change{Key: "a", Value: []byte("x")}, session.Change{Key: "b", Value: []byte("x"), Quiet: true}, session.Change{Key: "c"})
		d.tells(before, "a", "c")
	})
	t.Run("one's own too", func(t *testing.T) {
		d := newDesk(t, open)
		before := d.now()
		if err := d.two.Apply(d.ctx, session.Change{Key: "a", Value: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		d.tells(before, "a")
	})
	t.Run("a cursor is the store's, not the handle's", func(t *testing.T) {
		d := newDesk(t, open)
		before := d.now()
		d.put("a", "x")
		d.one, d.two = d.two, d.one
		d.tells(before, "a")
	})
	t.Run("what is quiet, refused, counted or expired is not told", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		before := d.now()
		d.apply(session.Change{Key: "a", Value: []byte("y"), Quiet: true}, session.Change{Key: "b", Quiet: true})
		d.apply(session.Change{Key: "c", Value: []byte("x"), Expires: soon(), Quiet: true})
		d.conflicts(session.Change{Key: "d", Value: []byte("x")}, session.Change{Key: "a", If: session.Absent()})
		d.take(1, 1, time.Hour)
		d.await("the record ends", func() bool { return d.list("c", "", 1) == nil })
		d.tells(before)
	})
	t.Run("before the first change", func(t *testing.T) {
		d := newDesk(t, open)
		d.tells(d.now())
	})
}

func testLost(t *testing.T, open Opener) {
	lost := func(d *desk, since session.Cursor) {
		d.t.Helper()
		changes, err := d.two.Changes(d.ctx, since)
		if err != nil || !changes.Lost {
			d.t.Fatalf("since %q: %d keys, lost %v, %v; want it lost", since, len(changes.Keys), changes.Lost, err)
		}
		d.put("after", "x")
		d.tells(changes.Next, "after")
	}
	t.Run("another store's cursor", func(t *testing.T) {
		other := newDesk(t, open)
		other.put("a", "x")
		d := newDesk(t, open)
		d.put("a", "x")
		lost(d, other.now())
	})
	t.Run("what is no cursor", func(t *testing.T) {
		d := newDesk(t, open)
		d.put("a", "x")
		next := string(d.now())
		for _, since := range []string{"x", ":", "0", next + "0", next + "x", next[:len(next)-1] + "-1", ":" + next, strings.ToLower(next) + " ", strings.Repeat("9", 99)} {
			lost(d, session.Cursor(since))
		}
	})
	t.Run("too old", func(t *testing.T) {
		d := newDesk(t, open)
		before := d.now()
		d.put("a", "x")
		for told := true; told; {
			d.apply(numbered(0, session.MaxChanges)...)
			changes, err := d.two.Changes(d.ctx, before)
			if err != nil {
				t.Fatal(err)
			}
			if told = !changes.Lost; told && len(changes.Keys) != session.MaxChanges+1 {
				t.Fatalf("%d keys, want %d or that they are lost", len(changes.Keys), session.MaxChanges+1)
			}
		}
		lost(d, before)
	})
}
