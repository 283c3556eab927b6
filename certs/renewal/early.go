package renewal

import (
	"fmt"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// early is a certificate that was issued and does not begin yet.
type early struct {
	fresh  *certs.Certificate
	bundle []byte
	why    Reason
}

// tooEarly tells whether c does not begin yet by our clock, which finds the certificate in
// use valid: then clients do too, and refuse c. A clock that finds neither valid is no judge.
func (k *keeper) tooEarly(c *certs.Certificate) bool {
	now := k.now()
	return now.Before(c.NotBefore) && k.served != nil && !now.Before(k.served.NotBefore) && now.Before(k.served.NotAfter)
}

// holdBack keeps what was issued until it begins, or the one in use ends. It is not stored
// before, where a restart would find it in place of the one that is valid.
func (k *keeper) holdBack(e early) error {
	at := earlier(e.fresh.NotBefore, k.served.NotAfter)
	k.early, k.postpone = &e, plan{at, Due}
	// Other replicas order no other, for as long as a ledger can bind them, and until they
	// have had time to find this one stored.
	k.ledger.Failures, k.ledger.Hold = 0, hold{Since: k.now(), Until: at.Add(5 * time.Minute), Kind: holdEarly}.bound()
	k.source.counts.orders.add("early")
	k.tell(Event{Kind: EventNotYet, Serial: e.fresh.Serial, NotAfter: e.fresh.NotAfter, Until: at})
	k.log().Warn("the new certificate is not valid yet by this machine's clock: the one in use stays until then",
		"serial", e.fresh.Serial, "not_before", e.fresh.NotBefore, "served", k.served.Serial, "not_after", k.served.NotAfter)
	return fmt.Errorf("the new certificate is not valid before %s by this machine's clock: the one in use stays until then", stamp(e.fresh.NotBefore))
}

// takeHeld serves what was held back once its time has come, and has it stored next.
func (k *keeper) takeHeld() {
	e := k.early
	if e == nil || k.now().Before(k.postpone.at) {
		return
	}
	k.take(e.fresh, e.bundle, e.why, nil)
	k.unstored, k.storeAt = true, time.Now()
}
