package demo

import (
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/route"
)

// The paths that no file answers.
const (
	EventsPath = "/events"
	EchoPath   = "/echo"
)

// Mount answers what the site has beside its files, and leaves everything else to next.
func Mount(next http1.Handler) http1.Handler {
	e := &events{begun: time.Now(), every: time.Second}
	routes := new(route.Mux)
	routes.Named("events").HandleFunc(EventsPath, e.serve)
	routes.Named("echo").HandleFunc(EchoPath, echo)
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if found := routes.Find(r); found != nil {
			found.Serve(w, r)
			return
		}
		next.Serve(w, r)
	})
}

// isGet answers other methods: HEAD by head, which says what GET would; OPTIONS with the methods
// there are, and others with 405 or 501 (RFC 9110 §9.3.2, §9.3.7, §15.5.6).
func isGet(w *http1.Response, r *http1.Request, head func()) bool {
	switch r.Method() {
	case "GET":
		return true
	case "HEAD":
		head()
		return false
	}
	w.Set("Allow", "GET, HEAD, OPTIONS")
	switch r.Method() {
	case "OPTIONS":
		w.SetStatus(204)
	case "POST", "PUT", "DELETE", "PATCH", "TRACE":
		w.Text(405, "405 Method Not Allowed\n")
	default:
		w.Del("Allow")
		w.Text(501, "501 Not Implemented\n")
	}
	return false
}

// events is the stream: a tick a second for as long as somebody listens.
type events struct {
	begun    time.Time
	every    time.Duration
	watching atomic.Int64
}
