package account

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/session"
)

// watchPause is between two looks at the session of a response that goes on and on.
const watchPause = time.Second

// A watch ends the context of a request soon after the session that it was admitted by: a
// WebSocket or a stream of events would otherwise go on for whoever was signed out.
type watch struct {
	sessions    *session.Manager
	id, subject string
	end         context.CancelFunc

	mu    sync.Mutex
	timer *time.Timer // nil once the request is over
}

// watch begins with a request that asks for something; one that changes something goes on, and
// may well change its own session. The caller calls stop when the request is over.
func (a *Accounts) watch(r *http1.Request) (stop func()) {
	s, err := session.From(r).Session()
	if err != nil || s == nil || !isSafe(r.Method()) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(r.Context())
	r.SetContext(ctx)
	w := &watch{sessions: a.config.Sessions, id: s.ID(), subject: s.Subject(), end: cancel}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(watchPause, w.look)
	return w.stop
}

// look asks as the next request would be asked. While the store does not answer nothing is known,
// and the response goes on.
func (w *watch) look() {
	if valid, err := w.sessions.Valid(w.id, w.subject); err == nil && !valid {
		w.end()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(watchPause)
	}
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
	w.end()
}
