package guard

import (
	"strconv"

	"github.com/holdfast-server/holdfast/http1"
)

// BodyLimit refuses requests with more than limitBytes of content, where the server's own
// limit is higher. A Content-Length over the limit is answered with 413, and next is not
// called. Content that does not tell its length is read up to the limit: the read beyond it
// gets an *http1.Reason, and the response becomes a 413 unless it is committed. It panics
// on a negative limit; 0 takes no content at all.
func BodyLimit(next http1.Handler, limitBytes int64) http1.Handler {
	if limitBytes < 0 {
		panic("guard: content cannot be limited to " + strconv.FormatInt(limitBytes, 10) + " bytes")
	}
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		r.LimitBody(limitBytes)
		if r.ContentLength() > limitBytes {
			return // refused by now: the server answers
		}
		next.Serve(w, r)
	})
}
