package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

func TestLayeredWrites(t *testing.T) {
	t.Run("what the remote did not take is served and brought there later", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			b.remote.breakDown(errBroken)
			err := b.Put(t.Context(), "cert/example.org", []byte("1"), nil)
			if !errors.Is(err, store.ErrUnsynced) || !errors.Is(err, errBroken) {
				t.Errorf("%v", err)
			}
			since := time.Now()
			holds(t, b, "cert/example.org", "1")
			has(t, &b.local.Memory, "cert/example.org", "1")
			time.Sleep(time.Hour)
			holds(t, b, "cert/example.org", "1")
			want := store.Unsynced{Name: "cert/example.org", Since: since, Remote: true}
			if got := b.Status().Unsynced; len(got) != 1 || got[0] != want {
				t.Errorf("unsynced is %+v, want %+v", got, want)
			}
			b.remote.heal()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			has(t, &b.remote.Memory, "cert/example.org", "1")
			if got := b.Status(); len(got.Unsynced) > 0 || !b.layer("remote").FailingSince.IsZero() {
				t.Errorf("the status is %+v", got)
			}
			if log := b.log.String(); strings.Count(log, "store fails") != 1 || strings.Count(log, "works again") != 1 {
				t.Errorf("the log is %s", log)
			}
		})
	})
	t.Run("a full disk does not keep a value from the others", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			b.local.breakDown(errBroken)
			if err := b.Put(t.Context(), "cert/example.org", []byte("1"), nil); !errors.Is(err, store.ErrUnsynced) {
				t.Errorf("%v", err)
			}
			has(t, &b.remote.Memory, "cert/example.org", "1")
			holds(t, b, "cert/example.org", "1")
			b.local.heal()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			has(t, &b.local.Memory, "cert/example.org", "1")
		})
	})
	t.Run("a deletion that waits counts as done here", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			mustPut(t, b, "cert/example.org", "1")
			b.remote.breakDown(errBroken)
			if err := b.Delete(t.Context(), "cert/example.org", nil); !errors.Is(err, store.ErrUnsynced) {
				t.Errorf("%v", err)
			}
			if _, err := b.Get(t.Context(), "cert/example.org"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
			b.remote.heal()
			if got, err := b.List(t.Context(), ""); err != nil || len(got) > 0 {
				t.Errorf("List is %q, %v", got, err)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			hasNot(t, &b.remote.Memory, "cert/example.org")
		})
	})
	t.Run("retries keep the fence: a newer holder's value wins", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			lease, err := b.Acquire(t.Context(), "order/example.org", "x", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			b.remote.breakDown(errBroken)
			if err := b.Put(t.Context(), "cert/example.org", []byte("1"), lease); !errors.Is(err, store.ErrUnsynced) {
				t.Errorf("%v", err)
			}
			time.Sleep(time.Hour)
			other, err := b.remote.Memory.Acquire(t.Context(), "order/example.org", "y", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.remote.Memory.Put(t.Context(), "cert/example.org", []byte("0"), other); err != nil {
				t.Fatal(err)
			}
			b.remote.heal()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			holds(t, b, "cert/example.org", "0")
			synctest.Wait()
			has(t, &b.local.Memory, "cert/example.org", "0")
			if got := b.Status().Unsynced; len(got) > 0 {
				t.Errorf("unsynced are %+v", got)
			}
		})
	})
	t.Run("a write under a lease that was lost is refused at once", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			lease, err := b.Acquire(t.Context(), "order/example.org", "x", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if _, err := b.remote.Acquire(t.Context(), "order/example.org", "y", time.Hour); err != nil {
				t.Fatal(err)
			}
			if err := b.Put(t.Context(), "cert/example.org", []byte("1"), lease); !errors.Is(err, store.ErrLost) {
				t.Errorf("%v", err)
			}
			if _, err := b.Get(t.Context(), "cert/example.org"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
			hasNot(t, &b.local.Memory, "cert/example.org")
		})
	})
	t.Run("a remote that hangs ends a write in its time", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			b.remote.hang()
			d := took(func() {
				if err := b.Put(t.Context(), "cert/example.org", []byte("1"), nil); !errors.Is(err, store.ErrUnsynced) {
					t.Errorf("%v", err)
				}
			})
			if d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
			d = took(func() { holds(t, b, "cert/example.org", "1") })
			if d != 0 {
				t.Errorf("a read took %v", d)
			}
		})
	})
	t.Run("a name that the remote never takes does not keep back the others", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			b.remote.hang("cert/slow.example")
			for _, name := range []string{"cert/slow.example", "cert/a.example"} {
				_ = b.Put(t.Context(), name, []byte("1"), nil) // looked at below
			}
			has(t, &b.remote.Memory, "cert/a.example", "1")
			b.remote.breakDown(errBroken)
			for i := range 10 {
				_ = b.Put(t.Context(), fmt.Sprintf("cert/%d.example", i), []byte("1"), nil) // looked at below
			}
			b.remote.breakDown(nil)
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := b.Status().Unsynced; len(got) != 1 || got[0].Name != "cert/slow.example" {
				t.Errorf("unsynced are %+v", got)
			}
		})
	})
	t.Run("a dead remote is not asked for each of 100 names", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			b.remote.breakDown(errBroken)
			for i := range 100 {
				_ = b.Put(t.Context(), fmt.Sprintf("cert/%d.example", i), []byte("1"), nil) // they all fail
			}
			before := b.remote.calls.Load()
			time.Sleep(time.Minute)
			if n := b.remote.calls.Load() - before; n == 0 || n > 3*60 {
				t.Errorf("it was asked %d times in a minute", n)
			}
			b.remote.heal()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := b.Status().Unsynced; len(got) > 0 {
				t.Errorf("%d are unsynced", len(got))
			}
		})
	})
}

