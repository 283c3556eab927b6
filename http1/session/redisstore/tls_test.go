package redisstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a self-signed certificate for loopback.
func writeCertificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	cert, key := writeCertificate(t, t.TempDir())
	r := startRedis(t, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
	t.Run("with the CA of the URL", func(t *testing.T) {
		recovers(t, open(t, "rediss://"+r.addr+"?ca="+cert))
	})
	t.Run("the system does not know this one", func(t *testing.T) {
		s := open(t, "rediss://"+r.addr)
		await(t, "it says so", func() bool { // the system's roots may take long to read, the first time
			_, err := s.Get(t.Context(), "a")
			return err != nil && strings.Contains(err.Error(), "certificate")
		})
	})
	t.Run("without TLS there is no answer", func(t *testing.T) {
		fails(t, open(t, r.url()))
	})
}
