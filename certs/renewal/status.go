package renewal

import (
	"slices"
	"time"
)

// Status is how a host stands.
type Status struct {
	Host string
	// Source, Issuer, Serial, NotBefore and NotAfter are those of the certificate served,
	// zero where there is none.
	Source, Issuer, Serial string
	NotBefore, NotAfter    time.Time
	// LifeShare is how much of its life has passed: over 1 it has expired.
	LifeShare float64
	// Next is when the next order is due, and Why it is due then. A past Next means now,
	// unless RestsUntil, WaitsFor or LastError tell what stops it.
	Next time.Time
	Why  Reason
	// RestsUntil is until when no order is placed, zero if nothing stops one, and Rests
	// why not.
	RestsUntil time.Time
	Rests      string
	// WaitsFor tells of the replica that is ordering, "" if none was seen.
	WaitsFor string
	// Ordering tells whether this replica is.
	Ordering bool
	// Unstored tells whether the certificate served is in memory only.
	Unstored bool
	// Failures counts the orders that failed in a row.
	Failures int
	// LastError is what went wrong last since the certificate served came, and LastErrorAt
	// when.
	LastError   string
	LastErrorAt time.Time
}

// view is what a keeper shows of itself. It never changes.
type view struct {
	status Status
	events []Event
	orders []placed
	advice *Window
}

// show lets others see how the host stands.
func (k *keeper) show()         { k.showAs(false) }
func (k *keeper) showOrdering() { k.showAs(true) }

func (k *keeper) showAs(ordering bool) {
	now, next := k.now(), k.next()
	status := Status{
		Host: k.host, Next: next.at, Why: next.why,
		WaitsFor: k.waiting, Ordering: ordering, Unstored: k.unstored,
		Failures: k.ledger.Failures, LastError: k.fault.words, LastErrorAt: k.fault.at,
	}
	if c := k.served; c != nil {
		status.Source, status.Issuer, status.Serial = c.Source, c.Issuer, c.Serial
		status.NotBefore, status.NotAfter = c.NotBefore, c.NotAfter
	}
	if k.stop.active(now) {
		status.RestsUntil, status.Rests = k.stop.Until, k.stopWords()
	}
	v := &view{status: status, orders: slices.Clone(k.budget.Orders), advice: k.advice.window}
	if before := k.view.Load(); before != nil && k.shown == k.ledger.changes {
		v.events = before.events
	} else {
		v.events = slices.Clone(k.ledger.Events)
		k.shown = k.ledger.changes
	}
	k.view.Store(v)
}

// Status returns how each host stands, in their order.
func (s *Source) Status() []Status {
	list := make([]Status, 0, len(s.keepers))
	for _, k := range s.keepers {
		list = append(list, k.statusAt(s.config.Now()))
	}
	return list
}

func (k *keeper) statusAt(now time.Time) Status {
	status := k.view.Load().status
	if c := k.published.Load(); c != nil {
		status.LifeShare = lifeShare(c, now)
	}
	return status
}
