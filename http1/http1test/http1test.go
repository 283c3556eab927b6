// Package http1test lets a test ask a handler something without a connection.
//
// It is a protocol of its own on the same footing as HTTP/1.1: it builds the exchange
// that a handler answers and takes the response in values. A handler that passes here
// and over a socket depends on neither.
package http1test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/internal/exchange"
)

// A Request is what the test asks. The zero value of each field is the usual case.
type Request struct {
	Method string // GET when empty
	Target string // origin-form or "*"; "/" when empty
	// Fields are name and value in turn: {"Accept", "text/html", …}.
	Fields    []string
	Authority string   // "example.test" when empty
	Content   string   // sent with a Content-Length, unless Chunked
	Chunked   bool     // the handler is not told the length
	Trailers  []string // behind Content, as Fields
	// Refused, when not nil, is found behind Content: the handler's read gets it in
	// place of the end, as it would of content that is broken, too large or too slow.
	Refused *http1.Reason
	Secure  bool // as if over TLS 1.3
	// ClientCertificate is what the client showed over TLS, as if it had been verified.
	ClientCertificate *x509.Certificate
	Closing           bool // as if the server were about to stop
	// Client is the connection's other end, 192.0.2.1:50000 when it is not valid.
	Client  netip.AddrPort
	Unix    bool // as if over a unix socket, whose ends have no address
	Unnamed bool // the peer is a proxy that did not say for whom it connected
	Context context.Context
}

// A Response is what the handler answered.
type Response struct {
	Status   int
	Fields   []exchange.Line // name and value of each line, as the handler set them
	Length   int64           // declared or worked out; -1 when only the end tells
	Content  []byte          // none for HEAD, 204 and 304
	Close    bool            // the connection ends after it
	Cut      bool            // the response is not whole and the peer sees it
	Informed []Informed      // the informational responses before it
	Trailers []exchange.Line // behind the content, where its length was left open
	Flushes  int             // how often the handler flushed
	Result   http1.Result    // what the server would log
	Client   netip.AddrPort  // likewise: who asked, as far as a handler knew better
	Scheme   string
	Route    string // that a router found
	// SecretQuery says that the handler conceals the target's query.
	SecretQuery bool
}

// Informed is an informational response.
type Informed struct {
	Status int
	Fields []exchange.Line
}

// Get is the first value of the named field, "" without one.
func (r *Response) Get(name string) string {
	for _, l := range r.Fields {
		if strings.EqualFold(l.Name, name) {
			return l.Value
		}
	}
	return ""
}

// Values are all values of the named field.
func (r *Response) Values(name string) (values []string) {
	for _, l := range r.Fields {
		if strings.EqualFold(l.Name, name) {
			values = append(values, l.Value)
		}
	}
	return values
}

// Do lets h answer r. The request's memory is overwritten before Do returns, so that a
// handler which kept a view shows garbage to its test.
func Do(h http1.Handler, r Request) *Response {
	memory, x := r.exchange()
	sink := &sink{closing: r.Closing, context: r.Context}
	if sink.context == nil {
		sink.context = context.Background()
	}
	x.Sink = sink
	if b, ok := x.Body.(*body); ok {
		b.sink = sink
	}
	sink.res.Result = http1.Answer(h, x)
	sink.res.Client, sink.res.Scheme, sink.res.Route = x.Asker(), x.Head.Scheme(), x.Route
	sink.res.SecretQuery = x.SecretQuery
	for i := range memory {
		memory[i] = 0xDB
	}
	return &sink.res
}

// exchange builds the exchange over one block of memory.
func (r *Request) exchange() (memory []byte, x *exchange.Exchange) {
	var b block
	target := or(r.Target, "/")
	path, query, _ := strings.Cut(target, "?")
	head := exchange.Head{
		Method: b.view(or(r.Method, "GET")), Target: b.view(target), Path: b.view(path),
		Query: b.view(query), Authority: b.view(or(r.Authority, "example.test")), Minor: 1, Secure: r.Secure || r.ClientCertificate != nil,
	}
	head.Fields = b.fields(r.Fields)
	x = &exchange.Exchange{Head: head, Body: exchange.NoBody, Peer: r.peer(), ID: exchange.ID{Conn: 1, Seq: 1}}
	if r.Content != "" || r.Chunked || r.Refused != nil {
		x.Body = &body{r: strings.NewReader(r.Content), refused: r.Refused, left: math.MaxInt64, trailers: b.fields(r.Trailers)}
		x.Head.Length = int64(len(r.Content))
	}
	if r.Chunked || r.Refused != nil {
		x.Head.Length = exchange.Unknown
	}
	return b.memory[:len(b.memory):len(b.memory)], x
}

