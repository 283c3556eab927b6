package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// bench is a Layered store on layers that can be made to fail, in a bubble where a
// second takes no time.
type bench struct {
	*store.Layered

	local  *asideMemory
	remote *shaky
	log    *logText
}

// isBad refuses values that say so.
func isBad(_ string, value []byte) error {
	if strings.HasPrefix(string(value), "bad") {
		return errors.New("it says so")
	}
	if strings.HasPrefix(string(value), "old") {
		return fmt.Errorf("it is: %w", store.ErrOutdated)
	}
	return nil
}

// isNewer compares the last byte.
func isNewer(_ string, a, b []byte) bool { return a[len(a)-1] > b[len(b)-1] }

// inBubble runs a test with a store on both layers, and with Run at work if asked.
func inBubble(t *testing.T, run bool, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		if run {
			go func() { ended <- b.Run(ctx) }()
		} else {
			ended <- nil
		}
		test(t, b)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		b.close(t)
	})
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{local: &asideMemory{kept: make(map[string]string)}, remote: &shaky{free: make(chan struct{})}, log: new(logText)}
	b.reopen()
	return b
}

// reopen is a new process on the same layers.
func (b *bench) reopen() {
	b.Layered = store.NewLayered(store.Layers{
		Local: b.local, Remote: b.remote, Check: isBad, Newer: isNewer, Passing: []string{"challenge/"}, Log: b.log.logger(),
	})
}

func (b *bench) close(t *testing.T) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// layer is the status of one.
func (b *bench) layer(name string) store.LayerStatus {
	list := b.Status().Layers
	return list[slices.IndexFunc(list, func(s store.LayerStatus) bool { return s.Layer == name })]
}

// took is how long something took.
func took(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func has(t *testing.T, s *store.Memory, name, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), name); err != nil || string(got) != want {
		t.Errorf("%s is %q there, %v, want %q", name, got, err, want)
	}
}

func hasNot(t *testing.T, s *store.Memory, name string) {
	t.Helper()
	if got, err := s.Get(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is %q there, %v", name, got, err)
	}
}

func TestLayeredReads(t *testing.T) {
	t.Run("memory answers while it is fresh, then what another replica wrote is seen", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, b, "cert/example.org", "1")
			before := b.remote.calls.Load()
			mustPut(t, &b.remote.Memory, "cert/example.org", "2")
			holds(t, b, "cert/example.org", "1")
			if b.remote.calls.Load() != before {
				t.Error("it asked")
			}
			time.Sleep(time.Second)
			holds(t, b, "cert/example.org", "2")
			synctest.Wait()
			has(t, &b.local.Memory, "cert/example.org", "2")
		})
	})
	t.Run("whoever takes a lease sees what was written under it before", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, b, "cert/example.org", "1")
			mustPut(t, &b.remote.Memory, "cert/example.org", "2")
			if _, err := b.Acquire(t.Context(), "order/example.org", "x", time.Hour); err != nil {
				t.Fatal(err)
			}
			holds(t, b, "cert/example.org", "2")
		})
	})
	t.Run("a remote that hangs costs one wait, and then nothing", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.local.Memory, "cert/example.org", "1")
			mustPut(t, &b.local.Memory, "cert/example.com", "1")
			b.remote.hang()
			if d := took(func() { holds(t, b, "cert/example.org", "1") }); d != time.Second {
				t.Errorf("it took %v", d)
			}
			if d := took(func() { holds(t, b, "cert/example.com", "1") }); d != 0 {
				t.Errorf("the next name took %v", d)
			}
			if s := b.layer("remote"); s.Errors == 0 || s.FailingSince.IsZero() || !strings.Contains(s.LastError, "shaky: no answer in time") {
				t.Errorf("the status is %+v", s)
			}
		})
	})
	t.Run("a remote that ignores contexts holds nobody up", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			b.remote.set(func() { b.remote.deaf = true })
			b.remote.hang()
			mustPut(t, &b.local.Memory, "cert/example.org", "1")
			for i := range 30 { // more than calls at a time
				d := took(func() {
					if _, err := b.Get(t.Context(), fmt.Sprintf("cert/%d.example", i)); err == nil || errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%v", err)
					}
				})
				if d > 2*time.Second {
					t.Errorf("name %d took %v", i, d)
				}
			}
			holds(t, b, "cert/example.org", "1")
			close(b.remote.free)
		})
	})
	t.Run("a name that hangs holds up no other", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			for i := range 100 {
				mustPut(t, &b.remote.Memory, fmt.Sprintf("cert/%d.example", i), "1")
			}
			b.remote.hang("cert/slow.example")
			var wg sync.WaitGroup
			for range 200 { // one flight for all of them
				wg.Go(func() {
					if _, err := b.Get(t.Context(), "cert/slow.example"); err == nil {
						t.Error("an answer")
					}
				})
			}
			synctest.Wait()
			d := took(func() {
				for i := range 100 {
					holds(t, b, fmt.Sprintf("cert/%d.example", i), "1")
				}
			})
			if d != 0 {
				t.Errorf("the others took %v", d)
			}
			wg.Wait()
			if n := b.remote.calls.Load(); n != 101 {
				t.Errorf("the remote was asked %d times", n)
			}
		})
	})
	t.Run("a disk that hangs does not either", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.remote.Memory, "cert/example.org", "1")
			b.local.hang()
			if d := took(func() { holds(t, b, "cert/example.org", "1") }); d > 2*time.Second {
				t.Errorf("it took %v", d)
			}
			b.local.heal()
		})
	})
	t.Run("a disk that hangs costs one wait, and then nothing", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.remote.Memory, "cert/example.org", "1")
			mustPut(t, &b.remote.Memory, "cert/example.com", "1")
			b.local.hang()
			if d := took(func() { holds(t, b, "cert/example.org", "1") }); d != time.Second {
				t.Errorf("it took %v", d)
			}
			if d := took(func() { holds(t, b, "cert/example.com", "1") }); d != 0 {
				t.Errorf("the next name took %v", d)
			}
			b.local.heal()
		})
	})
	t.Run("a disk that failed a moment ago is asked for what is nowhere else", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.remote.Memory, "cert/example.org", "1")
			mustPut(t, &b.local.Memory, "cert/example.com", "1")
			b.local.hang()
			holds(t, b, "cert/example.org", "1")
			b.local.heal()
			holds(t, b, "cert/example.com", "1")
		})
	})
	t.Run("a copy that is newer outlives that its disk failed", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.remote.Memory, "cert/example.org", "1")
			mustPut(t, &b.remote.Memory, "cert/example.com", "1")
			mustPut(t, &b.local.Memory, "cert/example.com", "2")
			b.local.hang()
			holds(t, b, "cert/example.org", "1")
			holds(t, b, "cert/example.com", "1")
			b.local.heal()
			synctest.Wait()
			has(t, &b.local.Memory, "cert/example.com", "2")
			time.Sleep(2 * time.Second)
			holds(t, b, "cert/example.com", "2")
		})
	})
	t.Run("a disk alone that hangs costs one wait for what memory has", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			disk := &shaky{free: make(chan struct{})}
			l := store.NewLayered(store.Layers{Local: disk})
			mustPut(t, l, "cert/example.org", "1")
			mustPut(t, l, "cert/example.com", "1")
			mustPut(t, &disk.Memory, "cert/other.example", "1")
			time.Sleep(time.Minute)
			disk.hang()
			for i, name := range []string{"cert/example.org", "cert/example.com"} {
				if d := took(func() { holds(t, l, name, "1") }); d != []time.Duration{time.Second, 0}[i] {
					t.Errorf("%s took %v", name, d)
				}
			}
			disk.heal()
			holds(t, l, "cert/other.example", "1")
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("without any answer it is an error, and not a missing value", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			b.remote.breakDown(errBroken)
			_, err := b.Get(t.Context(), "cert/example.org")
			if !errors.Is(err, errBroken) || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("memory outlives both layers", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, b, "cert/example.org", "1")
			b.remote.breakDown(errBroken)
			b.local.breakDown(errBroken)
			time.Sleep(time.Hour)
			holds(t, b, "cert/example.org", "1")
		})
	})
	t.Run("a caller who leaves does not end the read for the others", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.local.Memory, "cert/example.org", "1")
			b.remote.hang()
			ctx, cancel := context.WithCancel(t.Context())
			left := make(chan error, 1)
			go func() {
				_, err := b.Get(ctx, "cert/example.org")
				left <- err
			}()
			synctest.Wait()
			cancel()
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			holds(t, b, "cert/example.org", "1")
		})
	})
	t.Run("after Close there is an error", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			b.close(t)
			if _, err := b.Get(t.Context(), "cert/example.org"); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	})
}

