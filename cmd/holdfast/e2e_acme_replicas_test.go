package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

// pickUpLimit is within what time of the first the other replicas have a certificate.
const pickUpLimit = 5 * time.Second

// startReplicas starts n servers with one store, all at once, and has the CA's validation lead to
// each in turn.
func startReplicas(t testing.TB, ca *acmetest.CA, n int, flags ...string) []*server {
	t.Helper()
	root := site(t, map[string]string{"index.html": "the quay"})
	replicas := make([]*server, n)
	for i := range replicas {
		replicas[i] = spawn(t, root, slices.Concat(publicFlags(ca, publicHost), flags)...)
	}
	leadTo(ca, replicas)
	return replicas
}

// leadTo waits until all listen, and has the CA's validation lead to them.
func leadTo(ca *acmetest.CA, replicas []*server) {
	var https, http []string
	for _, s := range replicas {
		listening := s.await("listening")
		s.https, _ = listening["https"].(string)
		s.http, _ = listening["http"].(string)
		https, http = append(https, s.https), append(http, s.http)
	}
	ca.TLS.To(https...)
	ca.HTTP.To(http...)
}

func TestReplicasShareOneCertificate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n         int
		challenge string
	}{{2, "tls-alpn-01"}, {3, "http-01"}} {
		t.Run(fmt.Sprintf("%d of them, by %s", c.n, c.challenge), func(t *testing.T) {
			ca, redis := startCA(t, acmetest.Config{}), startRedis(t)
			replicas := startReplicas(t, ca, c.n, "--cert-store", redis.url(), "--acme-challenge", c.challenge)
			shown := make([]*x509.Certificate, c.n)
			var first time.Time
			for i, s := range replicas {
				shown[i] = certified(t, ca, s, publicHost)[publicHost]
				if i == 0 {
					first = time.Now()
				}
				if !shown[i].Equal(shown[0]) {
					t.Error("two replicas have two certificates")
				}
			}
			t.Logf("all had it %v after the first that was asked", time.Since(first))
			if n := ca.Gate.Orders(); n != 1 {
				t.Errorf("%d orders", n)
			}
			wantSharedSessions(t, ca, replicas)
			wantPickUp(t, ca, replicas)
			for _, s := range replicas {
				s.stop()
			}
		})
	}
}

// wantSharedSessions wants a session made on one replica to resume on the others.
func wantSharedSessions(t *testing.T, ca *acmetest.CA, replicas []*server) {
	t.Helper()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		eventually(t, "shared sessions", func() bool { // the secret comes within moments of the start
			config := &tls.Config{RootCAs: ca.IssuedRoots(t), ServerName: publicHost, MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			for i, s := range replicas {
				if served, resumed := returnTo(t, s, config); !served || resumed != (i > 0) {
					return false
				}
			}
			return true
		})
	}
}

// wantPickUp renews on one replica, and wants the others to have it soon.
func wantPickUp(t *testing.T, ca *acmetest.CA, replicas []*server) {
	t.Helper()
	before, err := shake(replicas[0].https, publicHost)
	if err != nil {
		t.Fatal(err)
	}
	if said := replicas[0].command("certs", "renew", publicHost); said.exit != 0 {
		t.Fatalf("%s%s", said.out, said.stderr)
	}
	renewed := func(s *server) bool {
		now, err := shake(s.https, publicHost)
		return err == nil && !now.Equal(before)
	}
	eventually(t, "the new certificate", func() bool { return renewed(replicas[0]) })
	begun := time.Now()
	for _, s := range replicas[1:] {
		eventually(t, "the new certificate on another", func() bool { return renewed(s) })
	}
	if took := time.Since(begun); took > pickUpLimit {
		t.Errorf("the others had it after %v", took)
	}
	if n := ca.Gate.Orders(); n != 2 {
		t.Errorf("%d orders", n)
	}
}

func TestReplicaThatDiesWhileItOrders(t *testing.T) {
	t.Parallel()
	ca, redis := startCA(t, acmetest.Config{}), startRedis(t)
	ca.Gate.Set(acmetest.Fault{Manner: acmetest.BlackHole})
	replicas := startReplicas(t, ca, 2, "--cert-store", redis.url())
	orders := func(s *server) bool { return len(s.log.records("ordering a certificate")) > 0 }
	eventually(t, "an order", func() bool { return slices.ContainsFunc(replicas, orders) })
	at := slices.IndexFunc(replicas, orders)
	dead, heir := replicas[at], replicas[1-at]
	dead.signal(syscall.SIGKILL)
	<-dead.gone
	died := time.Now()
	ca.Gate.Set(acmetest.Fault{})
	ca.TLS.To(heir.https)
	ca.HTTP.To(heir.http)
	certified(t, ca, heir, publicHost)
	t.Logf("replaced %v after it died", time.Since(died))
	heir.stop()
}

func TestStoreThatHangs(t *testing.T) {
	ca, redis := startCA(t, acmetest.Config{}), startRedis(t)
	replicas := startReplicas(t, ca, 2, "--cert-store", redis.url())
	for _, s := range replicas {
		certified(t, ca, s, publicHost)
	}
	redis.hang(t)
	s := replicas[0]
	eventually(t, "the store's fault to be seen", func() bool {
		_, content, err := page(adminOf(s), "/metrics")
		return err == nil && !strings.Contains(string(content), `holdfast_certificate_store_errors_total{layer="remote"} 0`)
	})
	took := handshakes(s.https, publicHost, 200, func(err error) {
		if err != nil {
			t.Errorf("while the store hangs: %v", err)
		}
	})
	t.Logf("handshakes while the store hangs: median %v, worst %v", middle(took), longest(took))
	if n := over(took, answerLimit); n > frozen {
		t.Errorf("%d took over %v", n, answerLimit)
	}
	t.Run("a start finds its copy", func(t *testing.T) {
		state := s.state
		s.stop()
		again := launchPublic(t, ca, []string{publicHost}, "--cert-store", redis.url(), "--state", state)
		certified(t, ca, again, publicHost)
		if n := ca.Gate.Orders(); n != 1 {
			t.Errorf("%d orders", n)
		}
		redis.wake(t)
		again.stop()
	})
	replicas[1].stop()
}
