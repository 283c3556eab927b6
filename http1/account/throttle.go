package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// A Limit is how many attempts a window admits. The window begins with the first of them.
type Limit struct {
	Attempts int64
	Window   time.Duration
}

// Limits are how often somebody may try a password or a new account. Each attempt counts, right
// or wrong, before any work is done, so that parallel ones gain nothing; it counts in the
// shorter window first, and one that is refused counts in no longer window. Who goes on
// guessing waits for the rest of a minute, then of an hour, then of a day.
//
// The limits for a name from one address are tight: that is where guesses come from. Those for
// an address bound who tries many names, and those for a name from everywhere bound who has
// many addresses. The last could lock a member out on purpose. So they do not apply to an
// address (of IPv6: the /64) from which that member has signed in within 90 days: the member
// gets in from there, whoever guesses elsewhere.
//
// An unknown name is counted as any other. A nil slice is the usual limits, an empty one none.
type Limits struct {
	// NameAndAddress is for one name from one address: 5 in a minute, 20 in an hour, 100 in
	// a day.
	NameAndAddress []Limit
	// Address is for one address and all names: 30 in a minute, 200 in an hour. A client
	// without an address, such as one behind a unix socket, is not counted by it.
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

// knownFor is how long an address is one from which a member has signed in.
const knownFor = 90 * 24 * time.Hour

// throttle counts attempts in the store, so that all processes and replicas count together.
type throttle struct {
	store  session.Store
	limits Limits
	now    func() time.Time
}

// attempt counts a password for a name from an address. wait is how long to come back later,
// 0 where the attempt is admitted. An error is the store's: without it nobody guesses.
func (t *throttle) attempt(ctx context.Context, name string, from netip.Addr) (wait time.Duration, err error) {
	who, where := hashed(name), network(from)
	if from.IsValid() {
		if wait, err = t.take(ctx, "throttle/address/"+where, t.limits.Address); wait > 0 || err != nil {
			return wait, err
		}
	}
	if wait, err = t.take(ctx, "throttle/both/"+who+"/"+where, t.limits.NameAndAddress); wait > 0 || err != nil {
		return wait, err
	}
	known, err := t.knows(ctx, who, where)
	if known || err != nil {
		return 0, err
	}
	return t.take(ctx, "throttle/name/"+who, t.limits.Name)
}

// signUp counts an attempt to get an account.
func (t *throttle) signUp(ctx context.Context, from netip.Addr) (wait time.Duration, err error) {
	return t.take(ctx, "throttle/sign-up/"+network(from), t.limits.SignUp)
}

// take counts one under each window of limits, until one is full. The wait is that of the
// longest window that is full.
func (t *throttle) take(ctx context.Context, key string, limits []Limit) (wait time.Duration, err error) {
	n := int64(1)
	for _, l := range limits {
		c, err := t.store.Take(ctx, key+"/"+l.Window.String(), n, l.Attempts, l.Window)
		if err != nil {
			return 0, err
		}
		if n == 1 && !c.Taken || n == 0 && c.Used >= l.Attempts {
			n, wait = 0, max(wait, c.Resets, time.Second)
		}
	}
	return wait, nil
}

// knows tells whether the member of that name has signed in from there.
func (t *throttle) knows(ctx context.Context, who, where string) (bool, error) {
	_, err := t.store.Get(ctx, "known/"+who+"/"+where)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// known is the change that remembers from where a member has signed in.
func (t *throttle) known(name string, from netip.Addr) session.Change {
	return session.Change{Key: "known/" + hashed(name) + "/" + network(from), Value: []byte("{}"),
		Expires: t.now().Add(knownFor), Quiet: true}
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
