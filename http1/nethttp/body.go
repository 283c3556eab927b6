package nethttp

import (
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"sync/atomic"

	"github.com/holdfast-server/holdfast/http1"
)

// body is a request's content. At its end the trailers are in the request, as they were
// with net/http.
type body struct {
	r       *http1.Request
	from    io.Reader
	request *http.Request
	ended   bool // io.EOF was read
	closed  atomic.Bool
	lease   lease // of r
}

// Read gives http.ErrBodyReadAfterClose once the body was closed or the handler has
// returned, and io.ErrUnexpectedEOF where the content broke off.
func (b *body) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.from.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF && !b.ended && b.lease.enter() {
		b.ended = true
		b.takeTrailers()
		b.lease.leave()
	}
	if r, ok := errors.AsType[*http1.Reason](err); ok && r.Code == "incomplete-body" {
		err = io.ErrUnexpectedEOF // what handlers compare with
	}
	return n, err
}

// Close ends the reading; http1 sees to what is left of the content.
func (b *body) Close() error {
	b.closed.Store(true)
	return nil
}

// retire is the handler's return: nothing of the exchange is touched from now on.
func (b *body) retire() {
	b.closed.Store(true)
	b.lease.end()
}

// takeTrailers puts the fields behind the content where the handler looks for them.
func (b *body) takeTrailers() {
	for name, value := range b.r.Trailers() {
		if b.request.Trailer == nil {
			b.request.Trailer = http.Header{}
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		b.request.Trailer[name] = append(b.request.Trailer[name], value)
	}
}
