package account

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

func limited(l Limits) *throttle { return newThrottle(session.NewMemory(), l, time.Now) }

// attempt is a wrong password for a name.
func (t *throttle) attempt(ctx context.Context, name string, from netip.Addr) (wait time.Duration, err error) {
	g, wait, err := t.guess(ctx, from)
	if wait > 0 || err != nil {
		return wait, err
	}
	defer g.done()
	if wait, err = g.of(ctx, name, "id"+name); wait > 0 || err != nil {
		return wait, err
	}
	return 0, g.wrong(ctx)
}

var here, there = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

// tries counts attempts for ann until one is refused.
func (t *throttle) tries(test *testing.T, name string, from netip.Addr, most int) (admitted int, wait time.Duration) {
	test.Helper()
	for admitted = range most {
		wait, err := t.attempt(test.Context(), name, from)
		if err != nil {
			test.Fatal(err)
		}
		if wait > 0 {
			return admitted, wait
		}
	}
	return most, 0
}

func TestThrottle(t *testing.T) {
	in := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	in("the sixth guess for a name in a minute waits for its rest", func(t *testing.T) {
		h := limited(Limits{})
		n, wait := h.tries(t, "ann", here, 10)
		if n != 5 || wait != time.Minute {
			t.Errorf("%d, then %v", n, wait)
		}
		time.Sleep(20 * time.Second)
		if n, wait = h.tries(t, "ann", here, 10); n != 0 || wait != 40*time.Second {
			t.Errorf("20 s later %d, then %v", n, wait)
		}
		time.Sleep(40 * time.Second)
		if n, _ = h.tries(t, "ann", here, 10); n != 5 {
			t.Errorf("a minute later %d", n)
		}
	})
	in("who goes on waits longer: for the hour, then for the day", func(t *testing.T) {
		h := limited(Limits{})
		began, total := time.Now(), 0
		var waits []time.Duration
		for time.Since(began) < 24*time.Hour {
			n, wait := h.tries(t, "ann", here, 10)
			if total += n; n == 0 {
				t.Fatalf("waited as told, and was refused again after %v", time.Since(began))
			}
			waits = append(waits, wait)
			time.Sleep(wait)
		}
		if total != 100 {
			t.Errorf("%d guesses in a day", total)
		}
		if waits[0] != time.Minute || waits[3] < 50*time.Minute || waits[len(waits)-1] < 12*time.Hour {
			t.Errorf("waits %v", waits)
		}
	})
	in("other names are free, up to the address's own limit", func(t *testing.T) {
		h := limited(Limits{})
		h.tries(t, "ann", here, 10) // 5 of the address's 30: the sixth is not tried
		n := 0
		for ; n < 100; n++ {
			if one, _ := h.tries(t, fmt.Sprint("name", n), here, 1); one == 0 {
				break
			}
		}
		if n != 25 {
			t.Errorf("%d other names in a minute", n)
		}
		if n, _ = h.tries(t, "ann", there, 1); n != 1 {
			t.Error("another address is refused too")
		}
	})
	in("many addresses share the limit for a name", func(t *testing.T) {
		h := limited(Limits{})
		n := 0
		for ; n < 100; n++ {
			if one, _ := h.tries(t, "ann", netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), 1); one == 0 {
				break
			}
		}
		if n != 30 {
			t.Errorf("%d addresses in an hour", n)
		}
	})
	in("and do not lock the member out who has signed in from elsewhere before", func(t *testing.T) {
		h := limited(Limits{})
		if err := h.store.Apply(t.Context(), h.right("ann", "idann", there)...); err != nil {
			t.Fatal(err)
		}
		for n := range 100 {
			h.tries(t, "ann", netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), 1)
		}
		if n, wait := h.tries(t, "ann", here, 10); n != 0 || wait == 0 {
			t.Errorf("an address nobody knows: %d, %v", n, wait)
		}
		if n, _ := h.tries(t, "ann", there, 10); n != 5 {
			t.Errorf("the known address: %d", n)
		}
		time.Sleep(knownFor)
		for n := range 100 {
			h.tries(t, "ann", netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), 1)
		}
		if n, _ := h.tries(t, "ann", there, 10); n != 0 {
			t.Errorf("90 days later: %d", n)
		}
	})
	in("a /64 of IPv6 is one client, and so is an IPv4 address in IPv6", func(t *testing.T) {
		h := limited(Limits{})
		h.tries(t, "ann", netip.MustParseAddr("2001:db8::1"), 10)
		if n, _ := h.tries(t, "ann", netip.MustParseAddr("2001:db8::2:0:0:1"), 10); n != 0 {
			t.Errorf("%d from the same /64", n)
		}
		if n, _ := h.tries(t, "ann", netip.MustParseAddr("2001:db8:0:1::1"), 10); n != 5 {
			t.Errorf("%d from another", n)
		}
		h.tries(t, "bob", here, 10)
		if n, _ := h.tries(t, "bob", netip.MustParseAddr("::ffff:192.0.2.1"), 10); n != 0 {
			t.Errorf("%d from the mapped address", n)
		}
	})
	in("clients without an address are counted by the name alone", func(t *testing.T) {
		h := limited(Limits{})
		for n := range 50 {
			if one, _ := h.tries(t, fmt.Sprint("name", n), netip.Addr{}, 1); one != 1 {
				t.Fatalf("refused the name %d", n)
			}
		}
	})
	in("sign-ups are counted by the address", func(t *testing.T) {
		h := limited(Limits{})
		for n := range 6 {
			wait, err := h.signUp(t.Context(), here)
			if err != nil || (wait > 0) != (n == 5) {
				t.Errorf("number %d: %v, %v", n+1, wait, err)
			}
		}
	})
	in("limits of one's own take the place of the usual, and empty ones are none", func(t *testing.T) {
		h := limited(Limits{NameAndAddress: []Limit{{2, time.Hour}}, Address: []Limit{}, Name: []Limit{}})
		if n, wait := h.tries(t, "ann", here, 10); n != 2 || wait != time.Hour {
			t.Errorf("%d, then %v", n, wait)
		}
	})
}

func TestThrottleKeys(t *testing.T) {
	t.Run("what was typed is in no key: it may be a password", func(t *testing.T) {
		change := limited(Limits{}).right("correct horse", "", here)[0]
		if strings.Contains(change.Key, "horse") || strings.Contains(hashed("correct horse"), "horse") || len(hashed(strings.Repeat("x", 9999))) != 32 {
			t.Errorf("%s", change.Key)
		}
	})
	t.Run("a zone is no other client", func(t *testing.T) {
		if a, b := network(netip.MustParseAddr("fe80::1%eth0")), network(netip.MustParseAddr("fe80::1%eth1")); a != b {
			t.Errorf("%s and %s", a, b)
		}
	})
}
