package guard

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// ErrTimeout is the cause for which a request's context ends when its handler's time is
// up (http1.Cause tells it), and what the log says of a response that was cut for it.
var ErrTimeout = errors.New("guard: the handler's time is up")

// Timeout gives next so long for a request. Then the request's context ends with
// [ErrTimeout], and a read of content or a write under way fails with
// os.ErrDeadlineExceeded. Once next has returned, a response that is not committed gives
// way to a 503 (RFC 9110 §15.6.4), however far it was; one that is, and is not whole by its
// declared length, is cut, so that nobody takes it for a whole one. The 503 is without
// Retry-After, since nobody knows when it would go better.
//
// Nothing stops a handler that looks neither at its context nor at an error: it runs on,
// and its client waits. In return a handler costs no goroutine more and its response no
// buffer: http.TimeoutHandler takes both, answers sooner, and leaves the handler behind.
//
// Writes have the deadline in place of the server's stall clock and minimum rate: a route
// that sends much to slow clients wants a long limit or none. A handler can move both
// deadlines. A connection that was taken over keeps what its handler sets; but its
// request's context ends all the same.
//
// Of several limits around each other the shortest counts. Timeout panics on a limit that
// is not positive.
func Timeout(next http1.Handler, limit time.Duration) http1.Handler {
	if limit <= 0 {
		panic(fmt.Sprintf("guard: no handler can end in %v", limit))
	}
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		at := time.Now().Add(limit)
		if outer, ok := r.Context().Deadline(); ok && outer.Before(at) {
			next.Serve(w, r)
			return
		}
		serveUntil(next, w, r, at)
		if time.Now().Before(at) {
			return
		}
		if w.Reset() {
			w.Text(503, "503 Service Unavailable\nThis took too long.\n")
			return
		}
		w.Fail(ErrTimeout)
	})
}

// serveUntil calls next under its limit. What is set for that is taken back, also when
// next panics: the response that follows has the server's clocks.
func serveUntil(next http1.Handler, w *http1.Response, r *http1.Request, at time.Time) {
	outer := r.Context()
	ctx := &limited{Context: outer, at: at}
	r.SetContext(ctx)
	arm(w, at)
	defer func() {
		until, _ := outer.Deadline() // none is the zero time
		arm(w, until)
		r.SetContext(outer)
		ctx.end()
	}()
	next.Serve(w, r)
}

// arm sets both deadlines. Where that fails the connection is gone, which a read or a
// write finds out as well.
func arm(w *http1.Response, until time.Time) {
	_ = w.SetReadDeadline(until)
	_ = w.SetWriteDeadline(until)
}
