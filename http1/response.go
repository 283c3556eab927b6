package http1

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// responseBufferBytes is how much content waits for the handler to finish, so that a
// small response gets its Content-Length and leaves in one write with its head.
const responseBufferBytes = 4 << 10

// Errors of a response.
var (
	// ErrContentLength is what a write gets that would pass the declared length.
	// Nothing of that write is sent.
	ErrContentLength = exchange.ErrContentLength
	// ErrShortContent is the Result of a handler that declared more than it wrote.
	ErrShortContent = errors.New("http1: less content than the declared Content-Length")
	// ErrNoContentAllowed is what a write gets in a 204 or a 304 (RFC 9110 §6.4.1).
	ErrNoContentAllowed = errors.New("http1: a 204 or 304 response has no content")
)

// A Response is what the handler answers. Its head is sent with the first content that
// does not fit the response's buffer (4 KiB), by Flush, or when the handler returns,
// whichever is first; until then it can still be changed.
//
// Without [Response.SetLength], a response that fits the buffer gets its Content-Length,
// and a longer one is chunked (to an HTTP/1.0 client: ended by the connection's end).
//
// Once a read has found the request's content refused, a response that is not committed
// gives way to the refusal: a write that would commit it returns the *[Reason].
type Response struct {
	x         *exchange.Exchange
	answer    exchange.Answer
	buf       []byte
	written   int64
	err       error
	trailers  []exchange.Line
	defaults  []exchange.Line // fields unless the handler sets them
	trailing  bool            // trailers are declared: the content must be chunked
	committed bool
	detached  bool // the handler took the connection
	head      bool // the request was HEAD: content is counted and not sent
	private   bool // no shared cache may keep it
}

func (w *Response) reset(x *exchange.Exchange) {
	clear(w.answer.Lines)
	clear(w.trailers)
	clear(w.defaults)
	*w = Response{x: x, buf: w.buf[:0], trailers: w.trailers[:0], defaults: w.defaults[:0], answer: exchange.Answer{Lines: w.answer.Lines[:0], Length: exchange.Unknown}}
	if x != nil {
		w.head = string(x.Head.Method) == "HEAD"
	}
}

// SetStatus sets the status code, 200 unless set. It panics on a code outside 200 to 599
// and does nothing once the response is committed.
func (w *Response) SetStatus(code int) {
	if code < 200 || code > 599 {
		panic(fmt.Sprintf("http1: status %d is not one of a final response", code))
	}
	if !w.committed {
		w.answer.Status = code
	}
}

// Status is the status code that was set, 200 if none was.
func (w *Response) Status() int {
	if w.answer.Status == 0 {
		return 200
	}
	return w.answer.Status
}

// Set gives the named field this one value, in place of all it had. A name that is no
// token or a value with a control byte in it panics, since it would let whoever supplied
// it write fields or responses of their own (RFC 9110 §5.5). Content-Length and
// Connection: close act as [Response.SetLength] and [Response.CloseAfter] do; other
// framing fields panic: the server frames messages. Upgrade is named in Connection, as
// [Response.OfferUpgrade] has it. A committed response stays as it is.
func (w *Response) Set(name, value string) {
	w.Del(name)
	w.Add(name, value)
}

// Add appends a field line; otherwise as [Response.Set].
func (w *Response) Add(name, value string) {
	if w.committed {
		return
	}
	mustBeSendable(name, value)
	switch {
	case wire.SameName(name, "Content-Length"):
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			panic(fmt.Sprintf("http1: Content-Length %q is not a length", value))
		}
		w.SetLength(n)
		return
	case wire.SameName(name, "Connection"):
		if !wire.SameName(value, "close") {
			panic("http1: the server decides about Connection; only \"close\" can be set")
		}
		w.CloseAfter()
		return
	case wire.SameName(name, "Transfer-Encoding"), wire.SameName(name, "Keep-Alive"):
		panic("http1: " + name + " is the server's to set")
	case wire.SameName(name, "Date"):
		w.answer.DateSet = true
	case wire.SameName(name, "Upgrade"):
		w.answer.Offers = true
	}
	w.answer.Lines = append(w.answer.Lines, exchange.Line{Name: name, Value: value})
}

