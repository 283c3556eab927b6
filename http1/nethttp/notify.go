package nethttp

import (
	"context"
	"sync"
)

// CloseNotify sends one value when the client is known to have gone while the handler
// runs, for handlers that predate the request's context; it is that context's end.
func (w *writer) CloseNotify() <-chan bool {
	if !w.lease.enter() {
		return nil // never ready: the request is over
	}
	defer w.lease.leave()
	return w.departed.channel(w.request.Context())
}

// departure is the client's departure as http.CloseNotifier tells of it.
type departure struct {
	mu   sync.Mutex
	told chan bool // nil until somebody asks
	stop func() bool
}

// channel gets a value when ctx ends before forget.
func (d *departure) channel(ctx context.Context) <-chan bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told == nil {
		told := make(chan bool, 1)
		d.told, d.stop = told, context.AfterFunc(ctx, func() { told <- true })
	}
	return d.told
}

// forget is the handler's return: that the context ends then means nothing.
func (d *departure) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		d.stop()
	}
}
