package acme

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"time"
)

// acmeIdentifier is id-pe-acmeIdentifier (RFC 8737 §6.1).
var acmeIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

// validationCertificate makes the certificate that TLS-ALPN-01 asks for (RFC 8737 §3):
// it signs itself, is for host alone, and has the digest of the key authorization in a
// critical extension. Every replica makes its own, so that no key goes through the
// store.
func validationCertificate(host string, digest []byte) (*tls.Certificate, error) {
	value, err := asn1.Marshal(digest)
	if err != nil {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ACME challenge"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(24 * time.Hour), // no CA looks, RFC 8737 names no dates
		DNSNames: []string{host},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		ExtraExtensions: []pkix.Extension{{Id: acmeIdentifier, Critical: true, Value: value}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// digestOf reads the digest out of a certificate for TLS-ALPN-01 that autocert made and
// wrapped in PEM with its key.
func digestOf(text []byte) ([]byte, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		for _, extension := range certificate.Extensions {
			var digest []byte
			if !extension.Id.Equal(acmeIdentifier) {
				continue
			}
			if rest, err := asn1.Unmarshal(extension.Value, &digest); err == nil && len(rest) == 0 && len(digest) == sha256.Size {
				return bytes.Clone(digest), nil
			}
		}
	}
	return nil, errors.New("no certificate for TLS-ALPN-01")
}
