package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	caLifetime   = 3650 * 24 * time.Hour
	leafLifetime = 30 * 24 * time.Hour

	// backdate lets a client whose clock is slow accept a certificate made just now.
	backdate = time.Hour
)

// CA is a certification authority for this machine and those around it. It can sign
// leaves only (pathLenConstraint 0), for TLS servers only, and only for what its
// critical name constraints permit (RFC 5280 §4.2.1.10).
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NotAfter is when the CA's certificate expires.
func (ca *CA) NotAfter() time.Time { return ca.cert.NotAfter }

// CommonName is how trust stores list the CA.
func (ca *CA) CommonName() string { return ca.cert.Subject.CommonName }

// PEM returns the CA's certificate, for clients to trust.
func (ca *CA) PEM() []byte { return encodeCertificate(ca.cert.Raw) }

// ending tells whether a twentieth of the lifetime or less is left: half a year, so
// that trust can be renewed at leisure.
func (ca *CA) ending(now time.Time) bool {
	life := ca.cert.NotAfter.Sub(ca.cert.NotBefore)
	return ca.cert.NotAfter.Sub(now) <= life/20
}

// createCA makes a CA in memory that may sign for what scope says.
func createCA(machine string, scope scope, now time.Time) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: caName(machine), Organization: []string{"Holdfast"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLifetime - backdate),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		// Name constraints bind only the kinds of name that they mention. This keeps the
		// CA from signing mail or code, whatever name that would be for.
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         scope.domains,
		PermittedIPRanges:           scope.ipNets(),
	}
	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	return &CA{cert: cert, key: key}, nil
}

func caName(machine string) string {
	const commonNameMax = 64 // ub-common-name, RFC 5280 appendix A.1
	machine, err := asciiName(machine)
	if err != nil {
		return "Holdfast local CA"
	}
	prefix, suffix := "Holdfast local CA (", ")"
	return prefix + machine[:min(len(machine), commonNameMax-len(prefix)-len(suffix))] + suffix
}

// Issue signs a certificate for the names and addresses, with a fresh P-256 key that
// exists only in the returned value. Names are host names, IDNs included, which may
// start with "*.". It is valid from an hour ago for 30 days in all, or until the CA
// expires. A name that the CA's constraints do not permit is an error, since clients
// would refuse the whole certificate.
func (ca *CA) Issue(names []string, addrs []netip.Addr, now time.Time) (*tls.Certificate, error) {
	template := &x509.Certificate{
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(leafLifetime - backdate),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(ca.cert.NotAfter) {
		template.NotAfter = ca.cert.NotAfter
	}
	if err := ca.putNames(template, names, addrs); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf, err := sign(template, ca.cert, key, ca.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func (ca *CA) putNames(template *x509.Certificate, names []string, addrs []netip.Addr) error {
	permitted := ca.scope()
	for _, name := range names {
		ascii, err := asciiName(name)
		if err != nil {
			return err
		}
		if !permitted.hasName(ascii) {
			return fmt.Errorf("the local CA may not sign for %s, only for %s", name, permitted)
		}
		template.DNSNames = append(template.DNSNames, ascii)
	}
	for _, addr := range addrs {
		if !permitted.hasAddr(addr) {
			return fmt.Errorf("the local CA may not sign for %s, only for %s", addr, permitted)
		}
		template.IPAddresses = append(template.IPAddresses, net.IP(addr.Unmap().AsSlice()))
	}
	if len(names)+len(addrs) == 0 {
		return fmt.Errorf("a certificate for no name at all would be of no use")
	}
	template.Subject = pkix.Name{Organization: []string{"Holdfast local certificate"}}
	return nil
}

// sign sets no serial number: x509 then draws one of 159 random bits (RFC 5280 §4.1.2.2).
func sign(template, parent *x509.Certificate, subject, issuer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, subject.Public(), issuer)
	if err != nil {
		return nil, fmt.Errorf("signing a local certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}
