package certs

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// matches tells whether the chain's key belongs to its leaf.
func matches(chain *tls.Certificate) bool {
	public := chain.PrivateKey.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool })
	return public.Equal(chain.Leaf.PublicKey)
}

func loadFiles(t testing.TB, book *logBook, pairs ...Pair) *Files {
	t.Helper()
	f, faults := LoadFiles(pairs, atBorn, book.logger())
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return f
}

func TestLoadFiles(t *testing.T) {
	t.Run("pairs are served in their order", func(t *testing.T) {
		a, b := writePair(t, t.TempDir(), "a.example"), writePair(t, t.TempDir(), "b.example")
		f := loadFiles(t, &logBook{}, a, b)
		list := f.Certificates()
		if len(list) != 2 || list[0].Names[0] != "a.example" || list[1].Names[0] != "b.example" {
			t.Errorf("got %v", list)
		}
		status := f.Status()
		if len(status) != 2 || status[1].Pair != b || status[1].Fault != nil || !status[1].NotAfter.Equal(list[1].NotAfter) || !status[1].LoadedAt.Equal(born) {
			t.Errorf("got %+v", status)
		}
	})
	t.Run("all faults of all pairs come at once, a line each", func(t *testing.T) {
		good, other := writePair(t, t.TempDir(), "a.example"), writePair(t, t.TempDir(), "b.example")
		f, faults := LoadFiles([]Pair{
			{good.CertFile, other.KeyFile},
			good,
			{"/nowhere/tls.crt", "/nowhere/tls.key"},
			{good.KeyFile, good.CertFile},
		}, atBorn, quiet())
		if f != nil || len(faults) != 4 {
			t.Fatalf("got %v", faults)
		}
		for i, part := range []string{"does not match", "/nowhere/tls.crt", "/nowhere/tls.key", "swapped"} {
			oneLine(t, faults[i], part)
		}
	})
	t.Run("warnings are there for the caller", func(t *testing.T) {
		p := writePair(t, t.TempDir(), "a.example")
		if err := os.Chmod(p.KeyFile, 0o644); err != nil {
			t.Fatal(err)
		}
		if w := loadFiles(t, &logBook{}, p).Status()[0].Warnings; len(w) != 1 || !strings.Contains(w[0], p.KeyFile) {
			t.Errorf("got %q", w)
		}
	})
}

// expiredPair is a pair that ended a day before born.
func expiredPair(t *testing.T) (certPEM, keyPEM []byte) {
	return order{names: []string{"a.example"}, to: born.AddDate(0, 0, -1)}.make(t)
}

func TestReloadOfBadFiles(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(t *testing.T, p Pair)
		want  string
	}{
		"half-written": {func(t *testing.T, p Pair) {
			certPEM, keyPEM := order{names: []string{"b.example"}}.make(t)
			writeFile(t, p.CertFile, certPEM[:len(certPEM)/2])
			writeFile(t, p.KeyFile, keyPEM)
		}, "cut short"},
		"empty": {func(t *testing.T, p Pair) { writeFile(t, p.CertFile, nil) }, "no PEM certificate"},
		"mismatched": {func(t *testing.T, p Pair) {
			certPEM, _ := order{names: []string{"b.example"}}.make(t)
			writeFile(t, p.CertFile, certPEM)
		}, "does not match"},
		"expired": {func(t *testing.T, p Pair) {
			certPEM, keyPEM := expiredPair(t)
			writeFile(t, p.CertFile, certPEM)
			writeFile(t, p.KeyFile, keyPEM)
		}, "expired"},
		"missing": {func(t *testing.T, p Pair) {
			if err := os.Remove(p.KeyFile); err != nil {
				t.Fatal(err)
			}
		}, "does not exist"},
	} {
		t.Run(name+" files keep the old pair", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book, p := &logBook{}, writePair(t, t.TempDir(), "a.example")
				f := loadFiles(t, book, p)
				old := f.Certificates()[0]
				row.spoil(t, p)
				oneLine(t, f.Reload(t.Context()), row.want)
				if f.Certificates()[0] != old {
					t.Error("the old pair is gone")
				}
				status := f.Status()[0]
				if status.Fault == nil || status.Failures != 1 || !status.NotAfter.Equal(old.NotAfter) {
					t.Errorf("got %+v", status)
				}
				if book.buf.Len() != 0 {
					t.Errorf("a fault that was returned is also logged: %s", &book.buf)
				}
			})
		})
	}
}

