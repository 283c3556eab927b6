package http1

import (
	"context"
	"crypto/tls"
	"io"
	"iter"
	"net/netip"
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// A Request is what a client asks for. What its methods return stays valid after the
// handler returned, except from those whose name ends in View.
type Request struct {
	x      *exchange.Exchange
	method string
	path   string
	target string
	ctx    context.Context // that a middleware gave it; nil for the exchange's own

	wildcards Wildcards // of the route that was found; nil for none
	matched   []byte    // the path in which they are
	rewritten bool
	directory string // see SetDirectory
}

func (r *Request) reset(x *exchange.Exchange) { *r = Request{x: x} }

// Method is the request method, case-sensitive (RFC 9110 §9.1).
func (r *Request) Method() string {
	if r.method == "" {
		r.method = methodString(r.x.Head.Method)
	}
	return r.method
}

// methodString makes a string of a method, without an allocation for the usual ones.
func methodString(m []byte) string {
	switch string(m) {
	case "GET":
		return "GET"
	case "HEAD":
		return "HEAD"
	case "POST":
		return "POST"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	case "PATCH":
		return "PATCH"
	}
	return string(m)
}

// Target is the request target as it was sent (RFC 9112 §3.2).
func (r *Request) Target() string {
	if r.target == "" {
		r.target = string(r.x.Head.Target)
	}
	return r.target
}

// Path is the target's path, still percent-encoded: it begins with "/", or is "*" for
// OPTIONS of the server as a whole. Decode it a segment at a time: an encoded slash is
// not a separator.
func (r *Request) Path() string {
	if r.path == "" {
		r.path = string(r.x.Head.Path)
	}
	return r.path
}

// Query is the target's query, without its question mark and still percent-encoded.
func (r *Request) Query() string { return string(r.x.Head.Query) }

// ConcealQuery keeps the target's query out of the request's [Record], and so out of the access
// log. It is for handlers whose queries hold a secret, such as a token in a link; it is called
// before the handler returns, however it answers.
func (r *Request) ConcealQuery() { r.x.SecretQuery = true }

// Authority is the host and optional port that the request is for: the target's own
// where it has one, else the Host field's (RFC 9112 §3.3). Empty only in HTTP/1.0.
func (r *Request) Authority() string { return string(r.x.Head.Authority) }

// Scheme is "https" for a request that came over TLS, else "http", unless [Request.SetScheme]
// says otherwise.
func (r *Request) Scheme() string { return r.x.Head.Scheme() }

// SetScheme says by which scheme the client asked, "http" or "https", where that is not the
// connection's: behind a proxy that ends TLS. It is for middleware, before the handlers that
// ask for it; [Request.TLS] stays what it is. Any other scheme panics.
func (r *Request) SetScheme(scheme string) {
	if scheme != "http" && scheme != "https" {
		panic("http1: SetScheme: " + strconv.Quote(scheme) + " is neither http nor https")
	}
	r.x.Head.Secure = scheme == "https"
}

// Proto is the protocol version as the client named it, such as "HTTP/1.1".
func (r *Request) Proto() string { return protoString(r.x.Head.Minor) }

func protoString(minor uint8) string {
	switch minor {
	case 0:
		return "HTTP/1.0"
	case 1:
		return "HTTP/1.1"
	}
	return "HTTP/1." + string('0'+rune(minor))
}

// Field is the value of the named field; the values of several lines of that name are
// joined with ", " (RFC 9110 §5.3). It is empty when there is none.
func (r *Request) Field(name string) string {
	v, _ := r.Lookup(name)
	return v
}

// Lookup is [Request.Field], and whether there was such a field at all.
func (r *Request) Lookup(name string) (value string, ok bool) {
	var lines []string // beyond the first: most fields have one line
	for line := range r.Values(name) {
		if !ok {
			value, ok = line, true
		} else {
			lines = append(lines, line)
		}
	}
	if lines != nil {
		value += ", " + strings.Join(lines, ", ")
	}
	return value, ok
}

// Values yields the value of each field line of that name, in the order they came.
func (r *Request) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range r.x.Head.Fields {
			f := &r.x.Head.Fields[i]
			if wire.SameName(f.Name, name) && !yield(string(f.Value)) {
				return
			}
		}
	}
}

