package tlsconf

import "crypto/tls"

// Server returns the configuration for a TLS listener.
//
//   - Versions: TLS 1.2 and 1.3. Older ones end with protocol_version (RFC 8996).
//   - TLS 1.2 suites: ECDHE with AES-GCM or ChaCha20-Poly1305, for ECDSA and RSA
//     certificates. No CBC, no static RSA. TLS 1.3 has only AEAD suites anyway.
//   - ALPN: http/1.1. A client without ALPN is served; one that offers only other
//     protocols gets no_application_protocol (RFC 7301 §3.2), because whatever it sends
//     next would not be HTTP/1.1.
//   - Key exchange groups are crypto/tls's own, which include post-quantum hybrids.
//   - Renegotiation does not exist on the server side of crypto/tls.
//
// Session tickets are on, with keys that crypto/tls makes and rotates by itself and
// keeps in the Config, unless [TicketKeys] sets others: the returned one must be used as it
// is for all connections. A clone per connection would have keys of its own, and no client
// could resume.
//
// getCertificate is asked in every full handshake; (nil, nil) ends it with
// unrecognized_name (RFC 6066 §3), an error with internal_error.
func Server(getCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate: getCertificate,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// Small records at a connection's beginning would split a response, which leaves
		// in one write, into several; a browser gains little from the first kilobyte.
		DynamicRecordSizingDisabled: true,
	}
}

// GroupName returns the name that IANA's registry of TLS supported groups has for id:
// "x25519", "X25519MLKEM768", "secp256r1". Zero, which crypto/tls reports where no key
// exchange took place, is "". For versions crypto/tls has tls.VersionName.
func GroupName(id tls.CurveID) string {
	switch id {
	case 0:
		return ""
	case tls.X25519:
		return "x25519"
	case tls.CurveP256:
		return "secp256r1"
	case tls.CurveP384:
		return "secp384r1"
	case tls.CurveP521:
		return "secp521r1"
	default:
		return id.String()
	}
}