func TestReload(t *testing.T) {
	t.Run("a new pair is served and told", func(t *testing.T) {
		book, dir := &logBook{}, t.TempDir()
		p := writePair(t, dir, "a.example")
		f := loadFiles(t, book, p)
		selector := NewSelector(RejectUnknown, f)
		old := f.Certificates()[0]
		writePair(t, dir, "b.example")
		if err := f.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		fresh := f.Certificates()[0]
		if got, _ := selector.GetCertificate(modern("b.example")); got != fresh.chain || !matches(got) {
			t.Error("the new pair is not served")
		}
		if book.count("old_serial="+old.Serial+" serial="+fresh.Serial) != 1 || f.Status()[0].Reloads != 1 {
			t.Errorf("log: %s", &book.buf)
		}
	})
	t.Run("unchanged files change nothing", func(t *testing.T) {
		book := &logBook{}
		f := loadFiles(t, book, writePair(t, t.TempDir(), "a.example"))
		old := f.Certificates()[0]
		if err := f.Reload(t.Context()); err != nil || f.Certificates()[0] != old || book.buf.Len() != 0 {
			t.Errorf("%v, log: %s", err, &book.buf)
		}
	})
	t.Run("one bad pair does not stop the others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bad, good := writePair(t, t.TempDir(), "a.example"), writePair(t, t.TempDir(), "b.example")
			f := loadFiles(t, &logBook{}, bad, good)
			writeFile(t, bad.CertFile, nil)
			writePair(t, filepath.Dir(good.CertFile), "c.example")
			oneLine(t, f.Reload(t.Context()), bad.CertFile)
			list := f.Certificates()
			if list[0].Names[0] != "a.example" || list[1].Names[0] != "c.example" {
				t.Errorf("got %v", list)
			}
		})
	})
	t.Run("a swap that is under way is waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			p := writePair(t, dir, "a.example")
			f := loadFiles(t, &logBook{}, p)
			certPEM, keyPEM := order{names: []string{"b.example"}}.make(t)
			writeFile(t, p.CertFile, certPEM)
			time.AfterFunc(swapPause*3/2, func() { writeFile(t, p.KeyFile, keyPEM) })
			if err := f.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if status := f.Status()[0]; f.Certificates()[0].Names[0] != "b.example" || status.Failures != 0 {
				t.Errorf("got %+v", status)
			}
		})
	})
	t.Run("the wait ends with its context", func(t *testing.T) {
		p := writePair(t, t.TempDir(), "a.example")
		f := loadFiles(t, &logBook{}, p)
		writeFile(t, p.CertFile, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.Reload(ctx); err == nil || f.Status()[0].Failures != 0 {
			t.Errorf("got %v, %+v", err, f.Status()[0])
		}
	})
}

func TestFilesRun(t *testing.T) {
	const interval = 10 * time.Second
	poll := func() {
		time.Sleep(interval + swapTries*swapPause)
		synctest.Wait()
	}
	t.Run("a fault is logged once, another one again, and its end too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			book, p := &logBook{}, writePair(t, t.TempDir(), "a.example")
			f := loadFiles(t, book, p)
			defer running(t, func(ctx context.Context) error { return f.Run(ctx, interval) })()
			whole, err := os.ReadFile(p.CertFile)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, p.CertFile, whole[:50])
			for range 5 {
				poll()
			}
			if got := book.count("at fault"); got != 1 {
				t.Errorf("%d lines for one fault", got)
			}
			if got := f.Status()[0]; got.Failures != 5 || got.Fault == nil {
				t.Errorf("got %+v", got)
			}
			writeFile(t, p.CertFile, nil)
			poll()
			if got := book.count("at fault"); got != 2 {
				t.Errorf("%d lines for two faults", got)
			}
			writeFile(t, p.CertFile, whole)
			poll()
			if got := f.Status()[0]; got.Fault != nil || got.Reloads != 0 || book.count("again as served") != 1 {
				t.Errorf("got %+v, log: %s", got, &book.buf)
			}
		})
	})
	t.Run("a fault that SIGHUP has reported is not logged again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			book, p := &logBook{}, writePair(t, t.TempDir(), "a.example")
			f := loadFiles(t, book, p)
			defer running(t, func(ctx context.Context) error { return f.Run(ctx, interval) })()
			writeFile(t, p.CertFile, nil)
			oneLine(t, f.Reload(t.Context()), "no PEM certificate")
			poll()
			if book.count("at fault") != 0 {
				t.Errorf("log: %s", &book.buf)
			}
		})
	})
	t.Run("a certificate that expires in service stays and is told once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var now atomic.Pointer[time.Time]
			now.Store(&born)
			book := &logBook{}
			f, faults := LoadFiles([]Pair{writePair(t, t.TempDir(), "a.example")}, func() time.Time { return *now.Load() }, book.logger())
			if faults != nil {
				t.Fatal(faults)
			}
			defer running(t, func(ctx context.Context) error { return f.Run(ctx, interval) })()
			later := born.AddDate(0, 2, 0)
			now.Store(&later)
			poll()
			poll()
			if len(f.Certificates()) != 1 || book.count("expired at") != 1 {
				t.Errorf("log: %s", &book.buf)
			}
		})
	})
}

