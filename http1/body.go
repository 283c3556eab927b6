package http1

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// discardBytes is how much content that the handler left unread is read for the sake of
// the connection; with more it is cheaper to begin a new one.
const discardBytes = 64 << 10

// settleWait is how long an answer waits for the chunks that its handler did not look at,
// and discardWait how long the connection does for content that nobody wants.
const (
	settleWait  = 500 * time.Millisecond
	discardWait = 5 * time.Second
)

// directBytes is from which size on a reader's own buffer is read into.
const directBytes = 512

// body is a request's content. It is made for one request, so that whoever kept it gets
// an error, and never another request's bytes. It is the connection's one reader while
// it is not closed.
type body struct {
	visit   *visit
	closed  atomic.Bool
	reading atomic.Bool // the handler waits for content

	mu      sync.Mutex // held through a Read
	framing wire.Framing
	left    int64  // by length: what is still to come
	pending []byte // by chunks: decoded and not delivered, a view
	limit   int64  // what may still be delivered
	endless bool   // discardBytes of chunks that nobody wanted did not end
	err     error  // final: io.EOF, a *Reason or the connection's

	// handover guards what waits to be sent. Until the response begins that is the
	// reader's: earlier responses and the 100. From then on it is the sink's, for a
	// handler may write in one goroutine and read in another.
	handover  sync.Mutex
	begun     bool // the response
	continued bool // a 100 is no longer owed
}

// content makes the body of the request whose head was parsed; nil for none.
func (v *visit) content() *body {
	w := v.w
	if w.head.Framing == wire.NoBody {
		return nil
	}
	b := &body{visit: v, framing: w.head.Framing, left: w.head.ContentLength, limit: v.server.limits.BodyBytes, continued: !w.head.Expect100}
	w.chunked.Reset(&v.server.limits)
	w.trailers.Reset()
	v.conn.BeginBody()
	return b
}

// Read reads content.
func (b *body) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, exchange.ErrBodyClosed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, exchange.ErrBodyClosed
	}
	b.reading.Store(true)
	defer b.reading.Store(false)
	return b.read(p)
}

