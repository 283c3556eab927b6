package main

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

func TestFirstCertificate(t *testing.T) {
	for _, c := range []struct {
		challenge string
		flags     []string
		byTLS     bool
	}{
		{"tls-alpn-01", []string{"--acme-challenge", "tls-alpn-01"}, true},
		{"http-01", []string{"--acme-challenge", "http-01"}, false},
		{"auto", nil, true},
		{"auto, without a plain listener", []string{"--http", "off"}, true},
	} {
		t.Run(c.challenge, func(t *testing.T) {
			ca := startCA(t, acmetest.Config{})
			begun := time.Now()
			s := launchPublic(t, ca, []string{publicHost}, c.flags...)
			shown := certified(t, ca, s, publicHost)[publicHost]
			t.Logf("time to the first certificate: %v", time.Since(begun))
			if !isECDSA256(shown) {
				t.Errorf("the key is a %T", shown.PublicKey)
			}
			if byTLS, byHTTP := ca.TLS.Passed() > 0, ca.HTTP.Passed() > 0; byTLS != c.byTLS || byHTTP == c.byTLS {
				t.Errorf("validated by TLS-ALPN-01 %t, by HTTP-01 %t", byTLS, byHTTP)
			}
			if n := ca.Gate.Orders(); n != 1 {
				t.Errorf("%d orders", n)
			}
			record := s.await("got a certificate")
			if record["host"] != publicHost || record["serial"] == nil || record["not_after"] == nil {
				t.Errorf("the log says %v", record)
			}
			s.stop()
		})
	}
}

func TestEachDomainHasItsCertificate(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	hosts := []string{publicHost, "mail.harbour.test"}
	s := launchPublic(t, ca, hosts)
	for host, shown := range certified(t, ca, s, hosts...) {
		if len(shown.DNSNames) != 1 || shown.DNSNames[0] != host {
			t.Errorf("%s has a certificate for %q", host, shown.DNSNames)
		}
	}
	if n := ca.Gate.Orders(); n != len(hosts) {
		t.Errorf("%d orders", n)
	}
	t.Run("the site is served with them", func(t *testing.T) {
		for _, host := range hosts {
			config := &tls.Config{RootCAs: ca.IssuedRoots(t), ServerName: host}
			response, body, err := fetch(client(t, config), s.url("/"))
			if err != nil || response.StatusCode != http.StatusOK || string(body) != "the quay" {
				t.Errorf("%s: %v %q, %v", host, response, body, err)
			}
		}
	})
	t.Run("they are listed, with the time of the next", func(t *testing.T) {
		listed := s.command("certs", "list", "--json")
		var listing certsListing
		if err := json.Unmarshal([]byte(listed.out), &listing); err != nil || len(listing.Certificates) != len(hosts) {
			t.Fatalf("%v: %s%s", err, listed.out, listed.stderr)
		}
		for i, row := range listing.Certificates {
			if row.Hosts[0] != hosts[i] || row.NextRenewal == nil || row.LifeLeft == nil || !strings.HasPrefix(row.Source, "ACME 127.0.0.1:") {
				t.Errorf("%+v", row)
			}
		}
	})
	t.Run("they are counted", func(t *testing.T) {
		for _, want := range []string{
			`holdfast_certificate_orders_total{result="issued"} 2`, `holdfast_certificate_orders_total{result="rate-limited"} 0`,
			`holdfast_certificate_missing{host="` + publicHost + `"} 0`, `holdfast_certificate_resting{host="` + publicHost + `"} 0`,
			`holdfast_certificate_store_errors_total{layer="local"} 0`, `holdfast_certificate_advice_total{outcome="failed"} 0`,
			`holdfast_certificate_expiry_seconds{host="` + publicHost + `",source="ACME 127.0.0.1:`,
		} {
			eventually(t, want, func() bool { // it is published first, and counted then
				_, content, err := page(adminOf(s), "/metrics")
				return err == nil && strings.Contains(string(content), want)
			})
		}
	})
	t.Run("one is explained", func(t *testing.T) {
		said := s.command("certs", "explain", hosts[1])
		for _, want := range []string{"It will be ordered at ", "got certificate ", "Of the local budget, 1 of "} {
			if said.exit != 0 || !strings.Contains(said.out, want) {
				t.Errorf("exit %d, without %q:\n%s%s", said.exit, want, said.out, said.stderr)
			}
		}
	})
	t.Run("one is renewed when somebody asks", func(t *testing.T) {
		before := certified(t, ca, s, hosts[1])[hosts[1]]
		said := s.command("certs", "renew", hosts[1])
		if said.exit != 0 {
			t.Fatalf("exit %d: %s%s", said.exit, said.out, said.stderr)
		}
		eventually(t, "another certificate", func() bool {
			now, err := shake(s.https, hosts[1])
			return err == nil && now.SerialNumber.Cmp(before.SerialNumber) != 0
		})
		if n := ca.Gate.Orders(); n != len(hosts)+1 {
			t.Errorf("%d orders", n)
		}
	})
	t.Run("which the log tells with the old and the new serial", func(t *testing.T) {
		eventually(t, "such a record", func() bool {
			return slices.ContainsFunc(s.log.records("got a certificate"), func(r map[string]any) bool {
				return r["host"] == hosts[1] && r["old_serial"] != nil && r["old_not_after"] != nil && r["serial"] != nil && r["not_after"] != nil
			})
		})
	})
	t.Run("a host that is not configured is not", func(t *testing.T) {
		if said := s.command("certs", "renew", "other.harbour.test"); said.exit != 1 || !strings.Contains(said.stderr, "no certificate for other.harbour.test") {
			t.Errorf("exit %d: %s%s", said.exit, said.out, said.stderr)
		}
	})
	s.stop()
}

