package store

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// ErrOutdated is what Rules say of a certificate that is sound and has ended. Layered returns
// it all the same: the clock may be what is wrong, and a certificate that has ended is better
// than none. Whoever reads it looks at its dates.
var ErrOutdated = errors.New("the certificate has ended")

// ticketSecretBytes is the length of the secret that ticket keys are derived from.
const ticketSecretBytes = 32

// Rules tell what a sound value is, by its name. No error repeats bytes of a value.
type Rules struct {
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Own tells of a self-signed certificate that it is ours; nil if none can be.
	Own func(leaf *x509.Certificate) bool
}

// Check returns why value cannot be what belongs under name. Names that it does not know
// pass.
func (r Rules) Check(name string, value []byte) error {
	kind, rest, _ := strings.Cut(name, "/")
	switch kind {
	case "cert":
		host, _, _ := strings.Cut(rest, "_") // which sets off the CA; no host name has one
		return r.CheckBundle(host, value)
	case "account":
		_, err := ParseAccountKey(value)
		return err
	case "secret":
		return CheckTicketSecret(value)
	case "challenge", "ledger", "budget":
		if !json.Valid(value) {
			return errors.New("no valid JSON")
		}
	}
	return nil
}

// CheckBundle returns why bundle cannot be served for host: PEM that is damaged or cut
// short, a key that belongs to another certificate, another host's, self-signed without
// being ours, dates that cannot be. ErrOutdated when it has ended.
func (r Rules) CheckBundle(host string, bundle []byte) error {
	c, err := certs.ParseBundle("store", bundle)
	if err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")) // faults of the chain and of the key, on one line
	}
	leaf := c.Leaf()
	if err := leaf.VerifyHostname(host); err != nil {
		return fmt.Errorf("the certificate is not for %s", host)
	}
	if !leaf.NotBefore.Before(leaf.NotAfter) {
		return errors.New("the certificate ends before it begins")
	}
	selfSigned := bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
	if selfSigned && (r.Own == nil || !r.Own(leaf)) {
		return errors.New("the certificate is self-signed, and not by us")
	}
	if r.now().After(leaf.NotAfter) {
		return fmt.Errorf("%w, at %s", ErrOutdated, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

func (r Rules) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// ParseAccountKey returns the one key of ECDSA on P-256 that value is, as PEM of SEC 1 or
// PKCS #8. It is what we make, and what every ACME server takes (ES256, RFC 8555 §6.2). No
// error repeats bytes of the value.
func ParseAccountKey(value []byte) (*ecdsa.PrivateKey, error) {
	block, rest := pem.Decode(value)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("more than one PEM block")
	}
	var parsed any
	var err error // not passed on: what the parsers say may repeat what they read
	switch block.Type {
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, errors.New("the PEM block is no private key of SEC 1 or PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("no private key of ECDSA on P-256")
	}
	return key, nil
}

// CheckTicketSecret returns why value is not 32 bytes in hexadecimal that can be a secret.
// What passes is read by tlsconf.ParseSecret, which these rules may not know.
func CheckTicketSecret(value []byte) error {
	secret, err := hex.DecodeString(string(bytes.TrimSpace(value)))
	if err != nil {
		return errors.New("not hexadecimal") // the decoder's words repeat a byte
	}
	if len(secret) != ticketSecretBytes {
		return fmt.Errorf("%d bytes, want %d", len(secret), ticketSecretBytes)
	}
	if bytes.Count(secret, secret[:1]) == ticketSecretBytes {
		return errors.New("one byte again and again, which is no secret")
	}
	return nil
}

// Newer tells whether the certificate in bundle a was issued after the one in b. Names of
// other values are never newer.
func Newer(name string, a, b []byte) bool {
	if !strings.HasPrefix(name, "cert/") {
		return false
	}
	first, errA := certs.ParseBundle("store", a)
	second, errB := certs.ParseBundle("store", b)
	return errA == nil && errB == nil && first.NotBefore.After(second.NotBefore)
}
