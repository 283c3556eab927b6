// Package exchange says what a request and its response are, whoever speaks the
// protocol.
//
// A protocol (HTTP/1.1 in package http1, the in-memory one in http1/http1test)
// fills an [Exchange] and hands it to http1.Answer, which shows it to a handler as
// a Request and a Response. The handler never sees this package, so a second
// protocol can move in without a handler noticing.
package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// Unknown is the length of content whose end only its framing tells.
const Unknown int64 = -1

// Errors that cross the border between a protocol and a handler.
var (
	// ErrBodyClosed is what a read gets after the handler returned.
	ErrBodyClosed = errors.New("http1: body read after the handler returned")
	// ErrContentLength is what a write gets that would pass the declared length.
	ErrContentLength = errors.New("http1: more content than the declared Content-Length")
)

// Field is one field line: views into memory that the protocol owns and that stays
// as it is until the exchange is over.
type Field = wire.Field

// Exchange is one request and the way to answer it. The protocol owns it and all it
// points to; http1.Answer borrows it for one call.
type Exchange struct {
	Head Head
	Body Body
	Sink Sink
	Peer *Peer
	// Client is who asks, where a handler knows better than Peer; else the zero AddrPort.
	Client netip.AddrPort
	ID     ID
	// CallerID is another id, by which a trusted caller knows the exchange.
	CallerID string
	// Route is the program's name for what answers, where a router has found one.
	Route string
	// SecretQuery keeps the target's query out of what is told of the exchange.
	SecretQuery bool
}

// Asker is the address of who asks: Client where that is set, else the peer's.
func (x *Exchange) Asker() netip.AddrPort {
	if x.Client.IsValid() {
		return x.Client
	}
	return x.Peer.Remote
}

// Scheme is the head's Secure as a URI scheme.
func (h *Head) Scheme() string {
	if h.Secure {
		return "https"
	}
	return "http"
}

// Head is a request's head. The byte slices are views, valid until the exchange is over.
type Head struct {
	Method    []byte
	Target    []byte // the request target as it came
	Path      []byte // still percent-encoded, "/" for an empty one, "*" for asterisk-form
	Query     []byte // without its question mark
	Authority []byte // from the target where it has one, else from Host
	Fields    []Field
	Length    int64 // of the content: 0 for none, Unknown for chunked
	Minor     uint8 // of the protocol version 1.x
	Secure    bool  // it came over TLS, or a handler knows that it did further in front
	Upgrade   bool  // the client offers to speak another protocol
}

// Peer is what is known of the other end for as long as a connection lives.
type Peer struct {
	Remote, Local netip.AddrPort
	TLS           *tls.ConnectionState // nil without TLS
	// Unnamed tells that Remote is a proxy's that speaks for somebody it did not name.
	Unnamed bool
}

// ID tells an exchange from every other of this process: the connection's number and
// the exchange's place on it, from 1.
type ID struct{ Conn, Seq uint64 }

// Body reads a request's content. Read returns io.EOF at its end. Close, called once
// by Answer when the handler has returned, ends a Read under way and makes every later
// one return ErrBodyClosed.
type Body interface {
	io.ReadCloser
	// Broken is why the content cannot be read to its end; nil while it can, or while
	// another goroutine is reading. It does not block.
	Broken() *wire.Reason
	// Limit refuses content of more than n bytes in all.
	Limit(n int64)
	// Trailers are the field lines behind the content, once Read has returned io.EOF.
	Trailers() []Field
}

// NoBody is the content of a request that has none.
var NoBody Body = noBody{}

type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }
func (noBody) Broken() *wire.Reason     { return nil }
func (noBody) Limit(int64)              {}
func (noBody) Trailers() []Field        { return nil }

// Line is one field line of a response.
type Line struct{ Name, Value string }

// Answer is the head of a final response. The sink adds what belongs to it alone:
// Date, where DateSet is false, and whatever frames the content.
type Answer struct {
	Status  int
	Lines   []Line
	Length  int64 // of the content, or of what GET would bring for HEAD and 304; Unknown when not declared
	Bodied  bool  // content follows: false for HEAD, 204 and 304
	Close   bool  // nothing more on this connection
	DateSet bool  // a Date stands among Lines
	Offers  bool  // an Upgrade stands among Lines, which Connection has to name
}

// Sink takes a response. Calls come in this order: Begin once, Write, ReadFrom and
// Flush any number of times, then End or Abort. All but Flush may keep bytes back
// until the protocol finds it right to send them.
type Sink interface {
	// Inform sends an informational response. It comes before Begin.
	Inform(status int, lines []Line) error
	// Begin takes the head. It keeps nothing of a after it returns.
	Begin(a *Answer) error
	// Write takes content. With a known length the caller never writes more.
	Write(p []byte) (int, error)
	// ReadFrom takes content from r until it ends, by sendfile where it can.
	ReadFrom(r io.Reader) (int64, error)
	// Flush sends all that was taken.
	Flush() error
	// End says that the content is whole, and takes the fields that follow it, which are
	// dropped where the framing has no place for them.
	End(trailers []Line) error
	// Abort says that it never will be: the peer must see a cut, not an end.
	Abort()
	// Context ends when nobody waits for the response any more, and when it is over. Any
	// goroutine may call it.
	Context() context.Context
	// SetReadDeadline and SetWriteDeadline bound reading the content and writing the response, beside the
	// protocol's own clocks. A zero time bounds nothing.
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// Detach takes the place of all that follows: it sends the head of a, or where that is
	// nil what was taken so far, and hands the connection over until Answer returns.
	Detach(a *Answer) (Stream, error)
}

// Stream is a connection that was handed over.
type Stream interface {
	net.Conn
	// CloseWrite ends our half: the peer sees the end, and can still be read.
	CloseWrite() error
	// Announced is closed when a drain begins.
	Announced() <-chan struct{}
	// Closed is closed by Close.
	Closed() <-chan struct{}
	// Context ends when the connection is cut.
	Context() context.Context
}
