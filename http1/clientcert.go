package http1

import (
	"crypto/tls"
	"crypto/x509"
)

// ClientCertificate is the certificate that the client proved to have, nil without one. It
// was verified in this connection's handshake or, where that resumed a session, in the
// session's; one that a client showed and nobody verified is in [Request.TLS] alone. It is
// shared by all requests of the connection and not to be changed.
//
// The peer is whose certificate it is: behind a proxy that ends TLS, the proxy's.
func (r *Request) ClientCertificate() *x509.Certificate { return verified(r.TLS()) }

// ClientSubject names whom [Request.ClientCertificate] is for, "" without one: its subject
// (RFC 4514) or, where that is empty (RFC 5280 §4.2.1.6), the first of its URIs, host names
// and mail addresses. It holds what the CA let in: escape it for a page or a log.
func (r *Request) ClientSubject() string { return subject(r.ClientCertificate()) }

// ClientSubject is [Request.ClientSubject].
func (r *Record) ClientSubject() string { return subject(verified(r.TLS)) }

func verified(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0] // every chain begins with the client's
}

func subject(c *x509.Certificate) string {
	if c == nil {
		return ""
	}
	if name := c.Subject.String(); name != "" {
		return name
	}
	switch {
	case len(c.URIs) > 0:
		return c.URIs[0].String()
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case len(c.EmailAddresses) > 0:
		return c.EmailAddresses[0]
	}
	return ""
}
