// Package proxyproto reads the header of the PROXY protocol, versions 1 and 2, by which a
// proxy says for whom it connects. The protocol is specified in HAProxy's
// doc/proxy-protocol.txt; the parser is github.com/pires/go-proxyproto.
//
// Whoever may send a header may claim any address. So it is only for peers that are
// trusted, which package conn sees to: [Read] is made for conn.Listener's Preface.
package proxyproto
