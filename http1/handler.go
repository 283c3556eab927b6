package http1

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
)

// A Handler answers requests. Serve is called once for each; calls for different
// connections run at the same time. The Request and the Response are the handler's
// until Serve returns and are used again for another request afterwards; the strings,
// slices and the body that the Request gave stay what they are.
//
// A handler that panics before its response is committed is answered with 500, later
// with a cut connection; the panic is logged with its stack unless it is [ErrAbort].
type Handler interface {
	Serve(w *Response, r *Request)
}

// HandlerFunc is a function as a [Handler].
type HandlerFunc func(w *Response, r *Request)

// Serve calls f.
func (f HandlerFunc) Serve(w *Response, r *Request) { f(w, r) }

// ErrAbort is a panic value with which a handler cuts the connection on purpose, so
// that the client cannot take a partial response for a whole one. It is not logged.
var ErrAbort = errors.New("http1: handler aborted the response")

// A PanicError is what a handler panicked with, and where.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.Value) }

// A Result is how an exchange ended on the handler's side.
type Result struct {
	Status int   // of the response; 0 when none was begun
	Bytes  int64 // of content written by the handler, for HEAD too
	// Err is nil when the handler's response is whole: otherwise a *PanicError,
	// [ErrAbort], a write's error, [ErrShortContent], or the *[Reason] for which the
	// request's content is refused.
	Err error
	// Cut says that the peer must see a broken connection.
	Cut bool
	// Detached says that the handler took the connection over; see Record.Detached.
	Detached bool
}

// turns holds Request and Response pairs between exchanges.
var turns = sync.Pool{New: func() any { return new(turn) }}

type turn struct {
	req Request
	res Response
}

// Answer lets h answer x and finishes the response. It is the door for protocols:
// only packages below http1 can build an Exchange. On return the body is closed and
// neither h nor Answer touches x any more.
func Answer(h Handler, x *exchange.Exchange) Result {
	t := turns.Get().(*turn)
	t.req.reset(x)
	t.res.reset(x)
	err := t.run(h)
	_ = x.Body.Close()
	if r := x.Body.Broken(); r != nil {
		if _, ours := errors.AsType[*PanicError](err); !ours {
			err = r // a panic is never hidden behind the client's fault
		}
	}
	res := t.res.finish(err)
	t.req.reset(nil)
	t.res.reset(nil)
	turns.Put(t)
	return res
}

// run calls the handler and turns a panic into an error.
func (t *turn) run(h Handler) (err error) {
	defer func() {
		switch v := recover(); {
		case v == nil:
		case v == any(ErrAbort):
			err = ErrAbort
		default:
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	h.Serve(&t.res, &t.req)
	return nil
}