func TestLayeredHeals(t *testing.T) {
	t.Run("a remote that lost its memory gets certificates back", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			mustPut(t, b, "cert/example.org", "1")
			if err := b.remote.Memory.Delete(t.Context(), "cert/example.org", nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			holds(t, b, "cert/example.org", "1")
			time.Sleep(time.Second)
			synctest.Wait()
			has(t, &b.remote.Memory, "cert/example.org", "1")
		})
	})
	t.Run("what another put there since stays", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			mustPut(t, &b.local.Memory, "ledger/example.org", "1")
			holds(t, b, "ledger/example.org", "1") // missing there: to be put back
			mustPut(t, &b.remote.Memory, "ledger/example.org", "2")
			time.Sleep(time.Minute)
			holds(t, b, "ledger/example.org", "2")
			has(t, &b.remote.Memory, "ledger/example.org", "2")
		})
	})
	t.Run("a certificate that a process was killed with reaches the remote from the next", func(t *testing.T) {
		inBubble(t, false, func(t *testing.T, b *bench) {
			mustPut(t, b, "cert/example.org", "1")
			b.remote.breakDown(errBroken)
			_ = b.Put(t.Context(), "cert/example.org", []byte("2"), nil) // unsynced
			b.close(t)
			b.remote.heal()
			b.reopen()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- b.Run(ctx) }()
			holds(t, b, "cert/example.org", "2")
			time.Sleep(time.Second)
			synctest.Wait()
			has(t, &b.remote.Memory, "cert/example.org", "2")
			cancel()
			<-ended
		})
	})
	t.Run("a challenge is never on the disk, and gone when it is gone", func(t *testing.T) {
		inBubble(t, true, func(t *testing.T, b *bench) {
			const name = "challenge/tls-alpn-01/example.org"
			if _, err := b.Get(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
			mustPut(t, &b.remote.Memory, name, "1")
			holds(t, b, name, "1") // that it was missing is not remembered
			mustPut(t, b, name, "2")
			synctest.Wait()
			hasNot(t, &b.local.Memory, name)
			if err := b.remote.Memory.Delete(t.Context(), name, nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if _, err := b.Get(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	})
}

func TestLayeredMemoryIsBounded(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bench) {
		const names = 10_000
		for i := range names {
			mustPut(t, b, fmt.Sprintf("cert/%d.example", i), "1")
		}
		b.remote.breakDown(errBroken)
		b.local.breakDown(errBroken)
		kept := 0
		for i := range names {
			if _, err := b.Get(t.Context(), fmt.Sprintf("cert/%d.example", i)); err == nil {
				kept++
			}
		}
		if kept == 0 || kept > 4096 {
			t.Errorf("%d names are in memory", kept)
		}
	})
}

func TestLayeredLists(t *testing.T) {
	inBubble(t, false, func(t *testing.T, b *bench) {
		mustPut(t, &b.remote.Memory, "cert/a.example", "1")
		mustPut(t, &b.local.Memory, "cert/b.example", "1")
		mustPut(t, &b.local.Memory, "challenge/old", "1")
		b.remote.breakDown(errBroken)
		_ = b.Put(t.Context(), "challenge/new", []byte("1"), nil) // in memory alone
		for _, want := range [][]string{{"cert/b.example", "challenge/new"}, {"cert/a.example", "cert/b.example", "challenge/new"}} {
			if got, err := b.List(t.Context(), "c"); err != nil || !slices.Equal(got, want) {
				t.Errorf("List is %q, %v, want %q", got, err, want)
			}
			b.remote.heal()
		}
		b.remote.breakDown(errBroken)
		b.local.breakDown(errBroken)
		if _, err := b.List(t.Context(), "c"); !errors.Is(err, errBroken) {
			t.Errorf("%v", err)
		}
	})
}
