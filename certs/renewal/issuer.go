package renewal

import (
	"context"
	"crypto/x509"
	"errors"
	"time"
)

// Issuer orders one certificate from a CA. It is called by one actor of this process at
// a time for a host, under the store's lease for it; a call may take minutes and ends
// soon after its context does.
type Issuer interface {
	// Issue returns a certificate for host, with a key that was never used before, as a
	// bundle that certs.ParseBundle reads. An error may be a Refusal, and is ErrUnissued
	// where ctx ended before the CA was asked to issue.
	Issue(ctx context.Context, host string) (bundle []byte, err error)
}

// ErrUnissued is that an order ended before the CA was asked to issue (RFC 8555 §7.4), so
// that no certificate can have come of it: it counts as one that failed. An order that was
// broken off without it counts as one that was issued.
var ErrUnissued = errors.New("the CA was not asked to issue yet")

// Refusal is what an Issuer's error may tell beside its words (errors.As).
type Refusal interface {
	error
	// RetryAfter is when the CA wants to be asked again, zero where it did not say
	// (RFC 9110 §10.2.3).
	RetryAfter() time.Time
	// Kind is a stable short word for metrics and the ledger: "rate-limited",
	// "unauthorized", "dns", "connection", "malformed", "server", "unreachable".
	Kind() string
}

// Adviser tells when a CA suggests that a certificate be renewed: ARI (RFC 9773).
type Adviser interface {
	// Window returns the suggested window for renewing leaf, and when to ask again. An
	// error means that there is no advice now.
	Window(ctx context.Context, leaf, issuer *x509.Certificate) (Window, error)
}

// Window is when a certificate should be renewed.
type Window struct {
	Start, End time.Time
	// Explanation is a page by the CA for people, "" without one.
	Explanation string
	// AskAgain is when the advice should be fetched anew (RFC 9773 §4.3).
	AskAgain time.Time
}
