package http1

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1/internal/exchange"
)

// ErrNoUpgrade is what a handler gets that wants the connection where it cannot have it.
var ErrNoUpgrade = errors.New("http1: this request cannot be upgraded")

// A Stream is a connection that a handler took over, with whatever the client sent behind
// its request at the front of it. No clock of the server runs any more: deadlines are the
// handler's to set. The stream stays counted and a drain waits for it, until its handler
// returns; Announced is closed when a drain begins, so that the handler can say goodbye.
type Stream = exchange.Stream

// Upgrade answers 101 and hands the connection over to the handler, which from then on
// speaks the named protocol on it until it returns (RFC 9110 §7.8). Fields that were set
// go out with the 101. It fails with [ErrNoUpgrade] when the client did not offer to
// upgrade, speaks HTTP/1.0, or sent content that was not read to its end, and with
// [ErrCommitted] when a response has begun; the handler can then still answer otherwise.
func (w *Response) Upgrade(protocol string) (Stream, error) {
	if !w.x.Head.Upgrade {
		return nil, fmt.Errorf("%w: the client did not offer to", ErrNoUpgrade)
	}
	w.Set("Upgrade", protocol)
	w.addDefaults()
	s, err := w.detach(&exchange.Answer{Status: 101, Lines: w.answer.Lines})
	if err != nil {
		w.Del("Upgrade")
	}
	return s, err
}

// OfferUpgrade names the protocols to which the client could upgrade, the preferred one
// first, in Upgrade and in Connection. A 426 must, other responses may (RFC 9110 §7.8).
func (w *Response) OfferUpgrade(protocols ...string) {
	w.Set("Upgrade", strings.Join(protocols, ", "))
}

// detach takes the connection, after the head a if that is not nil.
func (w *Response) detach(a *exchange.Answer) (Stream, error) {
	if w.committed && (a != nil || w.detached) {
		return nil, ErrCommitted
	}
	if w.err != nil {
		return nil, w.err
	}
	if r := w.x.Body.Broken(); r != nil {
		return nil, r
	}
	s, err := w.x.Sink.Detach(a)
	if err != nil {
		return nil, err
	}
	w.committed, w.detached, w.err = true, true, ErrCommitted // writes belong to the stream now
	if w.buf = w.buf[:0]; a != nil {
		w.answer.Status = a.Status
	}
	return s, nil
}

// Hijack is for adaptors that bring handlers of another interface: it hands over the
// connection without a further word to the client. Of a response that is committed, what
// was written goes out first and its framing is the caller's to go on with; one that is not
// is dropped. What came of the request's content and was not read stands at the front of
// the stream, framed as the client sent it, and the body gives errors from then on. It
// fails with [ErrCommitted] the second time, and with the *[Reason] for which the content
// is refused.
func Hijack(w *Response) (Stream, error) { return w.detach(nil) }

// stream is a Stream over a connection of package conn.
type stream struct {
	*conn.Conn
	early []byte // came behind the request and was not read yet
	once  sync.Once
	gone  chan struct{}
}

// Read reads what came behind the request first.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		s.early = s.early[n:]
		return n, nil
	}
	n, err := s.Conn.Read(p)
	if errors.Is(err, conn.ErrStopped) {
		err = net.ErrClosed
	}
	return n, err
}

// Close ends reads and writes under way; the server closes the connection when the
// handler has returned.
func (s *stream) Close() error {
	s.once.Do(func() {
		close(s.gone)
		s.StopReading()
		_ = s.Conn.SetWriteDeadline(time.Unix(1, 0))
	})
	return nil
}

// Closed is closed by Close.
func (s *stream) Closed() <-chan struct{} { return s.gone }

func (s *stream) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(s.Local()) }
func (s *stream) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.Remote()) }

func (s *stream) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// Detach hands the connection over, after the head of a if there is one.
func (s *sink) Detach(a *exchange.Answer) (exchange.Stream, error) {
	v := s.visit
	if a != nil && s.body != nil && !s.body.finished() {
		return nil, fmt.Errorf("%w: its content was not read to the end", ErrNoUpgrade)
	}
	var early []byte
	if s.body != nil {
		early = s.body.surrender()
	}
	if err := v.watcher.stop(); err != nil {
		return nil, err
	}
	s.closes = true
	if a != nil {
		v.w.out = appendHead(v.w.out, a)
	}
	if err := v.flush(); err != nil {
		return nil, err
	}
	v.conn.Detach()
	// A copy: a goroutine that the handler leaves behind must not meet the next owner of
	// the buffer.
	s.stream = &stream{Conn: v.conn, early: slices.Concat(early, v.w.unread()), gone: make(chan struct{})}
	return s.stream, nil
}
