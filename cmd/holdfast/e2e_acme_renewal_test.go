package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

func TestRenewalsUnderLoad(t *testing.T) {
	const life, renewals = 30 * time.Second, 3
	ca := startCA(t, acmetest.Config{Profiles: map[string]time.Duration{acmetest.DefaultProfile: life}})
	s := launchPublic(t, ca, []string{publicHost})
	certified(t, ca, s, publicHost)
	roots := ca.IssuedRoots(t)
	var load sync.WaitGroup
	var mu sync.Mutex
	var faults []string
	seen, made := map[string]bool{}, 0
	enough := make(chan struct{})
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
				}
				// crypto/tls judges the dates, as a browser does.
				shown, err := shake(s.https, publicHost, func(c *tls.Config) { c.InsecureSkipVerify, c.RootCAs = false, roots })
				mu.Lock()
				if made++; err != nil {
					faults = append(faults, err.Error())
				} else {
					seen[shown.SerialNumber.String()] = true
				}
				mu.Unlock()
			}
		})
	}
	for n := range renewals { // each has as long as any wait of ours, which is two lives
		eventually(t, fmt.Sprintf("renewal %d", n+1), func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) > n+1 || len(faults) > 10 })
	}
	close(enough)
	load.Wait()
	t.Logf("%d handshakes during %d renewals, of which %d saw a bad certificate or none; %d orders", made, len(seen)-1, len(faults), ca.Gate.Orders())
	if len(faults) > 0 {
		t.Errorf("bad handshakes:\n%s", listed(faults[:min(len(faults), 10)]))
	}
	if n := ca.Gate.Orders(); n != len(seen) {
		t.Errorf("%d orders for %d certificates", n, len(seen))
	}
	s.stop()
}

func TestRestartOfAPublicServer(t *testing.T) {
	t.Run("keeps the certificate", func(t *testing.T) {
		ca := startCA(t, acmetest.Config{})
		s := launchPublic(t, ca, []string{publicHost})
		before := certified(t, ca, s, publicHost)[publicHost]
		s.stop()
		again := launchPublic(t, ca, []string{publicHost}, "--state", s.state)
		after, err := shake(again.https, publicHost) // the very first
		if err != nil {
			t.Fatal(err)
		}
		if !after.Equal(before) || ca.Gate.Orders() != 1 {
			t.Errorf("another certificate, %d orders", ca.Gate.Orders())
		}
		again.stop()
	})
	t.Run("keeps the cooldown", func(t *testing.T) {
		ca := startCA(t, acmetest.Config{Blocked: []string{publicHost}})
		s := launchPublic(t, ca, []string{publicHost})
		s.await("could not get a certificate: what is served stays")
		asked := ca.Gate.OrderRequests()
		s.stop()
		for range 3 {
			again := launchPublic(t, ca, []string{publicHost}, "--state", s.state)
			said := ""
			eventually(t, "the cooldown, from the store", func() bool {
				said = again.command("certs", "explain", publicHost).out
				return strings.Contains(said, "It is not ordered before ")
			})
			if !strings.Contains(said, "the order failed: ") {
				t.Errorf("the ledger is not told:\n%s", said)
			}
			again.stop()
		}
		if n := ca.Gate.OrderRequests(); n != asked {
			t.Errorf("%d orders after the first start's %d", n-asked, asked)
		}
	})
}

func TestDamagedStore(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	s := launchPublic(t, ca, []string{publicHost})
	certified(t, ca, s, publicHost)
	s.stop()
	bundle := storedFile(t, s.state, publicHost)
	if err := os.WriteFile(bundle, []byte("-----BEGIN CERTIFICATE-----\nnone"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := launchPublic(t, ca, []string{publicHost}, "--state", s.state)
	certified(t, ca, again, publicHost)
	if n := ca.Gate.Orders(); n != 2 {
		t.Errorf("%d orders", n)
	}
	again.stop()
}

// storedFile is the file in which the store below a state directory has a host's certificate.
func storedFile(t testing.TB, state, host string) (path string) {
	t.Helper()
	_ = filepath.WalkDir(filepath.Join(state, "certificates", "values"), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(p, "cert+") && strings.Contains(filepath.Base(p), host) {
			path = p
		}
		return nil
	})
	if path == "" {
		t.Fatalf("no certificate of %s below %s", host, state)
	}
	return path
}

func TestKilledAtAnyPoint(t *testing.T) {
	t.Parallel()
	const kills = 100
	ca := startCA(t, acmetest.Config{Profiles: map[string]time.Duration{acmetest.DefaultProfile: 24 * time.Hour}})
	root := site(t, nil)
	state := filepath.Join(t.TempDir(), "state")
	for i := range kills {
		s := spawn(t, root, append(publicFlags(ca, publicHost, fmt.Sprintf("h%d.harbour.test", i%5)), "--state", state)...)
		ca.HTTP.Hold() // whoever validates there waits for the next, which is a kill in the midst of an order
		if i%2 == 0 {
			eventually(t, "the listener", func() bool { return len(s.log.records("listening")) > 0 })
			s.https, _ = s.log.records("listening")[0]["https"].(string)
			ca.TLS.To(s.https)
		}
		timer := time.NewTimer(time.Duration(i) * time.Millisecond) // another point for each
		<-timer.C
		_ = s.cmd.Process.Signal(syscall.SIGKILL)
		<-s.gone
		wantReadable(t, state)
	}
}

// wantReadable wants each certificate in the store to be whole.
func wantReadable(t *testing.T, state string) {
	t.Helper()
	_ = filepath.WalkDir(filepath.Join(state, "certificates", "values"), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(p, "cert+") {
			return nil
		}
		content, err := os.ReadFile(p)
		if err == nil {
			_, err = certs.ParseBundle("store", content)
		}
		if err != nil && !strings.Contains(filepath.Base(p), ".tmp") {
			t.Errorf("%s: %v", p, err)
		}
		return nil
	})
}
