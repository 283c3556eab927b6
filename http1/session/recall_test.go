package session

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// answers makes a question that is answered with the value and its size.
func answers(value string, bytes int) func() (answer[string], error) {
	return func() (answer[string], error) { return answer[string]{value, bytes, value != ""}, nil }
}

// newStrings remembers strings in one shard.
func newStrings(maxCount, maxBytes int) *recall[string, string] {
	return newRecall[string, string](maxCount*shardCount, maxBytes*shardCount, func(string) uint { return 0 })
}

func TestRecall(t *testing.T) {
	ctx := context.Background()
	t.Run("remembers no more than its number", func(t *testing.T) {
		r := newStrings(10, 1000)
		for i := range 100 {
			_, _, _ = r.load(ctx, strconv.Itoa(i), true, answers("x", 1))
		}
		if n := r.count(); n != 10 {
			t.Errorf("%d are remembered", n)
		}
		if _, found, known := r.get("99"); !found || !known {
			t.Error("the last one is not")
		}
	})
	t.Run("remembers no more than its bytes, and nothing that is too large for them", func(t *testing.T) {
		r := newStrings(1000, 100)
		for i := range 100 {
			_, _, _ = r.load(ctx, strconv.Itoa(i), true, answers("x", 30))
		}
		_, _, _ = r.load(ctx, "large", true, answers("x", 101))
		if n, b := r.count(), r.shards[0].bytes; n != 3 || b != 90 {
			t.Errorf("%d are remembered, %d bytes", n, b)
		}
		r.forgetAll()
		if n, b := r.count(), r.shards[0].bytes; n != 0 || b != 0 {
			t.Errorf("%d are remembered, %d bytes", n, b)
		}
	})
	t.Run("what is not there takes none of the room of what is", func(t *testing.T) {
		r := newStrings(32, 1000)
		_, _, _ = r.load(ctx, "a", true, answers("x", 1))
		for i := range 1000 {
			_, _, _ = r.load(ctx, strconv.Itoa(i), true, answers("", 0))
		}
		_, found, _ := r.get("a")
		if n := len(r.shards[0].absent); n != 2 || !found {
			t.Errorf("%d are remembered as absent", n)
		}
	})
	t.Run("an answer takes the place of an earlier one", func(t *testing.T) {
		r := newStrings(10, 1000)
		for _, value := range []string{"a", "", "b", "c"} {
			_, _, _ = r.load(ctx, "k", true, answers(value, 7))
			if got, found, known := r.get("k"); got != value || found != (value != "") || !known {
				t.Errorf("%q, %v, %v", got, found, known)
			}
		}
		if s := &r.shards[0]; s.bytes != 7 || len(s.absent) != 0 {
			t.Errorf("%d bytes", s.bytes)
		}
	})
	t.Run("errors and what may not be kept are not remembered", func(t *testing.T) {
		r := newStrings(10, 1000)
		_, _, err := r.load(ctx, "a", true, func() (answer[string], error) { return answer[string]{found: true}, errors.New("x") })
		_, _, _ = r.load(ctx, "b", false, answers("x", 1))
		if n := r.count(); n != 0 || err == nil {
			t.Errorf("%d are remembered, %v", n, err)
		}
	})
	t.Run("what is forgotten while it is asked for is not remembered, and asked for anew", func(t *testing.T) {
		for name, forget := range map[string]func(r *recall[string, string]){
			"one": func(r *recall[string, string]) { r.forget("k") }, "all": (*recall[string, string]).forgetAll,
		} {
			r := newStrings(10, 1000)
			_, _, _ = r.load(ctx, "k", true, func() (answer[string], error) {
				forget(r)
				if got, shared, err := r.load(ctx, "k", true, answers("new", 1)); got.value != "new" || shared || err != nil {
					t.Errorf("%s: %v, %v, %v", name, got, shared, err)
				}
				return answer[string]{"old", 1, true}, nil
			})
			if got, _, _ := r.get("k"); got != "new" {
				t.Errorf("%s: %q is remembered", name, got)
			}
		}
	})
	t.Run("a question that panics leaves nobody waiting", func(t *testing.T) {
		r := newStrings(10, 1000)
		func() {
			defer func() { _ = recover() }()
			_, _, _ = r.load(ctx, "k", true, func() (answer[string], error) { panic("x") })
		}()
		if got, shared, err := r.load(ctx, "k", true, answers("x", 1)); got.value != "x" || shared || err != nil {
			t.Error(got, shared, err)
		}
	})
	t.Run("who waits for another's answer gets it, or goes when its time is over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newStrings(10, 1000)
			go func() {
				_, _, _ = r.load(ctx, "k", true, func() (answer[string], error) {
					time.Sleep(time.Second)
					return answer[string]{"x", 1, true}, nil
				})
			}()
			synctest.Wait()
			brief, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, _, err := r.load(brief, "k", true, answers("y", 1))
			if _, away := errors.AsType[*Unavailable](err); !away {
				t.Errorf("%v", err)
			}
			if got, shared, err := r.load(ctx, "k", true, answers("y", 1)); got.value != "x" || !shared || err != nil {
				t.Error(got, shared, err)
			}
		})
	})
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		open := func(wantProbe, want bool) {
			t.Helper()
			if probe, ok := g.enter(); probe != wantProbe || ok != want {
				t.Errorf("probe %v, open %v", probe, ok)
			}
		}
		open(false, true)
		if g.leave(false, answered) || g.leave(false, unknown) || !g.leave(false, failed) || g.leave(false, failed) {
			t.Error("a turn is one after the first failure")
		}
		open(false, false) // not so soon
		time.Sleep(probePause)
		open(true, true)
		open(false, false) // one at a time
		if g.leave(true, unknown) {
			t.Error("who left early knows nothing")
		}
		open(true, true) // the probe is still owed
		if g.leave(true, failed) {
			t.Error("it failed before")
		}
		open(false, false)
		time.Sleep(probePause)
		open(true, true)
		if !g.leave(true, answered) {
			t.Error("it answers")
		}
		open(false, true)
	})
}