// Fields yields every field line, in the order they came.
func (r *Request) Fields() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range r.x.Head.Fields {
			f := &r.x.Head.Fields[i]
			if !yield(string(f.Name), string(f.Value)) {
				return
			}
		}
	}
}

// FieldView is the value of the first field line of that name, nil when there is none.
// It is a view into the connection's buffer: valid only until the handler returns, and
// not to be written to. It allocates nothing.
func (r *Request) FieldView(name string) []byte {
	for i := range r.x.Head.Fields {
		if f := &r.x.Head.Fields[i]; wire.SameName(f.Name, name) {
			return f.Value
		}
	}
	return nil
}

// PathView is [Request.Path] as a view: valid only until the handler returns.
func (r *Request) PathView() []byte { return r.x.Head.Path }

// ContentLength is the length of the content in bytes: 0 for none, -1 when only its
// end will tell.
func (r *Request) ContentLength() int64 { return r.x.Head.Length }

// Body reads the request's content. It returns io.EOF at its end, a *[Reason] when its
// framing is broken or it is too large or too slow, and an error, never bytes, once the
// handler has returned. One goroutine at a time may read it, while another writes the
// response.
func (r *Request) Body() io.Reader { return r.x.Body }

// LimitBody refuses content of more than n bytes, where the server's own limit is higher:
// the response becomes a 413 unless it is committed, and a read of more a *[Reason].
func (r *Request) LimitBody(n int64) { r.x.Body.Limit(n) }

// Context ends when nobody waits for the response any more, and when the handler has
// returned; [Cause] tells why. A client that has gone is seen by a failed write or read,
// and, once the content was read to its end, by a reset or a TLS close_notify. A FIN alone
// is a half-close, after which the client may well read on; [Server.CancelOnFIN] takes it
// for a departure.
func (r *Request) Context() context.Context {
	if r.ctx != nil {
		return r.ctx
	}
	return r.x.Sink.Context()
}

// SetContext gives the request another context for the handlers that see it from now on.
// It should be derived from [Request.Context], so that it ends with the request.
func (r *Request) SetContext(ctx context.Context) { r.ctx = ctx }

// Client is who asks: the connection's other end, unless [Request.SetClient] says otherwise.
// It is not valid for a connection without addresses. Its port is 0 where only the address is known.
func (r *Request) Client() netip.AddrPort { return r.x.Asker() }

// SetClient says who asks, where that is not the connection's other end: behind a proxy.
// It is for middleware, before the handlers that ask for it. The request's [Record] has
// the client too. An invalid address takes back what was said.
func (r *Request) SetClient(client netip.AddrPort) { r.x.Client = client }

// Peer is the connection's own other end (conn.Conn.Remote), whoever the client is: a proxy,
// maybe. It is not valid for a connection without addresses.
func (r *Request) Peer() netip.AddrPort { return r.x.Peer.Remote }

// Unnamed tells that the peer is a proxy that opened the connection for a client it did not
// name (conn.Conn.Unnamed): what the request's fields say has nobody's word.
func (r *Request) Unnamed() bool { return r.x.Peer.Unnamed }

// Local is the server's own address of the connection.
func (r *Request) Local() netip.AddrPort { return r.x.Peer.Local }

// TLS describes the connection's TLS session; nil without one. It is shared by all
// requests of the connection and not to be changed.
func (r *Request) TLS() *tls.ConnectionState { return r.x.Peer.TLS }

// ID names this request in logs and reports.
func (r *Request) ID() string { return formatID(r.x.ID) }

// SetCallerID says under which id a trusted caller, such as a proxy, knows this request.
// It is in the [Record], beside the request's own. Empty for none.
func (r *Request) SetCallerID(id string) { r.x.CallerID = id }

// CallerID is what SetCallerID was given.
func (r *Request) CallerID() string { return r.x.CallerID }
