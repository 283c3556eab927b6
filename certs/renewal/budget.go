package renewal

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The windows over which orders are counted are those of the public CA whose limits are
// known best, Let's Encrypt: 5 certificates for the same names in 7 days, 5 failed
// validations for a host in an hour, 300 orders of an account in 3 hours. Limits stays
// below each.
const (
	issuedWindow  = 7 * 24 * time.Hour
	failedWindow  = time.Hour
	accountWindow = 3 * time.Hour
)

// The outcomes of an order. One that is open may have been issued: whoever placed it has
// not lived to tell.
const (
	orderOpen   = "open"
	orderIssued = "issued"
	orderFailed = "failed"
)

// placed is one order.
type placed struct {
	// ID tells it from all others: its time may be corrected.
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"`
}

// hostBudget is the orders for a host, kept under "budget/HOST" (see entry). An order is written
// down before it is placed, so that a process that dies of each order it places still
// stops after a few.
type hostBudget struct {
	Orders []placed `json:"orders"`
}

// accountBudget is the orders of an account, kept under "budget/account_KEY": no host
// name has an underscore.
type accountBudget struct {
	Orders []time.Time `json:"orders"`
}

// windowFor shortens a window to a certificate's lifetime where that is shorter than
// half of it: a CA that issues for 30 seconds expects to be asked more than four times a
// week. Zero is an unknown lifetime.
func windowFor(window, life time.Duration) time.Duration {
	if life > 0 && life < window/2 {
		return life
	}
	return window
}

// merge takes in what another record of the same orders knows: an outcome goes before
// none.
func (b *hostBudget) merge(other hostBudget) {
	for _, o := range other.Orders {
		at := slices.IndexFunc(b.Orders, func(p placed) bool { return p.ID == o.ID })
		if at < 0 {
			b.Orders = append(b.Orders, o)
			continue
		}
		b.Orders[at].At = earlier(b.Orders[at].At, o.At)
		if b.Orders[at].Outcome == orderOpen {
			b.Orders[at].Outcome = o.Outcome
		}
	}
}

// tidy drops what no window reaches, and moves what lies in the future to now: a clock
// that was ahead for a while must not block orders for as long. It tells whether anything
// was moved, which has to be kept, or it would be moved again and again.
func (b *hostBudget) tidy(now time.Time, life time.Duration) (moved bool) {
	for i, p := range b.Orders {
		moved = moved || p.At.After(now)
		b.Orders[i].At = earlier(p.At, now)
	}
	b.Orders = slices.DeleteFunc(b.Orders, func(p placed) bool {
		return !now.Before(p.At.Add(windowFor(p.window(), life)))
	})
	slices.SortFunc(b.Orders, func(p, q placed) int { return p.At.Compare(q.At) })
	return moved
}

func (p placed) window() time.Duration {
	if p.Outcome == orderFailed {
		return failedWindow
	}
	return issuedWindow
}

// check returns when the next order may be placed, and why not before; the zero time is
// at once. b is tidy.
func (b *hostBudget) check(life time.Duration, limits Limits) (free time.Time, words string) {
	var done, failed []time.Time
	for _, p := range b.Orders {
		if p.Outcome == orderFailed {
			failed = append(failed, p.At)
		} else {
			done = append(done, p.At)
		}
	}
	free, words = freed(done, limits.IssuedPerHost, windowFor(issuedWindow, life), "certificates for this host")
	if at, why := freed(failed, limits.FailedPerHost, windowFor(failedWindow, life), "failed orders for this host"); at.After(free) {
		return at, why
	}
	return free, words
}

// freed returns when the first of the last most orders leaves the window.
func freed(orders []time.Time, most int, window time.Duration, what string) (time.Time, string) {
	if len(orders) < most {
		return time.Time{}, ""
	}
	return orders[len(orders)-most].Add(window), fmt.Sprintf("%d %s within %v are all that is allowed", most, what, window)
}

// set gives an order its outcome.
func (b *hostBudget) set(id, outcome string) {
	for i, p := range b.Orders {
		if p.ID == id {
			b.Orders[i].Outcome = outcome
		}
	}
}

// tidy is hostBudget's, for an account.
func (a *accountBudget) tidy(now time.Time) (moved bool) {
	for i, at := range a.Orders {
		moved = moved || at.After(now)
		a.Orders[i] = earlier(at, now)
	}
	slices.SortFunc(a.Orders, time.Time.Compare)
	return moved
}

// take counts an order that is placed now, or returns when the next may be, and why not
// before. a is tidy.
func (a *accountBudget) take(now time.Time, window time.Duration, most int) (free time.Time, words string) {
	recent := slices.DeleteFunc(slices.Clone(a.Orders), func(at time.Time) bool { return !now.Before(at.Add(window)) })
	if free, words = freed(recent, most, window, "orders of this account"); words != "" {
		return free, words
	}
	a.count(now, most)
	return time.Time{}, ""
}

// count notes an order, and forgets the oldest of more than most.
func (a *accountBudget) count(now time.Time, most int) {
	a.Orders = append(a.Orders, now.UTC().Truncate(time.Millisecond))
	if extra := len(a.Orders) - most; extra > 0 {
		a.Orders = slices.Delete(a.Orders, 0, extra)
	}
}

// parseBudget reads either record. A damaged one counts as empty.
func parseBudget[T hostBudget | accountBudget](value []byte) (T, error) {
	var b T
	if err := json.Unmarshal(value, &b); err != nil {
		var empty T
		return empty, fmt.Errorf("the budget is damaged: %w", err)
	}
	return b, nil
}
