package certs

import (
	"context"
	"crypto/tls"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestLocalNames(t *testing.T) {
	book := &logBook{}
	l, err := NewLocal(LocalConfig{
		Machine: "Box7",
		Names:   []string{"app.test", "Bücher.test", "192.168.7.7", "shop.example", "app.test"},
		Addrs:   addrs("127.0.0.1", "203.0.113.7", "fe80::1%eth0"),
		Log:     book.logger(),
		Now:     atBorn,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Certificates()[0]
	t.Run("are the fixed ones, the machine's, the listeners' and those asked for, each once", func(t *testing.T) {
		want := []string{
			"localhost", "*.localhost", "app.test", "xn--bcher-kva.test", "shop.example", "box7",
			"127.0.0.1", "::1", "192.168.7.7", "203.0.113.7", "fe80::1",
		}
		if !slices.Equal(c.Names, want) {
			t.Errorf("got  %q\nwant %q", c.Names, want)
		}
	})
	t.Run("are all accepted by a client that trusts the CA", func(t *testing.T) {
		for _, name := range []string{"localhost", "x.localhost", "shop.example", "box7", "203.0.113.7"} {
			if err := verify(l.ca, c.chain.Leaf, name, born); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("come with where they are from", func(t *testing.T) {
		if c.Source != "local CA" || c.Issuer != "Holdfast local CA (box7)" || c.Serial == "" || !c.NotAfter.After(born) {
			t.Errorf("got %+v", c)
		}
	})
	t.Run("cause no warning", func(t *testing.T) {
		if book.count("WARN") != 0 {
			t.Errorf("log: %s", &book.buf)
		}
	})
}

func TestLocalOnAllInterfaces(t *testing.T) {
	l, err := NewLocal(LocalConfig{Addrs: addrs("0.0.0.0", "::"), Log: quiet(), Now: atBorn})
	if err != nil {
		t.Fatal(err)
	}
	names := l.Certificates()[0].Names
	if slices.Contains(names, "0.0.0.0") || slices.Contains(names, "::") {
		t.Errorf("the certificate is for an unspecified address: %q", names)
	}
	for _, addr := range interfaceAddrs() {
		if l.ca.scope().hasAddr(addr) && !slices.Contains(names, addr.WithZone("").String()) {
			t.Errorf("%s is missing in %q", addr, names)
		}
	}
}

func TestLocalWithAnOlderCA(t *testing.T) {
	s := openState(t)
	mustCA(t, s, CARequest{Machine: "old-name"}, born)
	config := LocalConfig{State: s, Log: quiet(), Now: atBorn}
	t.Run("a name that it may not sign for is an error that says how to go on", func(t *testing.T) {
		config := config
		config.Names = []string{"shop.example", "fine.test", "203.0.113.7"}
		_, err := NewLocal(config)
		oneLine(t, err, "shop.example, 203.0.113.7", "localhost", "--cert", caBundleName, s.Dir())
	})
	t.Run("the machine's new name and address are left off with one line", func(t *testing.T) {
		config, book := config, &logBook{}
		config.Log, config.Machine, config.Addrs = book.logger(), "new-name", addrs("203.0.113.7", "10.1.2.3")
		l, err := NewLocal(config)
		if err != nil {
			t.Fatal(err)
		}
		names := l.Certificates()[0].Names
		if slices.Contains(names, "new-name") || slices.Contains(names, "203.0.113.7") || !slices.Contains(names, "10.1.2.3") {
			t.Errorf("got %q", names)
		}
		if book.count("new-name 203.0.113.7") != 1 {
			t.Errorf("log: %s", &book.buf)
		}
	})
	t.Run("a bad name is an error", func(t *testing.T) {
		config := config
		config.Names = []string{"b a d"}
		_, err := NewLocal(config)
		oneLine(t, err, "b a d")
	})
}

// running starts l.Run in a bubble and returns what ends it and waits for it.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}
}

func TestLocalRun(t *testing.T) {
	t.Run("reissues at two thirds of the lifetime and not before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			book := &logBook{}
			l, err := NewLocal(LocalConfig{Log: book.logger(), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer running(t, l.Run)()
			first := l.Certificates()[0]
			time.Sleep(time.Until(first.atShare(2, 3)) - 2*clockCheck)
			synctest.Wait()
			if l.Certificates()[0] != first {
				t.Error("reissued too early")
			}
			time.Sleep(4 * clockCheck)
			synctest.Wait()
			second := l.Certificates()[0]
			if second == first || !second.NotAfter.After(first.NotAfter) {
				t.Error("not reissued")
			}
			if err := verify(l.ca, second.chain.Leaf, "localhost", time.Now()); err != nil {
				t.Error(err)
			}
			if book.count(second.Serial) != 1 {
				t.Errorf("log: %s", &book.buf)
			}
		})
	})
	t.Run("never shows an expired certificate in eleven years, through a new CA", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, err := NewLocal(LocalConfig{Log: quiet(), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			firstCA := l.ca
			for range 11 * 365 { // by the day: Run's six million ticks would take minutes
				time.Sleep(24 * time.Hour)
				l.keepFresh()
				if c := l.Certificates()[0]; !time.Now().Before(c.NotAfter) {
					t.Fatalf("expired %v at %v", c.NotAfter, time.Now())
				}
			}
			if l.ca == firstCA || l.ca.ending(time.Now()) {
				t.Error("the CA was not replaced")
			}
		})
	})
}

func TestLocalRunWhenTheClockIsSet(t *testing.T) {
	t.Run("follows a clock that is set, back or forth, within a minute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var shift atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
			l, err := NewLocal(LocalConfig{Log: quiet(), Now: now})
			if err != nil {
				t.Fatal(err)
			}
			defer running(t, l.Run)()
			for _, jump := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour, 0} {
				shift.Store(int64(jump))
				time.Sleep(clockCheck + time.Second)
				synctest.Wait()
				c := l.Certificates()[0]
				if now().Before(c.NotBefore) || now().After(c.NotAfter) {
					t.Errorf("after a jump by %v the clock is %v, the certificate %v to %v", jump, now(), c.NotBefore, c.NotAfter)
				}
			}
		})
	})
	t.Run("is quiet while the clock is an hour off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var shift atomic.Int64
			l, err := NewLocal(LocalConfig{Log: quiet(), Now: func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }})
			if err != nil {
				t.Fatal(err)
			}
			defer running(t, l.Run)()
			first := l.Certificates()[0]
			for _, jump := range []time.Duration{time.Hour, -time.Hour + 2*time.Minute} {
				shift.Store(int64(jump))
				time.Sleep(clockCheck)
				synctest.Wait()
			}
			if l.Certificates()[0] != first {
				t.Error("reissued")
			}
		})
	})
}