// Del removes all lines of the named field.
func (w *Response) Del(name string) {
	if w.committed {
		return
	}
	kept := w.answer.Lines[:0]
	for _, l := range w.answer.Lines {
		if !wire.SameName(l.Name, name) {
			kept = append(kept, l)
		}
	}
	clear(w.answer.Lines[len(kept):])
	w.answer.Lines = kept
	switch {
	case wire.SameName(name, "Content-Length"):
		w.answer.Length = exchange.Unknown
	case wire.SameName(name, "Date"):
		w.answer.DateSet = false
	case wire.SameName(name, "Upgrade"):
		w.answer.Offers = false
	}
}

// Get is the value of the first field line of that name that was set, "" without one.
func (w *Response) Get(name string) string {
	for _, l := range w.answer.Lines {
		if wire.SameName(l.Name, name) {
			return l.Value
		}
	}
	return ""
}

// SetLength declares the length of the content in bytes, which then goes out as it is
// written. For HEAD and 304 it is the length that a GET would have brought.
func (w *Response) SetLength(n int64) {
	if n < 0 {
		panic("http1: negative content length")
	}
	if !w.committed {
		w.answer.Length = n
	}
}

// CloseAfter ends the connection once this response is sent, and says so in it.
func (w *Response) CloseAfter() {
	if !w.committed {
		w.answer.Close = true
	}
}

// Committed tells whether the head can no longer be changed.
func (w *Response) Committed() bool { return w.committed }

// Written is the number of content bytes written so far, for HEAD too.
func (w *Response) Written() int64 { return w.written }

// Text answers with a status and a short plain text, the usual form of an error. It
// drops content that was written but not committed; fields that were set stay.
func (w *Response) Text(status int, text string) {
	if w.committed {
		return
	}
	w.SetStatus(status)
	w.buf, w.written = w.buf[:0], 0
	w.Set("Content-Type", "text/plain; charset=utf-8")
	w.Set("X-Content-Type-Options", "nosniff")
	w.answer.Length = exchange.Unknown
	_, _ = w.WriteString(text)
}

// Reset forgets all that was set and written, but for what [Response.SetDefault] gave. It
// reports whether it could: once the response is committed there is no way back.
func (w *Response) Reset() bool {
	if w.committed {
		return false
	}
	w.restart()
	return true
}

// bodied tells whether content follows the head.
func (w *Response) bodied() bool {
	return !w.head && w.Status() != 204 && w.Status() != 304
}

// Write appends to the content. Its errors are final: [ErrContentLength],
// [ErrNoContentAllowed], or the connection's, which mean that nobody is reading.
func (w *Response) Write(p []byte) (int, error) {
	if err := w.admit(int64(len(p))); err != nil {
		return 0, err
	}
	if w.head {
		w.written += int64(len(p))
		return len(p), nil
	}
	if w.waits(len(p)) {
		w.buf = append(w.buf, p...)
		w.written += int64(len(p))
		return len(p), nil
	}
	if err := w.begin(); err != nil {
		return 0, err
	}
	n, err := w.x.Sink.Write(p)
	return n, w.wrote(int64(n), err)
}

// WriteString is [Response.Write] for a string.
func (w *Response) WriteString(s string) (int, error) {
	if !w.head && w.err == nil && w.waits(len(s)) && w.Status() != 204 && w.Status() != 304 {
		w.buf = append(w.buf, s...)
		w.written += int64(len(s))
		return len(s), nil
	}
	return w.Write([]byte(s))
}

// ReadFrom writes what r has left, by sendfile where r is an *os.File (or an
// *io.LimitedReader over one) and the connection allows it.
func (w *Response) ReadFrom(r io.Reader) (int64, error) {
	if err := w.admit(0); err != nil {
		return 0, err
	}
	if w.head {
		n, err := io.Copy(io.Discard, r)
		w.written += n
		return n, err
	}
	limited := r
	if w.answer.Length != exchange.Unknown {
		limited = io.LimitReader(r, w.answer.Length-w.written)
		if lr, ok := r.(*io.LimitedReader); ok && lr.N <= w.answer.Length-w.written {
			limited = r
		}
	}
	if err := w.begin(); err != nil {
		return 0, err
	}
	n, err := w.x.Sink.ReadFrom(limited)
	return n, w.wrote(n, err)
}

