package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	// attemptTimeout bounds one order with all that belongs to it.
	attemptTimeout = 5 * time.Minute
	// requestTimeout bounds one request to the CA with its response.
	requestTimeout = 10 * time.Second
	// responseLimitBytes bounds a response. A chain of certificates is about 8 KiB.
	responseLimitBytes = 1 << 20
	// pollLimit is the longest that we wait between two looks at an order because the CA
	// asked for it.
	pollLimit = 30 * time.Second
	// redirectLimit is how often a CA may lead us on.
	redirectLimit = 3
)

var (
	errLineClosed   = errors.New("the attempt is over")
	errEnoughOrders = errors.New("no further order is placed in this attempt")
)

// lostError is a request that the CA did not answer.
type lostError struct{ cause error }

func (e *lostError) Error() string { return e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }

// Timeout makes it a net.Error's equal: http.Client asks.
func (e *lostError) Timeout() bool {
	var timeout net.Error
	return errors.Is(e.cause, context.DeadlineExceeded) || errors.As(e.cause, &timeout) && timeout.Timeout()
}

// Temporary belongs to net.Error.
func (e *lostError) Temporary() bool { return false }

// failedChallenge is what the CA said of a challenge that it found invalid.
type failedChallenge struct {
	kind    string
	problem problem
}

// line carries the requests of one attempt to the CA. autocert knows no context that
// we could end, so the line ends with ours whatever context a request has. It reads
// every response whole, within its limits, and looks at what it says.
type line struct {
	attempt    context.Context
	ctx        context.Context // ends with the attempt's, or when the line is closed
	cancel     context.CancelFunc
	transport  *http.Transport
	orderLimit int

	mu       sync.Mutex
	closed   bool
	orderURL string
	finalize string    // URL of the order placed last
	asked    bool      // a request to issue was sent
	date     time.Time // of the directory, by the CA's clock
	placed   int       // orders that the CA made
	toTidy   int       // those of them that have authorizations
	pace     map[string]time.Time
	failed   map[string][]failedChallenge // by the authorization's URL
	order    []string                     // of the keys of failed
	last     error                        // the last fault of the CA or of the way to it
	enough   bool                         // an order was refused here: last is why the one before failed
	callers  map[context.Context]struct{}
}

// newTransport is what stands below a line: a connection of its own to the CA.
func newTransport(o *Options) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: requestTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    requestTimeout,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
		MaxConnsPerHost:        4,
		IdleConnTimeout:        requestTimeout,
	}
}

func newLine(ctx context.Context, o *Options, orderLimit int) *line {
	l := &line{
		attempt: ctx, transport: newTransport(o), orderLimit: orderLimit,
		pace: make(map[string]time.Time), failed: make(map[string][]failedChallenge), callers: make(map[context.Context]struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

// client is the http.Client over the line. It has no timeout of its own: a request's
// context then reaches the line as the caller made it.
func (l *line) client() *http.Client {
	return &http.Client{Transport: l, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > redirectLimit {
			return errors.New("the CA redirects without end")
		}
		return nil
	}}
}

// RoundTrip is http.RoundTripper's. The response's body is read already.
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close() // whoever does not send a request closes its body all the same
	}
	wait, err := l.enter(req)
	if err == nil {
		err = sleep(l.ctx, req.Context(), wait)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), requestTimeout)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	res, body, err := l.send(req.WithContext(ctx))
	if err != nil {
		if ended := l.attempt.Err(); ended != nil {
			err = ended // says more than that the request was cancelled
		}
		err = &lostError{err}
		l.note(err)
		return nil, err
	}
	res.Request = req
	l.look(req, res, body, time.Now())
	return res, nil
}