func TestLayeredRefuses(t *testing.T) {
	t.Run("a local value that is bad is moved aside, and said once", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.local.Memory, "cert/example.org", "bad: hunter2")
			for range 3 {
				if _, err := b.Get(t.Context(), "cert/example.org"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%v", err)
				}
				time.Sleep(time.Minute)
			}
			hasNot(t, &b.local.Memory, "cert/example.org")
			if got := b.local.kept["cert/example.org"]; got != "bad: hunter2" {
				t.Errorf("aside is %q", got)
			}
			if log := b.log.String(); strings.Count(log, "is not used") != 1 || strings.Contains(log, "hunter2") {
				t.Errorf("the log is %s", log)
			}
			if n := b.Status().Refused; n != 1 {
				t.Errorf("%d are counted", n)
			}
		})
	})
	t.Run("of a remote one a copy is kept, the local one is used, and a good Put replaces it", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			mustPut(t, &b.local.Memory, "cert/example.org", "good 1")
			mustPut(t, &b.remote.Memory, "cert/example.org", "bad")
			for range 3 {
				holds(t, b, "cert/example.org", "good 1")
				time.Sleep(time.Minute)
			}
			has(t, &b.remote.Memory, "cert/example.org", "bad")
			if got := b.local.kept["cert/example.org"]; got != "bad" {
				t.Errorf("aside is %q", got)
			}
			if log := b.log.String(); strings.Count(log, "is not used") != 1 {
				t.Errorf("the log is %s", log)
			}
			mustPut(t, b, "cert/example.org", "good 2")
			has(t, &b.remote.Memory, "cert/example.org", "good 2")
		})
	})
	t.Run("without a good one it is missing", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, &b.remote.Memory, "cert/example.org", "bad")
			if _, err := b.Get(t.Context(), "cert/example.org"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("a certificate that has ended is returned, and brought nowhere: it may be the clock", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			mustPut(t, &b.local.Memory, "cert/example.org", "old")
			holds(t, b, "cert/example.org", "old")
			if _, err := b.remote.Memory.Get(t.Context(), "cert/example.org"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("in the remote store: %v", err)
			}
			has(t, &b.local.Memory, "cert/example.org", "old")
			if len(b.local.kept) > 0 {
				t.Errorf("aside are %q", b.local.kept)
			}
		})
	})
}