// SetReadDeadline bounds reading the request's content, beside the server's own clocks: a
// read after t fails with os.ErrDeadlineExceeded. The zero time bounds nothing.
func (w *Response) SetReadDeadline(t time.Time) error { return w.x.Sink.SetReadDeadline(t) }

// SetWriteDeadline bounds sending the response, in place of the stall clock and the
// minimum rate. The zero time gives it back to those.
func (w *Response) SetWriteDeadline(t time.Time) error { return w.x.Sink.SetWriteDeadline(t) }

// Flush commits the response and sends all that was written so far.
func (w *Response) Flush() error {
	if err := w.begin(); err != nil {
		return err
	}
	return w.wrote(0, w.x.Sink.Flush())
}

// admit says whether n more bytes of content may come.
func (w *Response) admit(n int64) error {
	switch {
	case w.err != nil:
	case !w.head && !w.bodied():
		return ErrNoContentAllowed
	case w.answer.Length != exchange.Unknown && n > w.answer.Length-w.written:
		w.err = ErrContentLength
	}
	return w.err
}

// waits tells whether n more bytes fit the buffer of a response whose length is open.
func (w *Response) waits(n int) bool {
	return !w.committed && w.answer.Length == exchange.Unknown && len(w.buf)+n <= responseBufferBytes
}

// wrote books n bytes of content and keeps the first error.
func (w *Response) wrote(n int64, err error) error {
	w.written += n
	if w.err == nil {
		w.err = err
	}
	return err
}

// begin is commit on behalf of the handler. To content that is refused by now there is only
// one answer, which is not the handler's.
func (w *Response) begin() error {
	if !w.committed && w.err == nil {
		if r := w.x.Body.Broken(); r != nil {
			w.err = r
		}
	}
	if w.err != nil {
		return w.err
	}
	return w.commit()
}

// commit hands the head and what waited in the buffer to the sink, once.
func (w *Response) commit() error {
	if w.committed {
		return w.err
	}
	if w.answer.Length != exchange.Unknown && w.written > w.answer.Length {
		w.err = ErrContentLength // declared too late
		return w.err
	}
	if w.trailing {
		w.answer.Length = exchange.Unknown
	}
	w.addDefaults()
	w.keepPrivate()
	w.committed = true
	w.answer.Status = w.Status()
	w.answer.Bodied = w.bodied()
	if !w.head && !w.answer.Bodied {
		w.buf, w.written = w.buf[:0], 0 // it became a 204 or a 304 afterwards
	}
	err := w.x.Sink.Begin(&w.answer)
	if err == nil && len(w.buf) > 0 {
		_, err = w.x.Sink.Write(w.buf)
	}
	return w.wrote(0, err)
}

// finish ends the response after the handler returned, or failed with err.
func (w *Response) finish(err error) Result {
	if w.detached {
		return w.result(err, err != nil)
	}
	if err == nil {
		err = w.err
	}
	if err == nil {
		err = w.end()
	}
	if err == nil {
		return w.result(nil, false)
	}
	if !w.committed && err != ErrAbort {
		w.fail(err)
		if w.end() == nil {
			return w.result(err, false)
		}
	}
	w.x.Sink.Abort()
	return w.result(err, true)
}

// fail makes the response, of which nothing was sent, that of a refused request or of a
// handler that broke.
func (w *Response) fail(err error) {
	w.restart()
	w.CloseAfter()
	if r, ok := err.(*Reason); ok {
		w.Text(r.Status, refusalText(r))
	} else {
		w.Text(500, "500 Internal Server Error\n")
	}
}

// end commits what is not committed yet and closes the content.
func (w *Response) end() error {
	if !w.committed && !w.trailing && w.answer.Length == exchange.Unknown && w.written <= responseBufferBytes && w.Status() != 204 && w.Status() != 304 {
		w.answer.Length = w.written
	}
	if err := w.commit(); err != nil {
		return err
	}
	if w.answer.Bodied && w.answer.Length != exchange.Unknown && w.written < w.answer.Length {
		return ErrShortContent
	}
	return w.x.Sink.End(w.trailers)
}

func (w *Response) result(err error, cut bool) Result {
	r := Result{Bytes: w.written, Err: err, Cut: cut, Detached: w.detached}
	if w.committed {
		r.Status = w.answer.Status
	}
	return r
}
