package conn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
)

// States counts connections by where they stand, indexed by [State].
type States [Closed + 1]int64

// States is how many connections are in each state now; those in Closed still linger.
// Nothing is counted for it while connections are served: each is asked when somebody
// wants to know, under its own lock, and accepts wait only until all are listed, about 2 ms
// where there are 100,000.
func (s *Server) States() (n States) {
	for _, c := range s.tracker.all() {
		n[c.State()]++
	}
	return n
}

// Refusals is how many connections were refused so far, by the limit that they were over:
// "connections", "connections-per-ip", or "stopping" for the few that came when the
// listeners were closed. They add up to the ledger's Refused. Every limit is in it.
func (s *Server) Refusals() map[string]int64 { return s.tracker.turnedAway(overConnections, stopping) }

// HandshakeFailures is how many connections came to no TLS session so far, by why: "timeout",
// "preface" (a trusted proxy sent none, or a broken one), "not-tls", "unknown-name" (no
// certificate has it), "alert" (the client did not like ours), "client-certificate" (there was
// none, or a bad one, where we ask for it), "peer-left", or "protocol" for all else, such as no version in common. They add up to the ledger's HandshakeFailed.
// Every reason is in it.
func (s *Server) HandshakeFailures() map[string]int64 {
	return s.tracker.turnedAway(tooLong, noCommonGround)
}

// turned is why a connection never came to its handler.
type turned uint8

// The limits, and then the handshake's failures.
const (
	overConnections turned = iota
	overConnectionsPerIP
	stopping
	tooLong
	noPreface
	notTLS
	unknownName
	alerted
	badClient
	leftEarly
	noCommonGround
	turnedKinds
)

// String is what a metric calls it. The names are stable.
func (k turned) String() string {
	return [...]string{"connections", "connections-per-ip", "stopping",
		"timeout", "preface", "not-tls", "unknown-name", "alert", "client-certificate", "peer-left", "protocol"}[k]
}

// turnedAway is a stretch of the counters, by name.
func (t *tracker) turnedAway(first, last turned) map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	counted := make(map[string]int64)
	for k := first; k <= last; k++ {
		counted[k.String()] = t.turned[k]
	}
	return counted
}

const (
	// nameless is what crypto/tls says when no certificate was found for the name that was
	// asked for. It has no type.
	nameless = "tls: no certificates configured"
	// bare is what it says of a client without the certificate that is required.
	bare = "tls: client didn't provide a certificate"
)

// failure tells apart why a handshake failed.
func (c *Conn) failure(err error) turned {
	var header tls.RecordHeaderError
	var op *net.OpError
	var client *tls.CertificateVerificationError
	switch {
	case errors.Is(err, ErrHandshakeTimeout):
		return tooLong
	case c.hasPreface() && c.preface == 0:
		return noPreface
	case errors.As(err, &header):
		return notTLS
	case errors.As(err, &op) && op.Op == "remote error":
		return alerted
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return leftEarly
	case errors.As(err, &client), err.Error() == bare:
		return badClient
	case err.Error() == nameless:
		return unknownName
	}
	return noCommonGround
}
