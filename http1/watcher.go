package http1

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/holdfast-server/holdfast/conn"
)

// watcher looks for the client's departure while a handler runs. It is the connection's
// one reader from the moment when the content is read to its end and somebody waits for
// the request's context, until the handler has returned: the next head is parsed by the
// serve loop alone.
//
// It can see a departure only while the client sends nothing more. The first byte of a
// pipelined request ends the watch, and is kept for the loop.
type watcher struct {
	visit *visit

	mu      sync.Mutex
	context *requestContext // of the request under way; nil until somebody asks
	wanted  bool            // somebody waits for it
	left    bool            // the client is known to have gone
	allowed bool            // nobody else reads
	running chan struct{}   // closed when the watch is over; nil while there is none
	unarm   func() bool     // ends the wait for a forced cut; nil while there is none

	// For tell, see there.
	serving  bool           // the request's head was parsed and its handler may run
	ended    uint64         // the number of the last request that ended
	follower *conn.Follower // asked to hear how the one under way ends; nil for nobody

	// What the watch saw, to be read when running is closed.
	first [1]byte
	n     int
	err   error
}

// begin makes w ready for a request. There is no watch under way.
func (w *watcher) begin(allowed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.context, w.wanted, w.left, w.allowed, w.running = nil, false, false, allowed, nil
	w.n, w.err, w.serving = 0, nil, true
}

// of is the context of the request under way.
func (w *watcher) of() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.context == nil {
		w.context = &requestContext{watcher: w}
		if w.left {
			w.context.end(ErrClientLeft)
		}
	}
	return w.context
}

// want is c asking to be told. A context of an earlier request has nothing to ask.
func (w *watcher) want(c *requestContext) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.context != c {
		return
	}
	w.unarm = context.AfterFunc(w.visit.conn.Context(), func() { c.end(ErrForced) })
	w.wanted = true
	w.start()
}

// allow says that the content is read to its end.
func (w *watcher) allow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed = true
	w.start()
}

// start begins the watch once it is wanted and allowed. The caller holds w.mu.
func (w *watcher) start() {
	if !w.wanted || !w.allowed || w.running != nil || len(w.visit.w.unread()) > 0 {
		return
	}
	w.running = make(chan struct{})
	w.visit.conn.BeginWatch()
	go w.watch(w.context, w.running)
}

// watch is the watcher's goroutine, which stop waits for.
func (w *watcher) watch(c *requestContext, running chan struct{}) {
	defer close(running)
	w.n, w.err = w.visit.conn.Watch(w.first[:])
	switch {
	case w.visit.conn.Forced():
		c.end(ErrForced)
	case w.departure():
		c.end(ErrClientLeft)
	}
}

// departure tells whether the client has gone for good. A FIN alone is a half-close: the
// client may well wait for the response. A TLS client that says close_notify does not.
func (w *watcher) departure() bool {
	switch v := w.visit; {
	case w.err == nil:
		return false
	case errors.Is(w.err, io.EOF):
		return v.peer.TLS != nil || v.server.CancelOnFIN
	}
	return true
}

// watched tells whether the watcher is the connection's reader, and whether it has found
// the beginning of another request.
func (w *watcher) watched() (reads, found bool) {
	w.mu.Lock()
	running := w.running
	w.mu.Unlock()
	if running == nil {
		return false, false
	}
	select {
	case <-running:
		return true, w.n > 0
	default:
		return true, false
	}
}

// departed ends the context because a read or a write failed.
func (w *watcher) departed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = true
	if w.context != nil {
		w.context.end(ErrClientLeft)
	}
}

// stop ends the watch, and gives back what it read. It returns the error that broke the
// connection, if one did.
func (w *watcher) stop() error {
	w.mu.Lock()
	running := w.running
	w.allowed, w.running = false, nil
	w.mu.Unlock()
	if running == nil {
		return nil
	}
	w.visit.conn.EndWatch()
	<-running
	if w.n > 0 {
		w.visit.w.keep(w.first[0])
	}
	if errors.Is(w.err, io.EOF) {
		return nil // the loop will see it again
	}
	return w.err
}

// end is the end of the request: the watch stops and the context is over.
func (w *watcher) end() error {
	err := w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done()
	if w.unarm != nil {
		w.unarm()
		w.unarm = nil
	}
	if w.context != nil {
		w.context.end(context.Canceled)
		w.context = nil
	}
	return err
}
