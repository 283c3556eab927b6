package acme

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
)

// retryAfterLimit is the longest time that a CA can make us wait. What it asks for
// beyond that costs it one more refusal a day; a mistake of its would cost us the host.
const retryAfterLimit = 24 * time.Hour

// refusal is why an attempt came to nothing. It is a renewal.Refusal.
type refusal struct {
	kind       string
	words      string
	retryAfter time.Time
	cause      error
}

func (r *refusal) Error() string         { return r.words }
func (r *refusal) Kind() string          { return r.kind }
func (r *refusal) RetryAfter() time.Time { return r.retryAfter }

// Unwrap gives the cause, whose words are the CA's and not made fit for a log.
func (r *refusal) Unwrap() error { return r.cause }

// refuse turns what an attempt ended with into a refusal. The line knows what autocert
// does not tell.
func (l *line) refuse(err error) error {
	if ended := l.attempt.Err(); errors.Is(ended, context.Canceled) {
		return ended // we were told to stop: that is nobody's fault
	}
	var own *refusal
	if errors.As(err, &own) {
		return own
	}
	var p *acme.Error
	failed := l.failedChallenges()
	if last := l.lastFault(); errors.Is(err, errEnoughOrders) && last != nil && len(failed) == 0 {
		err = last
	}
	switch {
	case errors.As(err, &p):
		return refusalOf(p, err)
	case len(failed) > 0:
		return refusalOfChallenges(failed, err)
	}
	var order *acme.OrderError
	if errors.As(err, &order) && order.Problem != nil {
		return refusalOf(order.Problem, err)
	}
	return unreachable(err)
}

// refusalOf reads an answer of the CA's.
func refusalOf(e *acme.Error, cause error) *refusal {
	p := problem{Type: e.ProblemType, Detail: e.Detail}
	for _, sub := range e.Subproblems {
		p.Subproblems = append(p.Subproblems, problem{Type: sub.Type, Detail: sub.Detail})
	}
	m := p.meaning(e.StatusCode)
	r := &refusal{kind: m.kind, words: withDetail(m.words, p.Detail), cause: cause}
	r.retryAfter = retryAfter(e.Header, time.Now())
	return r
}

// refusalOfChallenges tells of each challenge that failed. The last one decides what
// kind it was: with Auto that is HTTP-01, which comes where the other cannot. Of more than
// subproblemLimit it tells of the last ones.
func refusalOfChallenges(failed []failedChallenge, cause error) *refusal {
	r := &refusal{cause: cause}
	var words []string
	for _, f := range failed[max(0, len(failed)-subproblemLimit):] {
		m := f.problem.meaning(0)
		r.kind = m.kind
		words = append(words, f.kind+": "+withDetail(m.words, f.problem.Detail))
	}
	r.words = strings.Join(words, "; ")
	return r
}

func withDetail(words, detail string) string {
	if detail = quoted(detail); detail == "" {
		return words
	}
	return words + " (the CA says: " + detail + ")"
}

// unreachable is for what was no answer of the CA's.
func unreachable(err error) *refusal {
	var timeout net.Error
	words := "the CA cannot be reached: "
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		words = "the CA does not answer in time: "
	case !isTransport(err):
		return &refusal{kind: "malformed", words: "the order failed: " + quoted(err.Error()), cause: err}
	}
	return &refusal{kind: "unreachable", words: words + quoted(err.Error()), cause: err}
}

// isTransport tells an error of the way to the CA from one of what came over it.
func isTransport(err error) bool {
	var lost *lostError
	return errors.As(err, &lost)
}

// retryAfter reads Retry-After (RFC 9110 §10.2.3), at most retryAfterLimit ahead. Zero
// where there is none that can be read.
func retryAfter(fields http.Header, now time.Time) time.Time {
	wait, ok := retryAfterWait(fields, now)
	if !ok {
		return time.Time{}
	}
	return now.Add(wait).Round(0) // a date of the CA's clock, not an interval of ours
}

func retryAfterWait(fields http.Header, now time.Time) (wait time.Duration, ok bool) {
	field := strings.TrimSpace(fields.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(field, 10, 64); err == nil {
		return min(time.Duration(min(seconds, uint64(retryAfterLimit/time.Second)))*time.Second, retryAfterLimit), true
	}
	at, err := http.ParseTime(field)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), retryAfterLimit), true
}