// kubernetesVolume is a mounted Secret: files that link through ..data, which is
// renamed over at each update.
type kubernetesVolume struct {
	dir  string
	made int
}

func (v *kubernetesVolume) pair() Pair {
	return Pair{CertFile: filepath.Join(v.dir, "tls.crt"), KeyFile: filepath.Join(v.dir, "tls.key")}
}

// update does what the kubelet does: a new directory, a new link, one rename.
func (v *kubernetesVolume) update(certPEM, keyPEM []byte) error {
	v.made++
	fresh := fmt.Sprintf("..2026_%06d", v.made)
	if err := os.Mkdir(filepath.Join(v.dir, fresh), 0o700); err != nil {
		return err
	}
	old, _ := os.Readlink(filepath.Join(v.dir, "..data"))
	err := errors.Join(
		os.WriteFile(filepath.Join(v.dir, fresh, "tls.crt"), certPEM, 0o600),
		os.WriteFile(filepath.Join(v.dir, fresh, "tls.key"), keyPEM, 0o600),
		os.Symlink(fresh, filepath.Join(v.dir, "..data_tmp")),
		os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")),
	)
	if old != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Join(v.dir, old)))
	}
	return err
}

func newKubernetesVolume(t *testing.T) *kubernetesVolume {
	t.Helper()
	v := &kubernetesVolume{dir: t.TempDir()}
	certPEM, keyPEM := order{names: []string{"a.example"}}.make(t)
	if err := v.update(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", file), filepath.Join(v.dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func TestKubernetesSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		volume := newKubernetesVolume(t)
		f := loadFiles(t, &logBook{}, volume.pair())
		defer running(t, func(ctx context.Context) error { return f.Run(ctx, time.Second) })()
		for _, name := range []string{"b.example", "c.example"} {
			certPEM, keyPEM := order{names: []string{name}}.make(t)
			if err := volume.update(certPEM, keyPEM); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := f.Certificates()[0].Names[0]; got != name {
				t.Errorf("serves %s after the swap to %s", got, name)
			}
		}
	})
}

// Row 32 of the fault list: never a mismatched pair in 10,000 handshakes, while the files
// are replaced without a pause, every other time one after the other.
func TestNoHandshakeSeesAMismatchedPair(t *testing.T) {
	volume := newKubernetesVolume(t)
	book := &logBook{}
	f := loadFiles(t, book, volume.pair())
	selector := NewSelector(RejectUnknown, f)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	var runErr, swapErr error
	pairs := freshPairs(t)
	group.Go(func() { runErr = f.Run(ctx, time.Millisecond) })
	group.Go(func() { swapErr = volume.swapUntilDone(ctx, pairs) })

	for n := 0; n < 10_000 || f.Status()[0].Reloads < 5; n++ {
		chain, err := selector.GetCertificate(modern("a.example"))
		if err != nil || chain == nil {
			t.Fatalf("handshake %d: %v, %v", n, chain, err)
		}
		if !matches(chain) {
			t.Fatalf("handshake %d has a key that does not match", n)
		}
		if n%1000 == 0 {
			if err := shake(t, selector, &tls.Config{ServerName: "a.example", InsecureSkipVerify: true}); err != nil {
				t.Errorf("handshake %d: %v", n, err)
			}
		}
	}
	cancel()
	group.Wait()
	if err := errors.Join(runErr, swapErr); err != nil {
		t.Error(err)
	}
}

// freshPairs are certificates and keys to take turns with.
func freshPairs(t *testing.T) (pairs [4][2][]byte) {
	t.Helper()
	for i := range pairs {
		pairs[i][0], pairs[i][1] = order{names: []string{"a.example"}}.make(t)
	}
	return pairs
}

func (v *kubernetesVolume) swapUntilDone(ctx context.Context, pairs [4][2][]byte) error {
	for n := 0; ctx.Err() == nil; n++ {
		next := pairs[n%len(pairs)]
		if n%2 == 0 {
			if err := v.update(next[0], next[1]); err != nil {
				return err
			}
			continue
		}
		err := errors.Join(os.WriteFile(v.pair().CertFile, next[0], 0o600), os.WriteFile(v.pair().KeyFile, next[1], 0o600))
		if err != nil {
			return err
		}
	}
	return nil
}
