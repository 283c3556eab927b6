package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
)

// ClientAuth is what a server asks of its clients' certificates.
type ClientAuth uint8

const (
	// RequireCertificate refuses clients that show none: TLS 1.3 tells them
	// certificate_required (RFC 8446 §6.2), TLS 1.2 handshake_failure.
	RequireCertificate ClientAuth = iota
	// RequestCertificate serves them too. One that is shown has to be good all the same.
	RequestCertificate
)

func (a ClientAuth) kind() tls.ClientAuthType {
	if a == RequestCertificate {
		return tls.VerifyClientCertIfGiven
	}
	return tls.RequireAndVerifyClientCert
}

// ServerForClients is [Server] for clients with certificates, which cas has signed.
//
// A client's certificate has to chain to one of the CAs, be meant for clients (RFC 5280
// §4.2.1.12, clientAuth), and be valid, with its chain, at the time of the connection. What
// does not is refused by an alert: unknown_ca, certificate_expired or bad_certificate. The
// CAs are those of the moment the hello came, and their names go to the client, so that a
// browser asks its user about fitting certificates alone (RFC 8446 §4.2.4).
//
// A session that resumes brings its certificate along and proves nothing anew, so each such
// connection is held against the CAs and dates of now as well, in VerifyConnection. A
// connection's PeerCertificates were verified if and only if VerifiedChains is not empty.
// That the client has the key of its certificate is what its ticket says: keep the keys of
// tickets as you would keep those of the clients (RFC 8446 §4.6.1, and see [Secret]).
//
// The returned Config has a GetConfigForClient, which leaves the session ticket keys to the
// Config itself. One that is put in its place has to ask for certificates itself, or is a way
// around them.
func ServerForClients(getCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error), auth ClientAuth, cas *ClientCAs) *tls.Config {
	check := &clientCheck{cas: cas, auth: auth}
	trusting := func(t *trust) *tls.Config {
		config := Server(getCertificate)
		config.ClientAuth, config.ClientCAs = auth.kind(), t.pool
		config.VerifyConnection = check.verify
		config.Time = cas.now
		return config
	}
	config := trusting(cas.trusted.Load())
	var latest atomic.Pointer[forTrust]
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := cas.trusted.Load()
		known := latest.Load()
		if known == nil || known.trust != now {
			known = &forTrust{now, trusting(now)}
			latest.Store(known) // two that come at once make one each, which are alike
		}
		return known.config, nil
	}
	return config
}

// forTrust is a Config with the CAs of one time.
type forTrust struct {
	trust  *trust
	config *tls.Config
}

// clientCheck looks at clients' certificates once a handshake is over.
type clientCheck struct {
	cas  *ClientCAs
	auth ClientAuth
}

// verify is VerifyConnection. In a full handshake crypto/tls has verified the certificate
// just before, with an alert that says more than one from here could.
func (v *clientCheck) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		if v.auth == RequireCertificate {
			return errors.New("the client has no certificate")
		}
		return nil
	}
	if len(state.VerifiedChains) == 0 {
		return errors.New("the client's certificate was not verified")
	}
	if !state.DidResume {
		return nil
	}
	options := x509.VerifyOptions{
		Roots: v.cas.trusted.Load().pool, Intermediates: x509.NewCertPool(), CurrentTime: v.cas.now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := state.PeerCertificates[0].Verify(options); err != nil {
		return fmt.Errorf("the session resumes with a certificate that is no longer good: %w",
			&tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err})
	}
	return nil
}
