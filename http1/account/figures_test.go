package account

import (
	"testing"
	"time"
)

func TestFigures(t *testing.T) {
	s := newSite(t, nil, func(c *Config) {
		c.Quota, c.Limits.NameAndAddress = Quota{1, time.Hour}, []Limit{{2, time.Hour}}
	})
	b := s.browser()
	is(t, b.post("/-/sign-up", "name", "ann", "password", goodPassword), 303)
	is(t, b.get("/members/"), 200)
	is(t, b.get("/members/"), 429)
	is(t, b.signIn("ann", goodPassword), 303)
	is(t, b.signIn("ann", "wrong horse"), 401)
	is(t, b.post("/-/password", "old", "wrong horse", "new", "another "+goodPassword), 422)
	is(t, b.signIn("ann", goodPassword), 429)
	is(t, b.signIn("nobody", goodPassword), 401)
	h := s.members.hasher
	for range cap(h.queue) {
		h.queue <- struct{}{}
	}
	is(t, b.signIn("nobody", goodPassword), 503)
	want := Figures{SignedIn: 1, SignedUp: 1, Wrong: 3, Limited: 1, Busy: 1, OverQuota: 1, HashingNow: cap(h.queue)}
	if got := s.Figures(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
