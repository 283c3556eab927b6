package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// identity is a certificate with its key and those above it.
type identity struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	above *identity // nil for one that signed itself
}

// issue makes an identity, signed by above or by itself.
func issue(t testing.TB, above *identity, template *x509.Certificate) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, parent := key, template
	if above != nil {
		signer, parent = above.key, above.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{cert, key, above}
}

// tls is the chain without its root, as it is sent.
func (i *identity) tls() *tls.Certificate {
	c := &tls.Certificate{PrivateKey: i.key, Certificate: [][]byte{i.cert.Raw}}
	for up := i.above; up != nil && up.above != nil; up = up.above {
		c.Certificate = append(c.Certificate, up.cert.Raw)
	}
	return c
}

func (i *identity) pem() string { return pemText("CERTIFICATE", i.cert.Raw) }

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func template(name string, life time.Duration) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(life),
	}
}

// leafOf is a certificate for servers.
func leafOf(host string, life time.Duration) *x509.Certificate {
	c := template(host, life)
	c.DNSNames, c.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return c
}

func clientOf(name string, life time.Duration) *x509.Certificate {
	c := template(name, life)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return c
}

func caOf(name string, life time.Duration) *x509.Certificate {
	c := template(name, life)
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	return c
}

// write makes a file, or puts another in its place in one step.
func write(t testing.TB, path string, texts ...string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(strings.Join(texts, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// file is a new file with this text.
func file(t testing.TB, name string, texts ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, texts...)
	return path
}
