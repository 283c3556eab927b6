// Package tlsconf turns our TLS policy into a *tls.Config.
//
// The policy: TLS 1.3, and TLS 1.2 with forward secrecy and AEAD suites (RFC 9325
// §4.2); HTTP/1.1 by ALPN; session tickets on, with keys of this process or, by
// [TicketKeys], of a cluster; certificates of clients where they are asked for. Where the
// server's own certificates come from is not its business: it takes a function.
package tlsconf
