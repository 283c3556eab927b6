package http1

import (
	"log/slog"

	"github.com/holdfast-server/holdfast/conn"
)

// What a report shows of a request at most.
const (
	shownMethodBytes = 32
	shownPathBytes   = 256
)

// tell is the visit's conn.Tell. It runs in another goroutine while requests are served:
// a request leaves the state that it finds it in only under the watcher's lock, and what
// the request's head points to stays in place until then.
func (v *visit) tell(f *conn.Follower) (t conn.Task, under bool) {
	w := &v.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.seq.Load() == w.ended {
		return t, false
	}
	t = conn.Task{ID: formatID(v.id()), Begun: v.begun, From: v.from, Phase: conn.PhaseHead}
	if w.serving {
		h := &v.w.head
		t.About = []slog.Attr{slog.String("method", shown(h.Method, shownMethodBytes)), slog.String("target", shown(h.Path, shownPathBytes))}
		t.Phase = conn.PhaseHandler
		if b := v.w.sink.body; b != nil && b.reading.Load() {
			t.Phase = conn.PhaseBody
		}
	}
	if f != nil {
		w.follower = f
	}
	return t, true
}

// done is the end of what tell speaks of. It hands over who wants to hear how it ended. The
// caller holds w.mu.
func (w *watcher) done() {
	w.serving, w.ended = false, w.visit.seq.Load()
	w.visit.follower, w.follower = w.follower, nil
}

// settled ends what tell speaks of, if the watcher's end has not: a request that no handler
// saw, or whose handler ended its goroutine.
func (v *visit) settled() {
	w := &v.watcher
	if w.ended == v.seq.Load() { // only this goroutine changes them
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done()
}

// tellEnd says how the request ended to whoever wants to hear it.
func (v *visit) tellEnd(how string) {
	v.settled()
	if v.follower != nil {
		v.follower.Ended(how)
		v.follower = nil
	}
}

// shown is what the client chose, as it can be shown: printable ASCII, anything else
// percent-encoded, and cut. Of a target it is the path: a query may hold a token.
func shown(text []byte, limitBytes int) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, min(len(text), limitBytes)+3)
	for _, c := range text {
		if len(out) >= limitBytes {
			return string(append(out, "..."...))
		}
		if c > ' ' && c <= '~' {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}
