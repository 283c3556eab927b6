package account

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fromEverywhere guesses at a name until only known addresses may go on.
func (s *site) fromEverywhere(name string) {
	for n := range 40 {
		b := s.browser()
		b.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(n)}), 1)
		b.signIn(name, "wrong horse")
	}
}

func TestIdentity(t *testing.T) {
	const changed = "another " + goodPassword
	t.Run("the next of a name inherits no count and no known address", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, nil, func(c *Config) { c.Limits, c.Quota = Limits{}, Quota{1, time.Hour} })
			ann := s.member("ann")
			is(t, ann.get("/members/"), 200)
			is(t, ann.get("/members/"), 429)
			if err := s.Members().Remove(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
			mustAdd(t, s.Members(), "ann")
			time.Sleep(quotaKnownFor)
			next := s.browser()
			next.from = netip.MustParseAddrPort("192.0.2.9:1")
			leads(t, next.signIn("ann", goodPassword), "/-/account")
			is(t, next.get("/members/"), 200)
			s.fromEverywhere("ann")
			is(t, s.browser().signIn("ann", goodPassword), 429) // known to whom was here before
			is(t, next.signIn("ann", goodPassword), 303)
		})
	})
	t.Run("a password set elsewhere forgets the addresses, one's own change but this one", func(t *testing.T) {
		s := newSite(t, nil, usualLimits)
		for _, name := range []string{"ann", "bob"} {
			b := s.member(name)
			if name == "ann" {
				if err := s.Members().SetPassword(t.Context(), name, changed); err != nil {
					t.Fatal(err)
				}
			} else {
				leads(t, b.post("/-/password", "old", goodPassword, "new", changed), "/-/account?done=password")
			}
			s.fromEverywhere(name)
		}
		is(t, s.browser().signIn("ann", changed), 429)
		is(t, s.browser().signIn("bob", changed), 303)
	})
	t.Run("an account has ids of its own, also after a move", func(t *testing.T) {
		m, to := newMembers(t), newMembers(t)
		mustAdd(t, m, "ann")
		text := exported(t, m)
		if strings.Contains(text, `"id"`) || strings.Contains(text, `"known"`) {
			t.Errorf("%s", text)
		}
		if _, err := to.Import(t.Context(), strings.NewReader(text), false); err != nil {
			t.Fatal(err)
		}
		a, _ := m.read(t.Context(), "ann")
		b, _ := to.read(t.Context(), "ann")
		if a.ID == "" || b.ID == "" || a.ID == b.ID || a.Known == b.Known || b.Known == "" {
			t.Errorf("%q and %q", a.ID, b.ID)
		}
	})
	t.Run("another window begins anew", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, nil, func(c *Config) { c.Quota = Quota{1, time.Hour} })
			ann := s.member("ann")
			is(t, ann.get("/members/"), 200)
			if err := s.Members().SetQuota(t.Context(), "ann", &Quota{1, time.Minute}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(quotaKnownFor)
			is(t, ann.get("/members/"), 200)
			if res := ann.get("/members/"); res.Status != 429 || res.Get("Retry-After") != "60" {
				t.Errorf("%d, %s", res.Status, res.Get("Retry-After"))
			}
		})
	})
}
