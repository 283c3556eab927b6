package demo

import (
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// The paths that no file answers.
const (
	EventsPath = "/events"
	EchoPath   = "/echo"
)

// Mount answers what the site has beside its files, and leaves everything else to next.
func Mount(next http1.Handler) http1.Handler {
	e := &events{begun: time.Now(), every: time.Second}
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		switch r.Path() {
		case EventsPath:
			r.SetRoute("events", nil)
			e.serve(w, r)
		case EchoPath:
			r.SetRoute("echo", nil)
			echo(w, r)
		default:
			next.Serve(w, r)
		}
	})
}

// isGet answers other methods with 405.
func isGet(w *http1.Response, r *http1.Request) bool {
	if r.Method() == "GET" {
		return true
	}
	w.Set("Allow", "GET")
	w.Text(405, "405 Method Not Allowed\n")
	return false
}

// events is the stream: a tick a second for as long as somebody listens.
type events struct {
	begun    time.Time
	every    time.Duration
	watching atomic.Int64
}
