package acme

import (
	"context"
	"net/http"
	"time"
)

const (
	// nonceTries is how often one request may be refused for its nonce. With half of all
	// nonces refused, one request in a million fails.
	nonceTries = 20
	// serverTries is how often a fault of the CA's own is tried again at once.
	serverTries = 2
)

// backoff says how long the acme package waits before it sends a request again, and
// with zero that it does not. A CA that names a time, or says that it has had enough,
// is left alone until the next attempt: whoever ordered knows better when that is.
func backoff(ctx context.Context) func(n int, _ *http.Request, res *http.Response) time.Duration {
	return func(n int, _ *http.Request, res *http.Response) time.Duration {
		badNonce := res.StatusCode >= 400 && res.StatusCode < 500 && res.StatusCode != http.StatusTooManyRequests
		switch {
		case ctx.Err() != nil:
			return 0
		case badNonce && n <= nonceTries:
			return min(time.Duration(n)*20*time.Millisecond, 200*time.Millisecond)
		case badNonce, n > serverTries, res.StatusCode == http.StatusTooManyRequests, res.Header.Get("Retry-After") != "":
			return 0
		default:
			return time.Duration(n) * time.Second
		}
	}
}
