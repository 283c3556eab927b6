package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// site makes a root with these files; a name may have folders.
func site(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// bulk is size bytes that do not repeat, and the same for each run.
func bulk(size int) string {
	var seed [32]byte
	noise := mathrand.NewChaCha8(seed)
	b := make([]byte, size)
	_, _ = noise.Read(b) // cannot fail
	return string(b)
}

func sum(b []byte) string {
	digest := sha256.Sum256(b)
	return hex.EncodeToString(digest[:])
}

// authority is a CA of the tests, from which pairs of files come.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA of the tests"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pairPEM is a certificate for localhost and 127.0.0.1 and its key.
func (a *authority) pairPEM(serial int64, until time.Duration) (cert, key string) {
	a.t.Helper()
	return a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(until), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// namedPEM is a certificate for these names with its key, in one text.
func (a *authority) namedPEM(names ...string) string {
	a.t.Helper()
	cert, key := a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: names, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return cert + key
}

// clientPEM is a certificate for a client with its key, in one text.
func (a *authority) clientPEM(name string, until time.Duration) string {
	a.t.Helper()
	cert, key := a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(until),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return cert + key
}

// issue signs a certificate, valid for two hours already, with a key of its own.
func (a *authority) issue(template *x509.Certificate) (cert, key string) {
	a.t.Helper()
	k := newKey(a.t)
	template.NotBefore, template.KeyUsage = time.Now().Add(-2*time.Hour), x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, k.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", keyDER)
}

// caPEM is the CA's certificate.
func (a *authority) caPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// trust is a client's TLS configuration that trusts this CA and resumes no session, so
// that each handshake shows the certificate.
func (a *authority) trust() *tls.Config { return &tls.Config{RootCAs: a.pool, ServerName: "localhost"} }

// replace puts a file where another was, whole, as a renewal does.
func replace(t testing.TB, path, content string) {
	t.Helper()
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, path); err != nil {
		t.Fatal(err)
	}
}

// relink points a symbolic link elsewhere in one step, as a kubelet does.
func relink(t testing.TB, link, target string) {
	t.Helper()
	temporary := link + "_tmp"
	if err := os.Symlink(target, temporary); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temporary, link); err != nil {
		t.Fatal(err)
	}
}

// listed is a list's text, one element a line, for a message.
func listed(all []string) string { return strings.Join(all, "\n") }

// fetch gets a URL and returns the response with its whole body.
func fetch(c *http.Client, url string, fields ...string) (*http.Response, []byte, error) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(fields); i += 2 {
		request.Header.Set(fields[i], fields[i+1])
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, nil, err
	}
	body, err := readAndClose(response.Body)
	return response, body, err
}
