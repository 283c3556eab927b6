package account

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

func TestUsage(t *testing.T) {
	store := session.NewMemory()
	m := NewMembers(store, newHasher(t, cheap, 1))
	mustAdd(t, m, "ann")
	site := Quota{N: 5, Window: time.Hour}
	usage := func(t *testing.T, site Quota) (Quota, session.Count) {
		t.Helper()
		q, c, err := m.Usage(t.Context(), "Ann", site)
		if err != nil {
			t.Fatal(err)
		}
		return q, c
	}
	t.Run("who has no quota of their own has the site's, and looking takes nothing", func(t *testing.T) {
		for range 2 {
			if q, c := usage(t, site); q != site || c.Used != 0 {
				t.Errorf("%+v, %+v", q, c)
			}
		}
	})
	t.Run("what was counted is used, in the window that began", func(t *testing.T) {
		s, err := m.read(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Take(t.Context(), quotaKey("ann", s.ID, site), 2, site.N, site.Window); err != nil {
			t.Fatal(err)
		}
		if q, c := usage(t, site); q != site || c.Used != 2 || c.Resets <= 0 || c.Resets > site.Window {
			t.Errorf("%+v, %+v", q, c)
		}
	})
	t.Run("an own quota comes before the site's", func(t *testing.T) {
		own := Quota{N: 9, Window: site.Window}
		if err := m.SetQuota(t.Context(), "ann", &own); err != nil {
			t.Fatal(err)
		}
		if q, c := usage(t, site); q != own || c.Used != 2 {
			t.Errorf("%+v, %+v", q, c)
		}
	})
	t.Run("of another window nothing is used", func(t *testing.T) {
		other := Quota{N: 9, Window: site.Window / 2}
		if err := m.SetQuota(t.Context(), "ann", &other); err != nil {
			t.Fatal(err)
		}
		if q, c := usage(t, site); q != other || c.Used != 0 {
			t.Errorf("%+v, %+v", q, c)
		}
	})
	t.Run("without a limit nothing is used", func(t *testing.T) {
		if err := m.SetQuota(t.Context(), "ann", &Quota{}); err != nil {
			t.Fatal(err)
		}
		if q, c := usage(t, site); q != (Quota{}) || c != (session.Count{}) {
			t.Errorf("%+v, %+v", q, c)
		}
	})
	t.Run("nobody has none", func(t *testing.T) {
		if _, _, err := m.Usage(t.Context(), "bob", site); !errors.Is(err, ErrNoMember) {
			t.Error(err)
		}
	})
}