// command runs a command for the server.
func (s *server) command(words ...string) ran {
	s.t.Helper()
	return runToEnd(s.t, "", binary(s.t), append(words, "--state", s.state)...)
}

func TestUntilTheCertificateIsThere(t *testing.T) {
	t.Run("a client gets an alert", func(t *testing.T) {
		ca := startCA(t, acmetest.Config{})
		ca.Gate.Set(acmetest.Fault{Manner: acmetest.Refuse})
		s := launchPublic(t, ca, []string{publicHost})
		if _, err := shake(s.https, publicHost); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%v", err)
		}
		wantPage(t, adminOf(s), "/readyz", http.StatusOK, "there is no certificate for "+publicHost)
		s.stop()
	})
	t.Run("or one of the local CA, where that was asked for", func(t *testing.T) {
		ca := startCA(t, acmetest.Config{})
		ca.Gate.Set(acmetest.Fault{Manner: acmetest.Refuse})
		s := launchPublic(t, ca, []string{publicHost}, "--acme-fallback", "local")
		if _, err := shake(s.https, publicHost, func(c *tls.Config) { c.InsecureSkipVerify, c.RootCAs = false, s.trust().RootCAs }); err != nil {
			t.Error(err)
		}
		s.stop()
	})
	t.Run("and /readyz waits for it, where that was asked for", func(t *testing.T) {
		ca := startCA(t, acmetest.Config{})
		s := launch(t, site(t, nil), append(publicFlags(ca, publicHost), "--ready-needs-certificate")...)
		wantPage(t, adminOf(s), "/readyz", http.StatusServiceUnavailable, "there is no certificate for "+publicHost)
		ca.TLS.To(s.https)
		certified(t, ca, s, publicHost)
		wantPage(t, adminOf(s), "/readyz", http.StatusOK, "")
		s.stop()
	})
}

func TestValidationEndsWithItsHandshake(t *testing.T) {
	ca := startCA(t, acmetest.Config{})
	s := launchPublic(t, ca, []string{publicHost})
	certified(t, ca, s, publicHost)
	only := func(c *tls.Config) { c.NextProtos = []string{acme.Protocol} }
	if _, err := shake(s.https, publicHost, only); err == nil {
		t.Error("a validation without an order had an answer")
	}
	both := func(c *tls.Config) { c.NextProtos = []string{"http/1.1", acme.Protocol} }
	if _, err := shake(s.https, publicHost, both); err != nil {
		t.Errorf("a client that offers both is a client: %v", err)
	}
	s.stop()
}
