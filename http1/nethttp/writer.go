package nethttp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// sniffBytes is how much content tells its type (http.DetectContentType looks at no more).
const sniffBytes = 512

// errReturned is what a use of the writer gets that comes after the handler returned.
var errReturned = errors.New("nethttp: the handler has returned")

// writer is an http.ResponseWriter on an http1.Response, with everything that
// http.ResponseController asks for.
type writer struct {
	lease   lease // of res
	res     *http1.Response
	request *http.Request
	log     *slog.Logger
	header  http.Header

	status   int    // 0 until WriteHeader
	length   int64  // that the handler declared, -1 for none
	written  int64  // content taken from the handler
	sniffing bool   // no content type is known: content is held until it tells
	held     []byte // at most sniffBytes
	unsized  bool   // the handler wants no Content-Length, not even one that is found
	trailers []string
	hijacked *hijacked // nil unless the handler took the connection
	departed departure
}

// Header is the handler's to fill until WriteHeader, and with trailers until it returns.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader begins the response, or sends an informational one at once. It panics on a
// code that has not three digits, as net/http does.
func (w *writer) WriteHeader(code int) {
	if !w.lease.enter() {
		return
	}
	defer w.lease.leave()
	switch {
	case w.hijacked != nil || w.status != 0:
		w.log.Warn("superfluous WriteHeader call", "status", code, "before", w.status,
			"hijacked", w.hijacked != nil, "caller", caller())
	case code < 100 || code > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	case code == http.StatusContinue: // http1's own, at the first read
	case code < 200 && code != http.StatusSwitchingProtocols:
		_ = w.res.Inform(code, informFields(w.header)...) // the next write meets the error too
	default:
		w.begin(code)
	}
}

// begin fixes the head of the final response. It is sent later, with content.
func (w *writer) begin(code int) {
	w.status = code
	if code == http.StatusSwitchingProtocols {
		return // Hijack sends it
	}
	if code > 599 {
		w.log.Warn("handler set a status that no RFC knows", "status", code, "caller", caller())
		code = http.StatusInternalServerError
	}
	w.res.SetStatus(code)
	w.setFields()
	coding := w.header.Get("Transfer-Encoding")
	if coding == "" || coding == "identity" {
		w.length = contentLength(w.header, w.log)
	}
	_, set := w.header["Content-Length"]
	w.unsized = w.length < 0 && (set || coding == "chunked")
	w.declareTrailers()
	if !w.bodied() {
		w.length = -1
		return
	}
	if w.length >= 0 {
		w.res.SetLength(w.length)
	}
	_, typed := w.header["Content-Type"]
	w.sniffing = !typed && w.header.Get("Content-Encoding") == "" && coding == ""
}