// read is Read, for whoever holds the lock or is alone.
func (b *body) read(p []byte) (n int, err error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.framing == wire.Length {
		n, err = b.readLength(p)
	} else {
		n, err = b.readChunked(p)
	}
	if b.limit -= int64(n); b.limit < 0 {
		n, err = n+int(b.limit), wire.BodyTooLarge
	}
	if err != nil {
		b.conclude(b.judge(err))
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// conclude settles how the reading ended, and tells the watcher.
func (b *body) conclude(err error) {
	b.err = err
	switch watcher := &b.visit.watcher; {
	case err == io.EOF && !b.closed.Load():
		watcher.allow()
	case err != io.EOF && !errors.Is(err, conn.ErrStopped) && !errors.Is(err, os.ErrDeadlineExceeded):
		// Neither stopped by us nor by a deadline of the handler's own.
		watcher.departed()
	}
}

// Limit lowers what may be read in all. Content that says it is longer is refused at once.
func (b *body) Limit(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = min(b.limit, n)
	if b.err == nil && b.framing == wire.Length && b.left > b.limit {
		b.conclude(wire.BodyTooLarge)
	}
}

// Trailers are the fields behind the content.
func (b *body) Trailers() []exchange.Field {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != io.EOF || b.closed.Load() {
		return nil
	}
	return b.visit.w.trailers.Fields
}

// finished tells whether the content was read to its end.
func (b *body) finished() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err == io.EOF
}

// judge makes a Reason of an error that is the client's fault.
func (b *body) judge(err error) error {
	switch {
	case err == io.EOF:
		return io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return wire.IncompleteBody
	case errors.Is(err, conn.ErrStalled), errors.Is(err, conn.ErrTooSlow):
		return wire.BodyTimeout
	}
	return err
}

// readLength reads content framed by Content-Length; io.EOF comes with its last bytes.
func (b *body) readLength(p []byte) (n int, err error) {
	w := b.visit.w
	p = p[:min(int64(len(p)), b.left)]
	if len(w.unread()) > 0 {
		n = copy(p, w.unread())
		w.consume(n)
	} else if len(p) >= directBytes {
		n, err = b.receive(p)
	} else if err = b.fill(); err == nil {
		n = copy(p, w.unread())
		w.consume(n)
	}
	if b.left -= int64(n); b.left == 0 {
		return n, io.EOF
	}
	return n, err
}

// readChunked reads chunked content.
func (b *body) readChunked(p []byte) (n int, err error) {
	w := b.visit.w
	for len(b.pending) == 0 {
		if w.chunked.Done() {
			return 0, b.readTrailers()
		}
		if len(w.unread()) == 0 {
			if left := w.chunked.Remaining(); left > 0 && len(p) >= directBytes {
				n, err = b.receive(p[:min(int64(len(p)), left)])
				w.chunked.Consumed(int64(n))
				return n, err
			}
			if err := b.fill(); err != nil {
				return 0, err
			}
		}
		payload, n, reason := w.chunked.Next(w.unread())
		w.consume(n)
		if reason != nil {
			return 0, reason
		}
		b.pending = payload
	}
	n = copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

// readTrailers reads the trailer section and returns io.EOF when it was in order.
func (b *body) readTrailers() error {
	w, lim := b.visit.w, &b.visit.server.limits
	for {
		n, reason := w.trailers.Scan(w.unread(), lim)
		if reason == nil && n > 0 {
			reason = w.trailers.Parse(w.unread()[:n], lim)
			w.consume(n)
		}
		if reason != nil {
			return reason
		}
		if n > 0 {
			return io.EOF
		}
		if err := b.fill(); err != nil {
			return err
		}
	}
}

// fill and receive read from the connection, behind what is unread or into p. Both may
// block, so what the client may be waiting for goes out first.
func (b *body) fill() error {
	if err := b.beforeBlocking(); err != nil {
		return err
	}
	return noEOF(b.visit.fill())
}

func (b *body) receive(p []byte) (int, error) {
	if err := b.beforeBlocking(); err != nil {
		return 0, err
	}
	n, err := b.visit.conn.Read(p)
	return n, noEOF(err)
}

// noEOF says that the connection's end is not the content's.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// beforeBlocking sends the finished responses, and the 100 that a client waits for
// before it sends its content (RFC 9110 §10.1.1). Content that came unasked needs none.
func (b *body) beforeBlocking() error {
	b.handover.Lock()
	defer b.handover.Unlock()
	if b.begun {
		return nil
	}
	v := b.visit
	if !b.continued {
		b.continued = true
		v.w.out = append(v.w.out, "HTTP/1.1 100 Continue\r\n\r\n"...)
	}
	return v.flush()
}

// Close ends the handler's reading.
func (b *body) Close() error {
	if b.mu.TryLock() {
		defer b.mu.Unlock()
		b.closed.Store(true)
		b.settle()
		return nil
	}
	// A goroutine that the handler left behind is reading: wake it. What it got of the
	// content is its own, and the connection is of no further use.
	b.closed.Store(true)
	b.visit.conn.StopReading()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = exchange.ErrBodyClosed
	}
	return nil
}

// surrender ends the reading, for the connection gets another owner. It returns the content
// that was decoded and not delivered: what is unread of the connection follows it.
func (b *body) surrender() []byte {
	if !b.mu.TryLock() { // somebody is reading
		b.closed.Store(true)
		b.visit.conn.StopReading()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	b.closed.Store(true)
	if b.err == nil {
		b.err = exchange.ErrBodyClosed
	}
	return b.pending
}

// settle reads chunks that the handler did not look at, as many as are worth it, while
// there is still time to refuse them: a broken message must not get the answer of a sound
// one. The caller holds b.mu.
func (b *body) settle() {
	b.handover.Lock()
	begun, owed := b.begun, !b.continued && len(b.visit.w.unread()) == 0
	b.handover.Unlock()
	if b.framing != wire.Chunks || begun || owed || b.err != nil {
		return
	}
	b.continued = true
	b.discard(settleWait)
	b.endless = b.err == nil
}

// discard reads up to discardBytes of content for nobody, for so long. The caller holds
// b.mu.
func (b *body) discard(patience time.Duration) {
	b.visit.conn.ReadUntil(time.Now().Add(patience))
	defer func() {
		b.visit.conn.ReadUntil(time.Time{})
		if errors.Is(b.err, os.ErrDeadlineExceeded) {
			b.err, b.endless = nil, true
		}
	}()
	var scrap [directBytes]byte
	for left := discardBytes; b.err == nil && left > 0; {
		n, _ := b.read(scrap[:])
		left -= n
	}
}

// Broken is why the content is refused; nil while nothing is wrong with it, or it is being
// read at this moment.
func (b *body) Broken() *Reason {
	if !b.mu.TryLock() {
		return nil
	}
	defer b.mu.Unlock()
	r, _ := b.err.(*Reason)
	return r
}

// answered is called when the response's head goes out. From then on a 100 would be part
// of the response's content, so none is owed any more. It tells whether the content is
// ended, and whether it ends soon: is, or can cheaply be, read to its end, so that the
// connection can be kept.
func (b *body) answered() (endsSoon, ended bool) {
	b.handover.Lock()
	owed := !b.continued
	b.begun, b.continued = true, true
	b.handover.Unlock()
	if !b.mu.TryLock() {
		return true, false // it is being read at this moment
	}
	defer b.mu.Unlock()
	unread := int64(len(b.visit.w.unread()))
	switch {
	case b.err != nil:
		return b.err == io.EOF, b.err == io.EOF
	case b.endless:
		return false, false
	case owed && unread == 0:
		return false, false // the client may send its content now, or never
	case b.framing == wire.Length:
		return b.left <= discardBytes || b.left < b.visit.w.head.ContentLength, false
	}
	return true, false
}

// finishContent reads what the handler left of the content, and reports whether the next
// request can be read.
func (v *visit) finishContent(b *body) bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && (b.endless || b.left > discardBytes || v.conn.Closing()) {
		return false
	}
	b.begun = false // the sink is done: before a read that blocks the response goes out
	b.discard(discardWait)
	return b.err == io.EOF
}