// enter lets a request in, and says how long it has to wait because the CA asked for it.
func (l *line) enter(req *http.Request) (wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if req.Context() != l.attempt {
		l.callers[req.Context()] = struct{}{}
	}
	target := req.URL.String()
	l.asked = l.asked || target == l.finalize && req.Method == http.MethodPost
	switch {
	case l.closed:
		return 0, errLineClosed
	case l.ctx.Err() != nil:
		return 0, &lostError{l.ctx.Err()}
	case req.URL.Scheme != "https":
		return 0, errors.New("the CA leads to a URL that is not https")
	case target == l.orderURL && l.placed >= l.orderLimit:
		l.enough = true
		return 0, errEnoughOrders
	}
	return time.Until(l.pace[target]), nil
}

// sleep waits, at most until either context ends.
func sleep(attempt, request context.Context, wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-attempt.Done():
		return &lostError{attempt.Err()}
	case <-request.Done():
		return request.Err()
	}
}

func (l *line) send(req *http.Request) (*http.Response, []byte, error) {
	res, err := l.transport.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, responseLimitBytes+1))
	if err != nil {
		return nil, nil, err
	}
	if len(body) > responseLimitBytes {
		return nil, nil, fmt.Errorf("the CA answers with more than %d bytes", responseLimitBytes)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, body, nil
}

// spoken is the part of the CA's directory, orders and authorizations that a line reads.
type spoken struct {
	NewOrder       string   `json:"newOrder"`
	Status         string   `json:"status"`
	Authorizations []string `json:"authorizations"`
	Finalize       string   `json:"finalize"`
	Challenges     []struct {
		Type  string   `json:"type"`
		Error *problem `json:"error"`
	} `json:"challenges"`
}

// look reads what the CA said, on the way through.
func (l *line) look(req *http.Request, res *http.Response, body []byte, now time.Time) {
	if res.StatusCode >= http.StatusBadRequest {
		p, _ := parseProblem(body)
		l.note(&acme.Error{StatusCode: res.StatusCode, ProblemType: p.Type, Detail: p.Detail, Header: res.Header})
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	target := req.URL.String()
	if wait, ok := retryAfterWait(res.Header, now); ok && req.Method == http.MethodPost {
		// The acme package would sleep for as long as it says, and no context of ours
		// could wake it. Here it can; without the field the package sleeps for a second.
		res.Header.Del("Retry-After")
		l.pace[target] = now.Add(min(wait, pollLimit))
	}
	var s spoken
	if json.Unmarshal(body, &s) != nil {
		return // a chain of certificates, or nothing
	}
	switch {
	case s.NewOrder != "":
		l.orderURL = s.NewOrder
		l.date, _ = http.ParseTime(res.Header.Get("Date")) // zero where there is none
	case target == l.orderURL && res.StatusCode == http.StatusCreated:
		l.placed++
		l.finalize = s.Finalize
		if len(s.Authorizations) > 0 {
			l.toTidy++
		}
	case s.Status == acme.StatusInvalid && len(s.Challenges) > 0:
		l.fail(target, s)
	}
}

// note keeps a fault: autocert drops some of them and tries another order.
func (l *line) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.enough {
		l.last = err
	}
}

// fail keeps why an authorization is invalid, once, and of no more than can be told. The
// caller holds mu.
func (l *line) fail(authorization string, s spoken) {
	if _, known := l.failed[authorization]; known || len(l.order) == subproblemLimit {
		return
	}
	l.order = append(l.order, authorization)
	l.failed[authorization] = nil
	for _, c := range s.Challenges[:min(len(s.Challenges), subproblemLimit)] {
		if c.Error != nil {
			l.failed[authorization] = append(l.failed[authorization], failedChallenge{kind: quoted(c.Type), problem: *c.Error})
		}
	}
}

func (l *line) failedChallenges() (all []failedChallenge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, authorization := range l.order {
		all = append(all, l.failed[authorization]...)
	}
	return all
}

func (l *line) lastFault() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// untidied is how many orders autocert gives the authorizations of back, in a goroutine
// for each.
func (l *line) untidied() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.toTidy
}

// close ends the line for good: whatever holds its client can reach nobody.
func (l *line) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.transport.CloseIdleConnections()
}
