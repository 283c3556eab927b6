package kubestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/kubestore/kubetest"
)

// stopped opens a store whose snapshots age only when the returned function is called.
func stopped(t *testing.T, a *kubetest.API) (s *Store, pass func(time.Duration)) {
	t.Helper()
	s = open(t, a, "web/certificates")
	now := time.Now()
	s.snapshots.now = func() time.Time { return now }
	return s, func(d time.Duration) { now = now.Add(d) }
}

// costs fails unless do sends this many readings of the Secret.
func costs(t *testing.T, a *kubetest.API, want int, do func()) {
	t.Helper()
	before := a.Requests("get", "secrets")
	do()
	if got := a.Requests("get", "secrets") - before; got != want {
		t.Errorf("the Secret was read %d times, want %d", got, want)
	}
}

func lacks(t *testing.T, s *Store, name string) {
	t.Helper()
	if got, err := s.Get(within(t), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is %q, %v", name, got, err)
	}
}

func TestSnapshots(t *testing.T) {
	t.Run("what is there and what is not cost one reading of the Secret in half a second", func(t *testing.T) {
		a := startAPI(t)
		s, pass := stopped(t, a)
		put(t, s, "cert/example.org", "value", nil)
		ask := func() {
			for i := range 50 {
				lacks(t, s, fmt.Sprintf("cert/stranger-%d.example", i))
				holds(t, s, "cert/example.org", "value")
				if names, err := s.List(within(t), "cert/"); err != nil || len(names) != 1 {
					t.Errorf("List is %q, %v", names, err)
				}
			}
		}
		costs(t, a, 1, ask)
		pass(snapshotAge)
		costs(t, a, 0, ask)
		pass(1)
		costs(t, a, 1, ask)
	})
	t.Run("no Secret at all is remembered as well", func(t *testing.T) {
		a := startAPI(t)
		s, _ := stopped(t, a)
		costs(t, a, 1, func() {
			lacks(t, s, "cert/example.org")
			lacks(t, s, "cert/example.org")
		})
	})
	t.Run("a write of one's own is seen at once", func(t *testing.T) {
		s, _ := stopped(t, startAPI(t))
		lacks(t, s, "cert/example.org")
		put(t, s, "cert/example.org", "first", nil)
		holds(t, s, "cert/example.org", "first")
		if err := s.Delete(within(t), "cert/example.org", nil); err != nil {
			t.Fatal(err)
		}
		lacks(t, s, "cert/example.org")
	})
	t.Run("whoever takes a lease reads what the holder before wrote", func(t *testing.T) {
		a := startAPI(t)
		s, _ := stopped(t, a)
		other := open(t, a, "web/certificates")
		lacks(t, s, "ledger/example.org")
		put(t, other, "ledger/example.org", "{}", nil)
		lacks(t, s, "ledger/example.org") // half a second has not passed
		if _, err := s.Acquire(within(t), "order/example.org", "x", time.Hour); err != nil {
			t.Fatal(err)
		}
		holds(t, s, "ledger/example.org", "{}")
	})
	t.Run("a reading that a write came into is not kept", func(t *testing.T) {
		a := startAPI(t)
		s, _ := stopped(t, a)
		asked := 0
		s.snapshots.now = func() time.Time {
			if asked++; asked == 2 { // once for the call, then for the reading
				s.snapshots.forget()
			}
			return time.Unix(1, 0)
		}
		lacks(t, s, "cert/example.org")
		if !s.snapshots.last.began.IsZero() {
			t.Error("it was kept")
		}
	})
	t.Run("a challenge is read anew, since another replica wrote it a moment ago", func(t *testing.T) {
		a := startAPI(t)
		s, pass := stopped(t, a)
		other := open(t, a, "web/certificates")
		lacks(t, s, "challenge/http-01/example.org/0f")
		put(t, other, "challenge/http-01/example.org/0f", "{}", nil)
		pass(1)
		holds(t, s, "challenge/http-01/example.org/0f", "{}")
	})
	t.Run("what Get returns is the caller's", func(t *testing.T) {
		s, _ := stopped(t, startAPI(t))
		put(t, s, "cert/example.org", "value", nil)
		value, err := s.Get(within(t), "cert/example.org")
		if err != nil {
			t.Fatal(err)
		}
		clear(value)
		holds(t, s, "cert/example.org", "value")
	})
	t.Run("a failure is not remembered", func(t *testing.T) {
		a := startAPI(t)
		s, pass := stopped(t, a)
		put(t, s, "cert/example.org", "value", nil)
		a.Fail(500)
		_, err := s.Get(within(t), "cert/example.org")
		says(t, err, "500")
		pass(1)
		holds(t, s, "cert/example.org", "value")
	})
	t.Run("those who ask at once share what one is told", func(t *testing.T) {
		a := startAPI(t)
		s, _ := stopped(t, a)
		costs(t, a, 1, func() {
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { lacks(t, s, "challenge/tls-alpn-01/example.org") })
			}
			wg.Wait()
		})
	})
	t.Run("one who leaves leaves the others no error", func(t *testing.T) {
		a := startAPI(t)
		s, _ := stopped(t, a)
		put(t, s, "cert/example.org", "value", nil)
		gone, leave := context.WithCancel(t.Context())
		s.snapshots.reading <- struct{}{}
		left := make(chan error, 1)
		go func() {
			_, err := s.Get(gone, "cert/example.org")
			left <- err
		}()
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		<-s.snapshots.reading
		holds(t, s, "cert/example.org", "value")
	})
}
