package session

import (
	"errors"
	"strconv"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/media"
)

// Refuse answers with what an error of this package means to a client: 503 and Retry-After for
// *Unavailable, 500 for any other. It is a problem object (RFC 9457) for whoever asks for JSON,
// else a line of text; the error's own text is not in it.
func (m *Manager) Refuse(w *http1.Response, r *http1.Request, err error) {
	status, title := 500, "Internal Server Error"
	if away, ok := errors.AsType[*Unavailable](err); ok {
		status, title = 503, "Service Unavailable"
		w.Set("Retry-After", strconv.Itoa(int(max(1, (away.RetryAfter+time.Second-1)/time.Second))))
	} else {
		m.config.Log.Error("a session could not be had", "request", r.ID(), "error", err)
	}
	w.Set("Cache-Control", "no-store")
	w.Set("Vary", "Accept, Cookie")
	if media.PrefersJSON(r.Field("Accept")) {
		w.Text(status, `{"status":`+strconv.Itoa(status)+`,"title":"`+title+`"}`+"\n")
		w.Set("Content-Type", "application/problem+json")
		return
	}
	w.Text(status, strconv.Itoa(status)+" "+title+"\n")
}
