package main

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

// answerLimit is how long a handshake may take whatever the CA does.
const answerLimit = 2 * time.Second

// handshakes makes n of them, each on its turn, and returns how long each took. judge looks at
// each outcome.
func handshakes(addr, host string, n int, judge func(error)) (took []time.Duration) {
	for range n {
		begun := time.Now()
		_, err := shake(addr, host)
		took = append(took, time.Since(begun))
		judge(err)
	}
	return took
}

func TestHandshakesWhileTheCAFails(t *testing.T) {
	const cold = "cold.harbour.test"
	for _, c := range []struct {
		name       string
		fault      acmetest.Fault
		config     acmetest.Config
		mostOrders int
	}{
		{"it refuses connections", acmetest.Fault{Manner: acmetest.Refuse}, acmetest.Config{}, 0},
		{"it takes connections and never answers", acmetest.Fault{Manner: acmetest.BlackHole}, acmetest.Config{}, 0},
		{"it answers 503", acmetest.Fault{Manner: acmetest.Answer, Status: 503, Problem: "serverInternal"}, acmetest.Config{}, 0},
		{"it answers 429 with Retry-After", acmetest.Fault{Manner: acmetest.Answer, Status: 429, Problem: "rateLimited", RetryAfter: "3600", Only: acmetest.NewOrder}, acmetest.Config{}, 0},
		{"it rejects half of the nonces", acmetest.Fault{}, acmetest.Config{NonceRejectPercent: 50}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ca := startCA(t, c.config)
			first := launchPublic(t, ca, []string{publicHost})
			certified(t, ca, first, publicHost)
			first.stop()
			before := ca.Gate.Orders()
			ca.Gate.Set(c.fault)
			s := launchPublic(t, ca, []string{publicHost, cold}, "--state", first.state)
			warm := func(err error) {
				if err != nil {
					t.Errorf("a warm host's handshake: %v", err)
				}
			}
			eventually(t, "the warm host's certificate, from the store", func() bool { _, err := shake(s.https, publicHost); return err == nil })
			var both sync.WaitGroup
			var tookWarm, tookCold []time.Duration
			both.Go(func() { tookWarm = handshakes(s.https, publicHost, 100, warm) })
			both.Go(func() { tookCold = handshakes(s.https, cold, 100, func(error) {}) })
			both.Wait()
			t.Logf("handshakes of a warm host: median %v, worst %v; of a cold one: median %v, worst %v; orders %d",
				middle(tookWarm), longest(tookWarm), middle(tookCold), longest(tookCold), ca.Gate.Orders()-before)
			if n := over(tookWarm, answerLimit) + over(tookCold, answerLimit); n > frozen {
				t.Errorf("%d handshakes were answered after %v and more", n, answerLimit)
			}
			if n := ca.Gate.Orders() - before; n > c.mostOrders {
				t.Errorf("%d orders", n)
			}
			if c.config.NonceRejectPercent > 0 {
				certified(t, ca, s, cold)
			} else {
				wantPage(t, adminOf(s), "/readyz", 200, "there is no certificate for "+cold)
			}
			s.stop()
		})
	}
}

func TestFirstHandshakesMakeOneOrder(t *testing.T) {
	const clients = 500
	ca := startCA(t, acmetest.Config{})
	ca.Gate.Set(acmetest.Fault{Latency: 100 * time.Millisecond})
	s := launchPublic(t, ca, []string{publicHost})
	var all sync.WaitGroup
	var refused, late atomic.Int64
	for range clients {
		all.Go(func() {
			begun := time.Now()
			if _, err := shake(s.https, publicHost); err != nil {
				refused.Add(1)
			}
			if time.Since(begun) > answerLimit {
				late.Add(1)
			}
		})
	}
	all.Wait()
	certified(t, ca, s, publicHost)
	t.Logf("of %d handshakes before there was a certificate %d got an alert, and %d took longer than %v, all at once on this machine", clients, refused.Load(), late.Load(), answerLimit)
	if n := ca.Gate.OrderRequests(); n != 1 {
		t.Errorf("%d orders", n)
	}
	s.stop()
}

func TestStrangeHellosCauseNothing(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	s := launchPublic(t, ca, []string{publicHost})
	certified(t, ca, s, publicHost)
	s.await("the CA advises when to renew") // and is asked again in hours
	requests := ca.Gate.Requests()
	validation := func(c *tls.Config) { c.NextProtos = []string{acme.Protocol} }
	rsaOnly := func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	}
	for _, c := range []struct {
		name, host string
		change     func(*tls.Config)
	}{
		{"an unknown name", "other.harbour.test", func(*tls.Config) {}},
		{"a name below a domain", "x." + publicHost, func(*tls.Config) {}},
		{"a name that could climb", "..%2f..%2fetc.harbour.test", func(*tls.Config) {}},
		{"a very long name", longName(), func(*tls.Config) {}},
		{"a validation for an unknown name", "other.harbour.test", validation},
		{"a validation for a name that could climb", "../../etc/passwd", validation},
		{"a client of RSA alone", publicHost, rsaOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			if shown, err := shake(s.https, c.host, c.change); err == nil {
				t.Errorf("it was shown a certificate for %q", shown.DNSNames)
			}
		})
	}
	t.Run("an address as a name", func(t *testing.T) {
		// crypto/tls sends none for an address, so that the default is shown.
		if _, err := shake(s.https, "192.0.2.1"); err != nil {
			t.Error(err)
		}
	})
	t.Run("junk", func(t *testing.T) {
		for range 20 {
			c, err := net.Dial("tcp", s.https)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write([]byte("\x16\x03\x01\x00\x05junk!")) // it may have been refused already
			_ = c.Close()
		}
	})
	if _, err := shake(s.https, publicHost); err != nil {
		t.Error(err)
	}
	if n := ca.Gate.Requests() - requests; n > 0 {
		t.Errorf("%d requests to the CA", n)
	}
	if n := ca.Gate.OrderRequests(); n != 1 {
		t.Errorf("%d orders", n)
	}
	s.stop()
}

// longName is as long as a host name may be, in labels as long as they may be.
func longName() string {
	name := ""
	for range 3 {
		for range 63 {
			name += "a"
		}
		name += "."
	}
	return name + "harbour.test"
}
