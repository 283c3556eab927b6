package redisstore

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	now := time.Now()
	passes := func(t *testing.T, g *gate, at time.Time) bool {
		t.Helper()
		wait, err := g.enter(at)
		if err != nil || wait < 0 || wait > dialPause {
			t.Fatalf("waits %v, %v; want a pause at most", wait, err)
		}
		return wait == 0
	}
	full := func(t *testing.T) *gate {
		t.Helper()
		g := newGate(nil)
		for range connectionsLimit {
			if !passes(t, g, now) {
				t.Fatal("one of the first waits")
			}
		}
		return g
	}
	t.Run("as many as there may be pass at once, then one a pause", func(t *testing.T) {
		g := full(t)
		for i := range 10 {
			at := now.Add(time.Duration(i) * dialPause)
			if i > 0 && !passes(t, g, at) {
				t.Errorf("none passes after %d pauses", i)
			}
			if passes(t, g, at) || passes(t, g, at.Add(dialPause/2)) {
				t.Errorf("another passes after %d pauses", i)
			}
		}
	})
	t.Run("who waited and went leaves nothing behind", func(t *testing.T) {
		g := full(t)
		for range 10_000 {
			if passes(t, g, now) {
				t.Fatal("too many pass")
			}
		}
		if !passes(t, g, now.Add(dialPause)) {
			t.Error("none passes a pause later")
		}
	})
	t.Run("after a failure one tries, a pause later", func(t *testing.T) {
		g, refused := newGate(nil), errors.New("refused")
		g.passed(t.Context(), now, refused)
		for range 100 {
			if _, err := g.enter(now.Add(dialPause / 2)); !errors.Is(err, refused) {
				t.Fatalf("%v; want the failure", err)
			}
		}
		if !passes(t, g, now.Add(dialPause)) {
			t.Error("none tries")
		}
		if _, err := g.enter(now.Add(dialPause)); !errors.Is(err, refused) {
			t.Errorf("%v; want the failure, while one tries", err)
		}
		g.passed(t.Context(), now.Add(dialPause), nil)
		if !passes(t, g, now.Add(dialPause)) {
			t.Error("none passes though Redis is back")
		}
	})
	t.Run("a caller that left is no failure", func(t *testing.T) {
		g := newGate(nil)
		left, leave := context.WithCancel(t.Context())
		leave()
		g.passed(left, now, context.Canceled)
		if !passes(t, g, now) {
			t.Error("none passes")
		}
	})
}
