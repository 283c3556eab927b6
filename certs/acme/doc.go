// Package acme gets certificates from a CA by ACME (RFC 8555), and answers the CA's
// challenges by TLS-ALPN-01 (RFC 8737) and HTTP-01 (RFC 8555 §8.3).
//
// An Issuer orders one certificate when it is told to and does nothing otherwise: no
// handshake, no timer and no goroutine of this package ever places an order. Two ways
// lead to the CA. The usual one is autocert, with one Manager for each attempt that is
// bound to one host and gets an HTTP client which is cut when the attempt ends; the
// other, for what autocert cannot do (a profile, HTTP-01 alone), is the acme package
// below it. Both run over a line, which bounds every request, counts the orders, and
// keeps what the CA said, since autocert drops the reason for which a challenge failed.
//
// Challenges holds the answers to the challenges of this process and looks those of the
// other replicas up in the shared store, for configured hosts only.
//
// An Adviser asks the CA when a certificate should be renewed (ARI, RFC 9773).
package acme
