package account

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// A Limit is how many attempts a window admits. The window begins with the first of them.
type Limit struct {
	Attempts int64
	Window   time.Duration
}

// Limits are how often somebody may try a password or a new account. Each attempt at a name
// counts before any work is done, so that parallel ones gain nothing; it counts in the
// shorter window first, and one that is refused counts in no longer window. Who goes on
// guessing waits for the rest of a minute, then of an hour, then of a day. A right password
// makes an end of the wrong ones before it from that address, and for an address as a whole
// only wrong ones count. What finds the queue before the hashes full counts nowhere.
//
// The limits for a name from one address are tight: that is where guesses come from. Those for
// an address bound who tries many names, and those for a name from everywhere bound who has
// many addresses. The last could lock a member out on purpose. So they do not apply to an
// address (of IPv6: the /64) from which that member has signed in within 90 days, and since the
// password was set: the member gets in from there, whoever guesses elsewhere. An IPv6 /48 is
// counted besides, with eight times the limit of the longest window for an address.
//
// Clients without an address, such as those behind a unix socket whose proxy does not say for
// whom it asks, are counted by the name alone.
//
// An unknown name is counted as any other. A nil slice is the usual limits, an empty one none.
type Limits struct {
	// NameAndAddress is for one name from one address: 5 in a minute, 20 in an hour, 100 in
	// a day.
	NameAndAddress []Limit
	// Address is for one address and all names: 30 in a minute, 200 in an hour.
	Address []Limit
	// Name is for one name from all addresses that are not known: 30 in an hour, 200 in a day.
	Name []Limit
	// SignUp is for new accounts from one address: 5 in a minute, 20 in an hour, 50 in a day.
	SignUp []Limit
}

// orDefault has the usual limits in place of nil ones.
func (l Limits) orDefault() Limits {
	usual := func(own []Limit, usual ...Limit) []Limit {
		if own == nil {
			return usual
		}
		return own
	}
	const day = 24 * time.Hour
	return Limits{
		NameAndAddress: usual(l.NameAndAddress, Limit{5, time.Minute}, Limit{20, time.Hour}, Limit{100, day}),
		Address:        usual(l.Address, Limit{30, time.Minute}, Limit{200, time.Hour}),
		Name:           usual(l.Name, Limit{30, time.Hour}, Limit{200, day}),
		SignUp:         usual(l.SignUp, Limit{5, time.Minute}, Limit{20, time.Hour}, Limit{50, day}),
	}
}

// takesAtOnce is how many attempts may ask the store for their counters at a time: members'
// quotas are counted there too, and a flood waits behind itself and not in front of them.
const takesAtOnce = 2

// throttle counts attempts in the store, so that all processes and replicas count together.
type throttle struct {
	store  session.Store
	limits Limits
	now    func() time.Time
	turns  chan struct{}
	full   full

	mu      sync.Mutex
	pending map[string]int64 // attempts under way that will be counted if they are wrong
}

func newThrottle(store session.Store, limits Limits, now func() time.Time) *throttle {
	return &throttle{store: store, limits: limits.orDefault(), now: now,
		turns: make(chan struct{}, takesAtOnce), pending: make(map[string]int64)}
}

// addressKeys are the counters of an address with their limits: its own, and that of an IPv6
// /48, which many a customer has whole. An address that is none has none.
func (t *throttle) addressKeys(from netip.Addr) iter.Seq2[string, []Limit] {
	return func(yield func(string, []Limit) bool) {
		if !from.IsValid() || !yield("throttle/address/"+network(from), t.limits.Address) {
			return
		}
		if site, ok := siteOf(from); ok {
			yield("throttle/address/"+site, ofSite(t.limits.Address))
		}
	}
}

// signUp counts an attempt to get an account.
func (t *throttle) signUp(ctx context.Context, from netip.Addr) (wait time.Duration, err error) {
	if !from.IsValid() {
		return 0, nil
	}
	if wait, err = t.take(ctx, "throttle/sign-up/"+network(from), t.limits.SignUp); wait > 0 || err != nil {
		return wait, err
	}
	if site, ok := siteOf(from); ok {
		return t.take(ctx, "throttle/sign-up/"+site, ofSite(t.limits.SignUp))
	}
	return 0, nil
}

// pend notes an attempt that is under way and tells how many were.
func (t *throttle) pend(key string) (before int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending[key]++
	return t.pending[key] - 1
}

// look tells how long to wait under limits, with so many more attempts than the store knows of.
func (t *throttle) look(ctx context.Context, key string, limits []Limit, more int64) (wait time.Duration, err error) {
	return t.ask(ctx, key, limits, 0, more)
}

// take counts one under each window of limits, until one is full.
func (t *throttle) take(ctx context.Context, key string, limits []Limit) (wait time.Duration, err error) {
	return t.ask(ctx, key, limits, 1, 0)
}

// ask counts n, or looks, under each window of limits. Once one is full the longer ones are only
// looked at: the wait is that of the longest that is full. One that is remembered as full is not
// asked for.
func (t *throttle) ask(ctx context.Context, key string, limits []Limit, n, more int64) (wait time.Duration, err error) {
	if len(limits) == 0 {
		return 0, nil
	}
	for _, l := range limits {
		wait = max(wait, t.full.wait(windowKey(key, l)))
	}
	if wait > 0 {
		return wait, nil
	}
	leave, err := t.turn(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	for _, l := range limits {
		c, err := t.store.Take(ctx, windowKey(key, l), n, l.Attempts, l.Window)
		if err != nil {
			return 0, err
		}
		switch {
		case n == 1 && !c.Taken, n == 0 && c.Used >= l.Attempts:
			n, wait = 0, max(wait, c.Resets, time.Second)
			t.full.set(windowKey(key, l), c.Resets)
		case n == 0 && more > 0 && c.Used+more >= l.Attempts: // those under way may turn out right
			wait = max(wait, time.Second)
		}
	}
	return wait, nil
}

func windowKey(key string, l Limit) string { return key + "/" + l.Window.String() }

// turn waits for a turn at the counters, which leave gives on. It waits as long as for a hash.
func (t *throttle) turn(ctx context.Context) (leave func(), err error) {
	timer := time.NewTimer(queueWait)
	defer timer.Stop()
	select {
	case t.turns <- struct{}{}:
		return func() { <-t.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, ErrBusy
	}
}

// hashed is a name in a key: whatever somebody typed, also what is no name, has a key of one
// length, and the store does not show what it was, which may be a password in the wrong field.
func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// network is who counts as one client: an IPv4 address, or an IPv6 /64, all of whose addresses
// a single customer has.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch {
	case !a.IsValid():
		return "unknown"
	case a.Is4():
		return a.String()
	}
	p, _ := a.Prefix(64)
	return p.Addr().String() + "-64"
}

// siteOf is the /48 of an IPv6 address: a customer may have one (RFC 6177 §2), which is 65,536
// clients in the sense of network.
func siteOf(a netip.Addr) (string, bool) {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return "", false
	}
	p, _ := a.Prefix(48)
	return p.Addr().String() + "-48", true
}

// ofSite are the limits of a /48, in which a provider may have many customers: that of the
// longest window, eight times.
func ofSite(limits []Limit) []Limit {
	if len(limits) == 0 {
		return nil
	}
	longest := slices.MaxFunc(limits, func(x, y Limit) int { return cmp.Compare(x.Window, y.Window) })
	longest.Attempts = min(8*longest.Attempts, quotaMost)
	return []Limit{longest}
}
