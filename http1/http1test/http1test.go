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
	"io"
	"net/netip"
	"strings"
	"sync"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/internal/exchange"
)

// A Request is what the test asks. The zero value of each field is the usual case.
type Request struct {
	Method string // GET when empty
	Target string // origin-form or "*"; "/" when empty
	// Fields are name and value in turn: {"Accept", "text/html", …}.
	Fields    []string
	Authority string // "example.test" when empty
	Content   string // sent with a Content-Length, unless Chunked
	Chunked   bool   // the handler is not told the length
	// Refused, when not nil, is found behind Content: the handler's read gets it in
	// place of the end, as it would of content that is broken, too large or too slow.
	Refused *http1.Reason
	Secure  bool // as if over TLS 1.3
	Closing bool // as if the server were about to stop
	Client  netip.AddrPort
	Context context.Context
}

// A Response is what the handler answered.
type Response struct {
	Status  int
	Fields  []exchange.Line // name and value of each line, as the handler set them
	Length  int64           // declared or worked out; -1 when only the end tells
	Content []byte          // none for HEAD, 204 and 304
	Close   bool            // the connection ends after it
	Cut     bool            // the response is not whole and the peer sees it
	Flushes int             // how often the handler flushed
	Result  http1.Result    // what the server would log
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
	sink := &sink{closing: r.Closing}
	x.Sink = sink
	sink.res.Result = http1.Answer(h, x)
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
		Query: b.view(query), Authority: b.view(or(r.Authority, "example.test")), Minor: 1, Secure: r.Secure,
	}
	for i := 0; i+1 < len(r.Fields); i += 2 {
		head.Fields = append(head.Fields, exchange.Field{Name: b.view(r.Fields[i]), Value: b.view(r.Fields[i+1])})
	}
	x = &exchange.Exchange{Head: head, Body: exchange.NoBody, Peer: r.peer(), ID: exchange.ID{Conn: 1, Seq: 1}, Context: r.Context}
	if x.Context == nil {
		x.Context = context.Background()
	}
	if r.Content != "" || r.Chunked || r.Refused != nil {
		x.Body = &body{r: strings.NewReader(r.Content), refused: r.Refused}
		x.Head.Length = int64(len(r.Content))
	}
	if r.Chunked || r.Refused != nil {
		x.Head.Length = exchange.Unknown
	}
	return b.memory[:len(b.memory):len(b.memory)], x
}

func (r *Request) peer() *exchange.Peer {
	p := &exchange.Peer{Remote: r.Client, Local: netip.MustParseAddrPort("127.0.0.1:8443")}
	if !p.Remote.IsValid() {
		p.Remote = netip.MustParseAddrPort("192.0.2.1:50000")
	}
	if r.Secure {
		p.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: "example.test"}
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

// body is the request's content; once closed it gives no more bytes.
type body struct {
	mu      sync.Mutex
	r       *strings.Reader
	refused *http1.Reason
	broken  *http1.Reason // refused, once a read has met it
	closed  bool
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
	return b.r.Read(p)
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
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
}

func (s *sink) Begin(a *exchange.Answer) error {
	s.res.Status, s.res.Length, s.res.Close = a.Status, a.Length, a.Close || s.closing
	s.res.Fields = append(s.res.Fields, a.Lines...)
	return nil
}

func (s *sink) Write(p []byte) (int, error)         { return s.content.Write(p) }
func (s *sink) ReadFrom(r io.Reader) (int64, error) { return s.content.ReadFrom(r) }
func (s *sink) Flush() error                        { s.res.Flushes++; return nil }
func (s *sink) End() error                          { s.res.Content = s.content.Bytes(); return nil }
func (s *sink) Abort()                              { s.res.Content, s.res.Cut = s.content.Bytes(), true }
func (s *sink) Closing() bool                       { return s.closing }