// bodied tells whether the status allows content; that of HEAD counts, and is not sent.
func (w *writer) bodied() bool {
	return w.status >= 200 && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// Write appends to the content. Its errors are net/http's where that has one.
func (w *writer) Write(p []byte) (int, error) {
	if !w.lease.enter() {
		return 0, errReturned
	}
	defer w.lease.leave()
	return w.write(p)
}

// WriteString is Write for a string.
func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *writer) write(p []byte) (int, error) {
	if err := w.admit(int64(len(p))); err != nil || len(p) == 0 {
		return 0, err
	}
	if w.sniffing && len(w.held)+len(p) < sniffBytes {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if err := w.tell(p); err != nil {
		return 0, err
	}
	return w.res.Write(p)
}

// admit says whether n more bytes of content may come.
func (w *writer) admit(n int64) error {
	switch {
	case w.hijacked != nil:
		return http.ErrHijacked
	case w.status == 0:
		w.begin(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !w.bodied() {
		return http.ErrBodyNotAllowed
	}
	if w.length >= 0 && n > w.length-w.written {
		w.log.Warn("handler wrote more than the declared Content-Length", "declared", w.length, "caller", caller())
		return http.ErrContentLength
	}
	w.written += n
	return nil
}

// tell finds the content's type from what is held and what comes next, and lets go of
// what is held.
func (w *writer) tell(next []byte) error {
	if !w.sniffing {
		return nil
	}
	w.sniffing = false
	n := len(w.held)
	if sample := append(w.held, next[:min(len(next), sniffBytes-n)]...); len(sample) > 0 {
		w.res.Set("Content-Type", http.DetectContentType(sample))
	}
	if n == 0 {
		return nil
	}
	_, err := w.res.Write(w.held)
	w.held = nil
	return err
}

// ReadFrom writes what r has left: by sendfile where the length is declared, r is a file
// and the connection allows it.
func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	if !w.lease.enter() {
		return 0, errReturned
	}
	defer w.lease.leave()
	if err := w.admit(0); err != nil {
		return 0, err
	}
	var n int64
	if w.sniffing || w.length < 0 || !w.bodied() {
		limited := r
		if w.length >= 0 {
			limited = io.LimitReader(r, sniffBytes)
		}
		var err error
		if n, err = io.CopyBuffer(writeFunc(w.write), limited, make([]byte, 32<<10)); err != nil || limited == r {
			return n, err
		}
	}
	if err := w.tell(nil); err != nil {
		return n, err
	}
	m, err := w.res.ReadFrom(r)
	w.written += m
	return n + m, err
}

// writeFunc is a function as an io.Writer, and nothing more.
type writeFunc func(p []byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

// Flush is FlushError for http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError sends the head and all content written so far.
func (w *writer) FlushError() error {
	if !w.lease.enter() {
		return errReturned
	}
	defer w.lease.leave()
	if err := w.admit(0); err != nil {
		return err
	}
	if w.status == http.StatusSwitchingProtocols {
		return nil // it leaves with Hijack
	}
	if err := w.tell(nil); err != nil {
		return err
	}
	return w.res.Flush()
}

// SetReadDeadline bounds reading the content.
func (w *writer) SetReadDeadline(t time.Time) error {
	if !w.lease.enter() {
		return errReturned
	}
	defer w.lease.leave()
	return w.res.SetReadDeadline(t)
}

// SetWriteDeadline bounds writing the response.
func (w *writer) SetWriteDeadline(t time.Time) error {
	if !w.lease.enter() {
		return errReturned
	}
	defer w.lease.leave()
	return w.res.SetWriteDeadline(t)
}

// EnableFullDuplex has nothing to do: reading while writing always works.
func (w *writer) EnableFullDuplex() error { return nil }

// finish ends the response of a handler that returned.
func (w *writer) finish() {
	w.lease.end()
	w.departed.forget()
	if w.hijacked != nil {
		w.hijacked.wait()
		return
	}
	if w.status == 0 {
		w.begin(http.StatusOK)
	}
	if w.status == http.StatusSwitchingProtocols {
		w.log.Error("handler sent 101 and did not take the connection", "path", w.request.URL.Path)
		w.res.CloseAfter()
		w.res.Text(http.StatusInternalServerError, "500 Internal Server Error\n")
		return
	}
	w.setTrailers()
	if err := w.tell(nil); err != nil {
		return // http1 keeps it
	}
	if w.length < 0 && (w.unsized && w.bodied() || w.request.Method == http.MethodHead && w.written == 0) {
		// A handler of HEAD may have spared itself the content: its length is not 0 but unknown.
		_ = w.res.Flush()
	}
}

// retire turns away whoever still holds the writer or the hijacked connection.
func (w *writer) retire() {
	w.lease.end()
	w.departed.forget()
	if w.hijacked != nil {
		w.hijacked.retire()
	}
}

// caller is the place in the handler's program that called the writer, past this package
// and net/http's helpers.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		ours := strings.Contains(f.Function, "http1/nethttp.(*") || strings.HasPrefix(f.Function, "net/http.")
		if !ours || !more {
			return fmt.Sprintf("%s (%s:%d)", f.Function, f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
	}
}
