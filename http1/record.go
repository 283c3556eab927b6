package http1

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// An Ending is how a request ended, a column of the ledger: every request that began
// (its first byte arrived) ends in exactly one of these ways.
type Ending uint8

const (
	// Completed means that the whole response was handed to the connection.
	Completed Ending = iota
	// Refused means that the parser turned the message down, with a [Reason].
	Refused
	// Aborted means that the exchange broke off: the client left or stalled, or the
	// handler cut the response.
	Aborted
	// Forced means that the drain's deadline or a second signal cut it.
	Forced
)

// String is the ending in lower case, as logs and reports write it.
func (e Ending) String() string {
	return [...]string{"completed", "refused", "aborted", "forced"}[e]
}

// A Record describes a finished request to an observer. Its strings are what the client
// sent and can hold any byte: escape them before they reach a terminal or a log.
type Record struct {
	ID       string
	CallerID string    // by which a trusted caller knows the request; see [Request.SetCallerID]
	Start    time.Time // when the first byte of the head was read
	Duration time.Duration
	// Client is who asked: Peer, unless a handler set another. Where the parser refused the
	// message it is Peer, for what the message says of itself is not believed.
	Client netip.AddrPort
	Peer   netip.AddrPort // the connection's other end
	Local  netip.AddrPort
	Scheme string               // "http" or "https": the connection's, unless a handler set another
	TLS    *tls.ConnectionState // nil without TLS; not to be changed

	Method    string // empty where the head broke off before its end
	Target    string // without a query that the handler conceals; see [Request.ConcealQuery]
	Authority string
	Proto     string
	Route     string // that a router has found; see [Request.SetRoute]

	Status int   // 0 when no response was begun
	Bytes  int64 // of response content
	// Detached says that the handler took the connection over and spoke as it liked on it
	// until the end. Status is then 101 where the server sent that, that of the head that
	// went before, or 0 where every byte was the handler's; Bytes counts none of them.
	Detached bool
	Ending   Ending
	Reason   *Reason // why it was refused, else nil
	Err      error   // what broke it off, else nil
}