func (r *Request) peer() *exchange.Peer {
	p := &exchange.Peer{Remote: r.Client, Local: netip.MustParseAddrPort("127.0.0.1:8443"), Unnamed: r.Unnamed}
	switch {
	case r.Unix:
		p.Remote, p.Local = netip.AddrPort{}, netip.AddrPort{}
	case !p.Remote.IsValid():
		p.Remote = netip.MustParseAddrPort("192.0.2.1:50000")
	}
	if r.Secure || r.ClientCertificate != nil {
		p.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: "example.test"}
	}
	if c := r.ClientCertificate; c != nil {
		p.TLS.PeerCertificates, p.TLS.VerifiedChains = []*x509.Certificate{c}, [][]*x509.Certificate{{c}}
	}
	return p
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// block is memory of a fixed size, so that views into it never move.
type block struct{ memory []byte }

const blockBytes = 64 << 10

func (b *block) view(s string) []byte {
	if b.memory == nil {
		b.memory = make([]byte, 0, blockBytes)
	}
	if len(b.memory)+len(s) > blockBytes {
		panic("http1test: the request's head is larger than 64 KiB")
	}
	start := len(b.memory)
	b.memory = append(b.memory, s...)
	return b.memory[start:len(b.memory):len(b.memory)]
}

// fields are the field lines of names and values in turn.
func (b *block) fields(pairs []string) (fields []exchange.Field) {
	for i := 0; i+1 < len(pairs); i += 2 {
		fields = append(fields, exchange.Field{Name: b.view(pairs[i]), Value: b.view(pairs[i+1])})
	}
	return fields
}

// body is the request's content; once closed it gives no more bytes.
type body struct {
	mu      sync.Mutex
	r       *strings.Reader
	refused *http1.Reason
	broken  *http1.Reason // refused, once a read has met it
	closed  bool

	sink     *sink
	left     int64 // what Limit allows
	trailers []exchange.Field
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, exchange.ErrBodyClosed
	}
	if b.refused != nil && b.r.Len() == 0 && len(p) > 0 {
		b.broken = b.refused
		return 0, b.broken
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		b.broken = tooLarge
		return n + int(b.left), b.broken
	}
	return n, err
}

// tooLarge is the Reason of content over a limit.
var tooLarge = func() *http1.Reason {
	for _, r := range http1.Reasons() {
		if r.Code == "body-too-large" {
			return r
		}
	}
	panic("http1test: no reason body-too-large")
}()

func (b *body) Limit(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left = min(b.left, n); int64(b.r.Len()) > b.left {
		b.broken = tooLarge
	}
}

func (b *body) Trailers() []exchange.Field {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.r.Len() > 0 {
		return nil
	}
	return b.trailers
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.broken == nil && !b.sink.begun {
		b.broken = b.refused // as HTTP/1.1 reads what the handler left, before the answer
	}
	return nil
}

func (b *body) Broken() *http1.Reason {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// sink keeps the response in values.
type sink struct {
	res     Response
	content bytes.Buffer
	closing bool
	begun   bool
	bodied  bool
	context context.Context
}

// Detach has no connection to hand over.
func (s *sink) Detach(*exchange.Answer) (exchange.Stream, error) { return nil, http1.ErrNoUpgrade }

func (s *sink) Inform(status int, lines []exchange.Line) error {
	s.res.Informed = append(s.res.Informed, Informed{status, slices.Clone(lines)})
	return nil
}

func (s *sink) End(trailers []exchange.Line) error {
	s.res.Content = s.content.Bytes()
	if s.res.Status != 0 && s.res.Length == exchange.Unknown && s.bodied {
		s.res.Trailers = slices.Clone(trailers)
	}
	return nil
}

func (s *sink) Begin(a *exchange.Answer) error {
	s.res.Status, s.res.Length, s.res.Close = a.Status, a.Length, a.Close || s.closing
	s.res.Fields = append(s.res.Fields, a.Lines...)
	s.begun, s.bodied = true, a.Bodied
	return nil
}

func (s *sink) Write(p []byte) (int, error)         { return s.content.Write(p) }
func (s *sink) ReadFrom(r io.Reader) (int64, error) { return s.content.ReadFrom(r) }
func (s *sink) Flush() error                        { s.res.Flushes++; return nil }
func (s *sink) Context() context.Context            { return s.context }
func (s *sink) SetReadDeadline(time.Time) error     { return nil }
func (s *sink) SetWriteDeadline(time.Time) error    { return nil }
func (s *sink) Abort()                              { s.res.Content, s.res.Cut = s.content.Bytes(), true }
