package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

// publicHost is a domain of the tests, which the CA's resolver has on the loopback.
const publicHost = "www.harbour.test"

// startCA runs a CA, whose validation waits for a server to lead to.
func startCA(t testing.TB, config acmetest.Config) *acmetest.CA {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests do not run with -short")
	}
	ca := acmetest.Start(t, config)
	ca.TLS.Hold()
	ca.HTTP.Hold()
	return ca
}

// publicFlags are those of a server whose domains the CA issues for.
func publicFlags(ca *acmetest.CA, domains ...string) []string {
	flags := []string{
		"--acme-directory", ca.Gate.DirectoryURL, "--acme-root", ca.RootFile, "--acme-agree-tos",
		"--http", "127.0.0.1:0", "--admin", "127.0.0.1:0",
	}
	for _, domain := range domains {
		flags = append(flags, "--domain", domain)
	}
	return flags
}

// launchPublic starts a server for domains, to which the CA's validation leads.
func launchPublic(t testing.TB, ca *acmetest.CA, domains []string, flags ...string) *server {
	t.Helper()
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), slices.Concat(publicFlags(ca, domains...), flags)...)
	if at := slices.Index(flags, "--state"); at >= 0 {
		s.state = flags[at+1]
	}
	ca.TLS.To(s.https)
	ca.HTTP.To(s.http)
	return s
}

// shake makes a handshake for host, and returns the certificate that was shown.
func shake(addr, host string, change ...func(*tls.Config)) (*x509.Certificate, error) {
	config := &tls.Config{ServerName: host, InsecureSkipVerify: true} // judged by who asks
	for _, f := range change {
		f(config)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// certified waits until a server shows a certificate of the CA for each host.
func certified(t testing.TB, ca *acmetest.CA, s *server, hosts ...string) map[string]*x509.Certificate {
	t.Helper()
	roots := ca.IssuedRoots(t)
	shown := make(map[string]*x509.Certificate)
	for _, host := range hosts {
		eventually(t, "a certificate for "+host, func() bool {
			c, err := shake(s.https, host, func(c *tls.Config) { c.InsecureSkipVerify, c.RootCAs = false, roots })
			shown[host] = c
			return err == nil
		})
	}
	return shown
}

func isECDSA256(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	return ok && key.Curve == elliptic.P256()
}

// longest is the greatest of some durations, and middle the median.
func longest(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	return slices.Max(all)
}

// over is how many took longer than the limit. A machine that is busy freezes one or two; what waits
// for a CA or a store waits every time.
func over(all []time.Duration, limit time.Duration) (n int) {
	for _, took := range all {
		if took > limit {
			n++
		}
	}
	return n
}

const frozen = 2

func middle(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
