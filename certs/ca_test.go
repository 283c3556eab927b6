package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// verify checks a leaf as a client would that trusts only ca.
func verify(ca *CA, leaf *x509.Certificate, name string, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err
}

func TestCACertificate(t *testing.T) {
	ca := mustCA(t, nil, CARequest{Machine: "Box7", Names: []string{"shop.example"}, Addrs: addrs("203.0.113.7")}, born)
	c := ca.cert
	t.Run("it is a P-256 CA that signs leaves only", func(t *testing.T) {
		key, ok := c.PublicKey.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P256() {
			t.Errorf("key is %T", c.PublicKey)
		}
		if !c.IsCA || !c.MaxPathLenZero || c.MaxPathLen != 0 {
			t.Errorf("IsCA %v, MaxPathLen %d (zero counts: %v)", c.IsCA, c.MaxPathLen, c.MaxPathLenZero)
		}
		if c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
			t.Errorf("key usage %b", c.KeyUsage)
		}
		if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
			t.Errorf("extended key usage %v", c.ExtKeyUsage)
		}
	})
	t.Run("it lasts about ten years and tolerates a slow clock", func(t *testing.T) {
		if c.NotAfter.Before(born.AddDate(9, 11, 0)) || c.NotBefore.After(born.Add(-backdate)) {
			t.Errorf("valid %v to %v", c.NotBefore, c.NotAfter)
		}
	})
	t.Run("its name says whose it is", func(t *testing.T) {
		if got := ca.CommonName(); got != "Holdfast local CA (box7)" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("its constraints are critical and hold what was asked for", func(t *testing.T) {
		if !c.PermittedDNSDomainsCritical {
			t.Error("not critical")
		}
		permitted := ca.scope()
		for _, name := range []string{"box7", "shop.example", "www.shop.example", "*.shop.example", "localhost", "nas.local"} {
			if !permitted.hasName(name) {
				t.Errorf("lacks %s", name)
			}
		}
		for _, addr := range addrs("203.0.113.7", "::ffff:203.0.113.7", "127.9.9.9", "10.0.0.1", "fe80::1%eth0", "fd00::1", "::1") {
			if !permitted.hasAddr(addr) {
				t.Errorf("lacks %s", addr)
			}
		}
	})
	t.Run("its constraints leave the public internet out", func(t *testing.T) {
		permitted := ca.scope()
		for _, name := range []string{"example.com", "myshop.example", "notlocalhost", "com", "localhost.com"} {
			if permitted.hasName(name) {
				t.Errorf("permits %s", name)
			}
		}
		for _, addr := range addrs("203.0.113.8", "8.8.8.8", "2001:db8::1", "0.0.0.0", "172.32.0.1") {
			if permitted.hasAddr(addr) {
				t.Errorf("permits %s", addr)
			}
		}
	})
	t.Run("a long machine name is cut to the length X.509 allows", func(t *testing.T) {
		long := mustCA(t, nil, CARequest{Machine: strings.Repeat("a", 60) + ".internal"}, born)
		if n := len(long.CommonName()); n > 64 {
			t.Errorf("%d characters", n)
		}
	})
	t.Run("a machine name that is no host name is ignored", func(t *testing.T) {
		odd := mustCA(t, nil, CARequest{Machine: "my box\n"}, born)
		if got := odd.CommonName(); got != "Holdfast local CA" {
			t.Errorf("got %q", got)
		}
	})
}

func TestIssue(t *testing.T) {
	ca := mustCA(t, nil, CARequest{}, born)
	cert, err := ca.Issue([]string{"localhost", "*.localhost", "Bücher.test"}, addrs("127.0.0.1", "::1", "192.168.1.5"), born)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("clients that trust the CA accept each name", func(t *testing.T) {
		for _, name := range []string{"localhost", "app.localhost", "xn--bcher-kva.test", "127.0.0.1", "[::1]", "192.168.1.5"} {
			if err := verify(ca, cert.Leaf, name, born); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("and no other", func(t *testing.T) {
		for _, name := range []string{"example.com", "a.b.localhost", "192.168.1.6"} {
			if err := verify(ca, cert.Leaf, name, born); err == nil {
				t.Errorf("%s was accepted", name)
			}
		}
	})
	t.Run("the leaf is short-lived, for servers, with a key of its own", func(t *testing.T) {
		leaf := cert.Leaf
		if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 90*24*time.Hour {
			t.Errorf("valid for %v", life)
		}
		if len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth || leaf.IsCA {
			t.Errorf("usage %v, CA %v", leaf.ExtKeyUsage, leaf.IsCA)
		}
		again, err := ca.Issue([]string{"localhost"}, nil, born)
		if err != nil {
			t.Fatal(err)
		}
		if again.PrivateKey.(*ecdsa.PrivateKey).Equal(cert.PrivateKey) || again.Leaf.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
			t.Error("key or serial number used twice")
		}
	})
	t.Run("the leaf never outlives the CA", func(t *testing.T) {
		late, err := ca.Issue([]string{"localhost"}, nil, ca.NotAfter().Add(-24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if late.Leaf.NotAfter.After(ca.NotAfter()) {
			t.Errorf("%v is after %v", late.Leaf.NotAfter, ca.NotAfter())
		}
	})
	t.Run("what is not permitted is refused and what is permitted is named", func(t *testing.T) {
		_, err := ca.Issue([]string{"example.com"}, nil, born)
		oneLine(t, err, "example.com", "localhost", "home.arpa")
		_, err = ca.Issue(nil, addrs("203.0.113.9"), born)
		oneLine(t, err, "203.0.113.9", "127.0.0.0/8")
	})
	t.Run("no name and no host name are errors", func(t *testing.T) {
		_, err := ca.Issue(nil, nil, born)
		oneLine(t, err, "no name")
		for _, bad := range []string{"a b", "*", "a.*.test", "x..test", "*.*.test", ""} {
			if _, err := ca.Issue([]string{bad}, nil, born); err == nil {
				t.Errorf("%q was signed for", bad)
			}
		}
	})
}

// What crypto/x509 enforces must hold even against a thief of the key, who does not
// ask Issue.
func TestConstraintsBindAThief(t *testing.T) {
	ca := mustCA(t, nil, CARequest{}, born)
	thief := func(edit func(*x509.Certificate)) *x509.Certificate {
		key := newKey(t, false).(*ecdsa.PrivateKey)
		template := &x509.Certificate{
			NotBefore:   born.Add(-time.Hour),
			NotAfter:    born.Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		edit(template)
		leaf, err := sign(template, ca.cert, key, ca.key)
		if err != nil {
			t.Fatal(err)
		}
		return leaf
	}
	t.Run("a public name is refused", func(t *testing.T) {
		leaf := thief(func(c *x509.Certificate) { c.DNSNames = []string{"bank.example.com"} })
		if verify(ca, leaf, "bank.example.com", born) == nil {
			t.Error("accepted")
		}
	})
	t.Run("a public address is refused", func(t *testing.T) {
		leaf := thief(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(8, 8, 8, 8)} })
		if verify(ca, leaf, "8.8.8.8", born) == nil {
			t.Error("accepted")
		}
	})
	t.Run("a certificate for another use is refused", func(t *testing.T) {
		leaf := thief(func(c *x509.Certificate) {
			c.DNSNames = []string{"localhost"}
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
		})
		roots := x509.NewCertPool()
		roots.AddCert(ca.cert)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: born, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}})
		if err == nil {
			t.Error("accepted")
		}
	})
	t.Run("the same leaf for a private name would pass", func(t *testing.T) {
		leaf := thief(func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} })
		if err := verify(ca, leaf, "localhost", born); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenSSLAcceptsTheChain(t *testing.T) {
	needProgram(t, "openssl", "openssl")
	dir := t.TempDir()
	now := time.Now()
	ca := mustCA(t, nil, CARequest{Machine: "box7"}, now)
	caFile := filepath.Join(dir, "ca.pem")
	writeFile(t, caFile, ca.PEM())
	check := func(t *testing.T, issuer *CA, args ...string) (string, error) {
		cert, err := issuer.Issue([]string{"localhost", "*.localhost", "box7"}, addrs("127.0.0.1", "::1"), now)
		if err != nil {
			t.Fatal(err)
		}
		leafFile := filepath.Join(t.TempDir(), "leaf.pem")
		writeFile(t, leafFile, encodeCertificate(cert.Leaf.Raw))
		args = append([]string{"verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", caFile}, args...)
		out, err := exec.CommandContext(t.Context(), "openssl", append(args, leafFile)...).CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{{"-verify_hostname", "localhost"}, {"-verify_hostname", "box7"}, {"-verify_ip", "127.0.0.1"}, {"-verify_ip", "::1"}} {
		t.Run("for "+args[1], func(t *testing.T) {
			if out, err := check(t, ca, args...); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	t.Run("but not from a CA of the same name", func(t *testing.T) {
		if out, err := check(t, mustCA(t, nil, CARequest{Machine: "box7"}, now)); err == nil {
			t.Errorf("accepted: %s", out)
		}
	})
}

func TestScopeWithoutConstraintsPermitsAll(t *testing.T) {
	// RFC 5280 §4.2.1.10: no constraint of a kind means no restriction on it. A user may
	// have put a CA of his own into the state directory.
	var open scope
	if !open.hasName("example.com") || !open.hasAddr(netip.MustParseAddr("8.8.8.8")) {
		t.Error("restricted")
	}
}

func TestCAKeyNeverLeavesInPEM(t *testing.T) {
	ca := mustCA(t, nil, CARequest{}, born)
	if blocks := decodePEM(ca.PEM()); len(blocks.certs) != 1 || blocks.hasKey() {
		t.Errorf("PEM holds %d certificates, key %v", len(blocks.certs), blocks.hasKey())
	}
	if _, err := os.Stat(caBundleName); err == nil {
		t.Error("a CA without a state was written to the working directory")
	}
}
