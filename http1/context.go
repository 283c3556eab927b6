package http1

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Causes for which a request's context ends before its handler has returned; see
// [Request.Context].
var (
	// ErrClientLeft means that nobody reads the response any more: the connection was
	// reset, a write or a read failed, or the client closed its TLS session.
	ErrClientLeft = errors.New("http1: the client has left")
	// ErrForced means that the drain's deadline or a second signal cut the connection.
	ErrForced = errors.New("http1: the connection was cut by a forced stop")
)

// requestContext is the context of one request. It is made when a handler asks for it and
// may outlive the request: by then it has ended.
type requestContext struct {
	watcher *watcher

	mu    sync.Mutex
	done  chan struct{} // made when somebody asks for it
	cause error         // why it ended; nil while it has not
}

// Deadline is none: a request may take as long as somebody waits for it.
func (c *requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value has nothing to give but the cause, for [Cause], and the channel of [Announced].
func (c *requestContext) Value(key any) any {
	switch key {
	case causeKey:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.cause
	case announcedKey:
		return c.watcher.visit.conn.Announced()
	}
	return nil
}

// Done begins the watch for the client's departure when it is first asked for: most
// handlers never ask, and cost no goroutine.
func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	first := c.done == nil
	if first {
		c.done = make(chan struct{})
	}
	if first && c.cause != nil {
		close(c.done)
	}
	watch := first && c.cause == nil
	c.mu.Unlock()
	if watch {
		c.watcher.want(c)
	}
	return c.done
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		return nil
	}
	return context.Canceled
}

// end ends the context; only the first cause counts.
func (c *requestContext) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause = cause
	if c.done != nil {
		close(c.done)
	}
}

type contextKey uint8

const (
	causeKey contextKey = iota
	announcedKey
)

// Cause says why a request's context, or one derived from it, ended: [ErrClientLeft],
// [ErrForced], or context.Canceled when the handler had returned. A derived one that ended
// first, at a deadline say, has the cause that it was given, as context.Cause tells it.
// It is nil while the context has not ended.
func Cause(ctx context.Context) error {
	own := context.Cause(ctx)
	if own != nil && own != context.Canceled {
		return own
	}
	if cause, _ := ctx.Value(causeKey).(error); cause != nil {
		return cause
	}
	return own
}

// Announced is closed when the server's stop begins. It is for handlers that would go on
// for as long as the client listens: the drain waits for them, and they should come to an
// end. ctx is a request's context or one derived from it; of any other the channel is nil,
// and never ready. Any goroutine may call it, also after the handler has returned.
func Announced(ctx context.Context) <-chan struct{} {
	announced, _ := ctx.Value(announcedKey).(<-chan struct{})
	return announced
}
