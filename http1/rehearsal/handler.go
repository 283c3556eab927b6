package rehearsal

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// Prefix is the path that all of the rehearsal is below.
const Prefix = "/.holdfast-rehearsal/"

// What one request may cost.
const (
	// EchoLimitBytes is the largest content that is echoed; more is refused with 413.
	EchoLimitBytes    = 64 << 10
	contentLimitBytes = 16 << 20
	eventsLimit       = 10_000
	longest           = 5 * time.Minute
)

// piecesLimit bounds how often slow writes: it is for time and not for speed.
const piecesLimit = 100

// Mount answers what is below [Prefix] and leaves everything else to next.
func Mount(next http1.Handler) http1.Handler {
	answers := map[string]http1.HandlerFunc{"echo": echo, "slow": slow, "stream": stream}
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		name, below := strings.CutPrefix(r.Path(), Prefix)
		if !below {
			next.Serve(w, r)
		} else if answer := answers[name]; answer != nil {
			answer(w, r)
		} else {
			w.Text(404, "404 Not Found\n")
		}
	})
}

// echo answers once it has all: what comes back is then proof that all was read.
func echo(w *http1.Response, r *http1.Request) {
	if r.Method() != "PUT" { // PUT is idempotent, so that a client may ask again (RFC 9110 §9.2.2)
		w.Set("Allow", "PUT")
		w.Text(405, "405 Method Not Allowed\n")
		return
	}
	r.LimitBody(EchoLimitBytes)
	content, err := io.ReadAll(r.Body())
	if err != nil {
		return // the server answers with what was wrong with the content
	}
	w.Set("Content-Type", "application/octet-stream")
	w.SetLength(int64(len(content)))
	_, _ = w.Write(content) // an error means that nobody reads
}

func slow(w *http1.Response, r *http1.Request) {
	n, over, err := amounts(r, "bytes", contentLimitBytes)
	if err != nil {
		w.Text(400, err.Error()+"\n")
		return
	}
	content := Content(n)
	pieces := max(1, min(piecesLimit, n))
	w.Set("Content-Type", "application/octet-stream")
	w.SetLength(int64(n))
	spread(w, r, pieces, over, func(i int) []byte { return content[n*i/pieces : n*(i+1)/pieces] })
}

func stream(w *http1.Response, r *http1.Request) {
	n, over, err := amounts(r, "events", eventsLimit)
	if err != nil {
		w.Text(400, err.Error()+"\n")
		return
	}
	w.Set("Content-Type", "text/event-stream")
	w.Set("Cache-Control", "no-store")
	spread(w, r, n, over, event)
}

// spread writes the pieces, each at once and with its share of the time behind it. When
// nobody waits for them any more the rest stays unwritten, and the peer, if there still
// is one, must see that. A peer that leaves with the last piece has all it waited for.
func spread(w *http1.Response, r *http1.Request, pieces int, over time.Duration, piece func(i int) []byte) {
	ticker := time.NewTicker(max(over/time.Duration(max(pieces, 1)), time.Microsecond))
	defer ticker.Stop()
	for i := range pieces {
		if _, err := w.Write(piece(i)); err != nil {
			return
		}
		if err := w.Flush(); err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			if i < pieces-1 {
				panic(http1.ErrAbort)
			}
		}
	}
}

// amounts reads how much is asked for, and over what time.
func amounts(r *http1.Request, what string, limit int) (n int, over time.Duration, err error) {
	query, err := url.ParseQuery(r.Query())
	if err != nil {
		return 0, 0, errors.New("the query is malformed")
	}
	if n, err = strconv.Atoi(query.Get(what)); err != nil || n < 0 || n > limit {
		return 0, 0, fmt.Errorf("%s must be from 0 to %d", what, limit)
	}
	if over, err = time.ParseDuration(query.Get("over")); err != nil || over < 0 || over > longest {
		return 0, 0, fmt.Errorf("over must be a duration from 0s to %v", longest)
	}
	return n, over, nil
}
