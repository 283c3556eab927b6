package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// born is the moment around which fixtures are valid.
var born = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func atBorn() time.Time { return born }

// order describes a self-signed certificate for a test.
type order struct {
	names     []string
	ips       []string
	from, to  time.Time // zero: a month around born
	rsa       bool
	key       crypto.Signer // nil: a fresh one
	clientUse bool
}

func (o order) make(t testing.TB) (certPEM, keyPEM []byte) {
	t.Helper()
	key := o.key
	if key == nil {
		key = newKey(t, o.rsa)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "fixture"},
		DNSNames:  o.names,
		NotBefore: born.AddDate(0, -1, 0),
		NotAfter:  born.AddDate(0, 1, 0),
	}
	for _, ip := range o.ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	if !o.from.IsZero() {
		template.NotBefore = o.from
	}
	if !o.to.IsZero() {
		template.NotAfter = o.to
	}
	if o.clientUse {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return encodeCertificate(der), encodeKey(t, key)
}

func newKey(t testing.TB, isRSA bool) crypto.Signer {
	t.Helper()
	if isRSA {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encodeKey(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// served makes a Certificate as a source would hold it.
func (o order) served(t testing.TB) *Certificate {
	t.Helper()
	certPEM, keyPEM := o.make(t)
	c, err := parsePair(Pair{CertFile: "cert", KeyFile: "key"}, pairContent{cert: certPEM, key: keyPEM}, born)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writePair puts a fresh pair for name into dir.
func writePair(t testing.TB, dir, name string) Pair {
	t.Helper()
	certPEM, keyPEM := order{names: []string{name}}.make(t)
	p := Pair{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key")}
	writeFile(t, p.CertFile, certPEM)
	writeFile(t, p.KeyFile, keyPEM)
	return p
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// logBook is a logger whose lines a test can count.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// count returns how many lines hold text.
func (b *logBook) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for line := range strings.Lines(b.buf.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openState(t testing.TB) *State {
	t.Helper()
	s, err := OpenState(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustCA(t testing.TB, state *State, r CARequest, now time.Time) *CA {
	t.Helper()
	ca, err := LoadOrCreateCA(state, r, quiet(), now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func addrs(texts ...string) []netip.Addr {
	list := make([]netip.Addr, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParseAddr(text)
	}
	return list
}

// needProgram skips the test without the program, except where CI promised it.
func needProgram(t *testing.T, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("HOLDFAST_CI") == "1" {
		t.Fatalf("%s is missing: apt-get install %s", program, debianPackage)
	}
	t.Skipf("%s is missing: apt-get install %s", program, debianPackage)
}

// oneLine fails unless err is a single line that holds all parts.
func oneLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q is more than one line", err)
	}
}
