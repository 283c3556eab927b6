package renewal

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// Reason is why an order is placed.
type Reason string

const (
	// Missing: there is no certificate for the host.
	Missing Reason = "missing"
	// Moved: the one served is another CA's.
	Moved Reason = "moved"
	// Due: the share of its life has passed after which a certificate is renewed.
	Due Reason = "due"
	// Advised: the CA asks for it (RFC 9773).
	Advised Reason = "advised"
	// Asked: an operator did.
	Asked Reason = "asked"
	// Forced: an operator did, whatever our own budget says.
	Forced Reason = "forced"
)

// shortLife is below what a certificate is renewed after half of its life, not after
// two thirds: a third of six days leaves too little time to mend anything.
const shortLife = 10 * 24 * time.Hour

// plan is when a certificate is to be renewed, and why then.
type plan struct {
	at  time.Time
	why Reason
}

// planFor returns when c is to be renewed. obtained is when it was issued by our clock,
// zero where that is not known;
// lot is the certificate's.
//
// The moment is a function of the certificate, and so the same in every replica and
// after every restart: those who do not get the lease are waiting for its holder at
// that moment, and a restart does not roll the dice again.
func planFor(c *certs.Certificate, lot float64, advice *Window, obtained time.Time) plan {
	life := lifetime(c)
	if advice != nil {
		// RFC 9773 §4.2: a uniformly random moment in the window. Advice to renew what
		// has ended, or is about to, is no better than our own rule.
		at := advice.Start.Add(time.Duration(lot * float64(advice.End.Sub(advice.Start))))
		return plan{earlier(later(at, settled(obtained, life)), c.NotAfter.Add(-life/10)), Advised}
	}
	share := life * 2 / 3
	if life < shortLife {
		share = life / 2
	}
	at := c.NotBefore.Add(share - time.Duration(lot*float64(life/20)))
	// A CA that backdates by an hour what lives for two would have it renewed at once.
	if !obtained.IsZero() && obtained.Before(c.NotAfter) {
		at = later(at, obtained.Add(c.NotAfter.Sub(obtained)/2))
	}
	return plan{at, Due}
}

// settled is the earliest moment at which advice is followed. A CA that advises to renew
// whatever it has just issued would otherwise have us spend our budget within a minute.
func settled(obtained time.Time, life time.Duration) time.Time {
	if obtained.IsZero() {
		return obtained
	}
	return obtained.Add(min(24*time.Hour, life/10))
}

// lot is a number in [0, 1) that is drawn once for each certificate: from its bytes, so
// that all replicas draw the same.
func lot(c *certs.Certificate) float64 {
	sum := sha256.Sum256(c.Leaf().Raw)
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

func lifetime(c *certs.Certificate) time.Duration { return c.NotAfter.Sub(c.NotBefore) }

// lifeShare is how much of its life c has lived at a moment: 0.5 is half, over 1 is
// expired, negative is not yet valid.
func lifeShare(c *certs.Certificate, at time.Time) float64 {
	life := lifetime(c)
	if life <= 0 {
		return math.Inf(1)
	}
	return float64(at.Sub(c.NotBefore)) / float64(life)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
