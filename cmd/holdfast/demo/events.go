package demo

import (
	"fmt"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// streamLimit ends a stream that nobody ended: a browser opens the next one by itself.
const streamLimit = time.Hour

// serve sends the events (text/event-stream, HTML Standard §9.2): hello at first, tick every
// second, and drain when the server's stop begins, which is also the end. A stream that begins in
// a drain has that event alone.
func (e *events) serve(w *http1.Response, r *http1.Request) {
	describe := func() {
		w.Set("Content-Type", "text/event-stream")
		w.Set("Cache-Control", "no-store")
	}
	if !isGet(w, r, describe) {
		return
	}
	describe()
	announced := http1.Announced(r.Context())
	select {
	case <-announced:
		_ = send(w, "drain", drainMessage)
		return
	default:
	}
	e.watching.Add(1)
	defer e.watching.Add(-1)
	if send(w, "hello", e.state()) != nil {
		return
	}
	tick, end := time.NewTicker(e.every), time.NewTimer(streamLimit)
	defer tick.Stop()
	defer end.Stop()
	for {
		select {
		case <-tick.C:
			if send(w, "tick", e.state()) != nil {
				return
			}
		case <-announced:
			_ = send(w, "drain", drainMessage)
			return
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		}
	}
}

const drainMessage = `{"message":"The server is stopping. What it has accepted is still answered."}`

// state is what a tick tells: the server's clock, how long it has been up, and how many streams
// there are.
func (e *events) state() string {
	now := time.Now()
	return fmt.Sprintf(`{"now":%q,"up":%d,"watching":%d}`, now.UTC().Format(time.TimeOnly), int(now.Sub(e.begun)/time.Second), e.watching.Load())
}

// send sends an event at once. An error means that nobody listens.
func send(w *http1.Response, name, data string) error {
	if _, err := w.WriteString("event: " + name + "\ndata: " + data + "\n\n"); err != nil {
		return err
	}
	return w.Flush()
}
