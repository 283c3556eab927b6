package store_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// born is the moment around which fixtures are valid.
var born = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func encodeKey(t testing.TB, key crypto.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("PRIVATE KEY", der)
}

// issue makes a bundle for host that begins at from, signed by a CA of its own or, for
// selfSigned, by itself.
func issue(t testing.TB, host string, from time.Time, life time.Duration, selfSigned bool) []byte {
	t.Helper()
	key, caKey := newKey(t), newKey(t)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: from, NotAfter: from.Add(life),
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: from, NotAfter: from.Add(life),
	}
	parent, signer := ca, crypto.Signer(caKey)
	if selfSigned {
		parent, signer = leaf, key
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return append(encodeKey(t, key), encodePEM("CERTIFICATE", der)...)
}

func TestRules(t *testing.T) {
	rules := store.Rules{Now: func() time.Time { return born }}
	const life = 90 * 24 * time.Hour
	good := issue(t, "example.org", born.Add(-time.Hour), life, false)
	other := issue(t, "example.org", born.Add(-time.Hour), life, false)
	key, chain := good[:bytes.Index(good, []byte("-----BEGIN CERT"))], good[bytes.Index(good, []byte("-----BEGIN CERT")):]
	otherKey := other[:bytes.Index(other, []byte("-----BEGIN CERT"))]
	secret := []byte(strings.Repeat("0f1e", 16) + "\n")
	sec1, err := x509.MarshalECPrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		test, name string
		value      []byte
		want       string // "" when it passes
	}{
		{"a bundle", "cert/example.org", good, ""},
		{"a bundle that begins later, since the clock may be behind", "cert/example.org", issue(t, "example.org", born.Add(time.Hour), life, false), ""},
		{"another host's", "cert/example.com", good, "not for example.com"},
		{"an empty one", "cert/example.org", nil, "no PEM"},
		{"one cut short", "cert/example.org", good[:len(good)-30], "cut short"},
		{"a chain without its key", "cert/example.org", chain, "key"},
		{"a key without its chain", "cert/example.org", key, "certificate"},
		{"another's key", "cert/example.org", append(bytes.Clone(otherKey), chain...), "does not match"},
		{"self-signed by somebody", "cert/example.org", issue(t, "example.org", born, life, true), "self-signed"},
		{"one that has ended", "cert/example.org", issue(t, "example.org", born.Add(-2*life), life, false), "2025-12-01"},
		{"one that ends before it begins", "cert/example.org", issue(t, "example.org", born, -time.Hour, false), "before it begins"},
		{"an account key in SEC 1", "account/0f", encodePEM("EC PRIVATE KEY", sec1), ""},
		{"an account key in PKCS #8", "account/0f", key, ""},
		{"an account key and a blank line", "account/0f", append(bytes.Clone(key), '\n'), ""},
		{"an account key of RSA, which we do not sign with", "account/0f", encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "SEC 1 or PKCS #8"},
		{"the same in PKCS #8", "account/0f", encodeKey(t, rsaKey), "ECDSA on P-256"},
		{"an account key on P-384", "account/0f", encodeKey(t, p384), "ECDSA on P-256"},
		{"an account key of Ed25519, which ACME's servers refuse", "account/0f", encodeKey(t, edKey), "ECDSA on P-256"},
		{"an account key that is none", "account/0f", encodePEM("EC PRIVATE KEY", []byte("hunter2")), "ECDSA on P-256"},
		{"a certificate for an account key", "account/0f", chain, "no private key"},
		{"two account keys", "account/0f", append(bytes.Clone(key), key...), "more than one"},
		{"no account key", "account/0f", []byte("hunter2"), "no PEM"},
		{"a ticket secret", "secret/tickets", secret, ""},
		{"one that is too short", "secret/tickets", []byte(hex.EncodeToString([]byte("hunter2"))), "7 bytes"},
		{"one of zeros", "secret/tickets", []byte(strings.Repeat("00", 32)), "again and again"},
		{"one that is not hexadecimal", "secret/tickets", []byte("hunter2"), "not hexadecimal"},
		{"a ledger", "ledger/example.org", []byte(`{"attempts":[]}`), ""},
		{"half a ledger", "ledger/example.org", []byte(`{"attempts":[`), "JSON"},
		{"half a challenge", "challenge/http-01/example.org/0f", []byte(`{`), "JSON"},
		{"what nobody knows", "other/x", []byte("anything"), ""},
	} {
		t.Run(c.test, func(t *testing.T) {
			err := rules.Check(c.name, c.value)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Errorf("it repeats the value: %v", err)
			}
			if errors.Is(err, store.ErrOutdated) != (c.test == "one that has ended") {
				t.Errorf("outdated is wrong of %v", err)
			}
		})
	}
	t.Run("self-signed by us passes", func(t *testing.T) {
		own := store.Rules{Now: rules.Now, Own: func(leaf *x509.Certificate) bool { return leaf.Subject.CommonName == "example.org" }}
		if err := own.Check("cert/example.org", issue(t, "example.org", born, life, true)); err != nil {
			t.Error(err)
		}
	})
	t.Run("newer is what was issued later", func(t *testing.T) {
		later := issue(t, "example.org", born, life, false)
		for _, c := range []struct {
			name string
			a, b []byte
			want bool
		}{
			{"cert/example.org", later, good, true}, {"cert/example.org", good, later, false}, {"cert/example.org", good, good, false},
			{"cert/example.org", later, nil, false}, {"cert/example.org", nil, good, false}, {"ledger/example.org", later, good, false},
		} {
			if got := store.Newer(c.name, c.a, c.b); got != c.want {
				t.Errorf("%s: %v", c.name, got)
			}
		}
	})
}