func TestLocalKeepsTheOldCertificateWhenTheCACannotBeReplaced(t *testing.T) {
	s, book, now := openState(t), &logBook{}, born
	l, err := NewLocal(LocalConfig{State: s, Log: book.logger(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	old := l.Certificates()[0]
	if err := os.RemoveAll(s.Dir()); err != nil {
		t.Fatal(err)
	}
	now = l.ca.NotAfter()
	for range 3 {
		l.keepFresh()
	}
	if l.Certificates()[0] != old {
		t.Error("the old certificate is gone")
	}
	if got := book.count("cannot reissue"); got != 1 {
		t.Errorf("%d lines about one fault", got)
	}
	if _, err := OpenState(s.Dir()); err != nil {
		t.Fatal(err)
	}
	l.keepFresh()
	if l.Certificates()[0] == old {
		t.Error("it did not recover")
	}
	if _, err := os.Stat(filepath.Join(s.Dir(), caCertName)); err != nil {
		t.Error(err)
	}
}

func TestLocalServesARealHandshake(t *testing.T) {
	l, err := NewLocal(LocalConfig{State: openState(t), Machine: "box7", Log: quiet(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	selector := NewSelector(RejectUnknown, l)
	for _, name := range []string{"localhost", "app.localhost", "box7", "127.0.0.1", "::1"} {
		t.Run("for "+name, func(t *testing.T) {
			if err := shake(t, selector, &tls.Config{RootCAs: l.ca.pool(), ServerName: name}); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("unknown names get unrecognized_name", func(t *testing.T) {
		err := shake(t, selector, &tls.Config{RootCAs: l.ca.pool(), ServerName: "other.test"})
		wantUnrecognizedName(t, err)
	})
}

func TestInterfaceAddrsAreBounded(t *testing.T) {
	list := interfaceAddrs()
	if len(list) > maxInterfaceAddrs || slices.Contains(list, netip.Addr{}) {
		t.Errorf("got %v", list)
	}
}
