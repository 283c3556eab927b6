package renewal

import (
	"errors"
	"io/fs"
	"log/slog"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// layered gives a replica our own layers before what all share, with our rules.
func (w *world) layered(now func() time.Time, checked store.Store) *store.Layered {
	l := store.NewLayered(store.Layers{
		Remote: checked, Check: store.Rules{Now: now}.Check, Newer: store.Newer,
		Passing: []string{"challenge/"}, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	w.t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestEnded(t *testing.T) {
	bubble(t, "a certificate that ends without another is not stored anew, and is served after a restart", func(t *testing.T) {
		w := newWorld(t, time.Hour)
		w.ca.fault = func(order int) error {
			if order == 1 {
				return nil
			}
			return refusal{"rate-limited", time.Now().Add(20 * time.Hour)}
		}
		own := func(c *Config) { c.Store = w.layered(c.Now, c.Store) }
		r := w.start("a", own, host)
		pass(3 * time.Hour)
		first := r.serial()
		if n := w.log.count("at last"); n != 0 || r.status().Unstored {
			t.Errorf("stored again %d times", n)
		}
		r.stop()
		r = w.start("b", own, host)
		pass(time.Minute)
		if first == "" || r.serial() != first {
			t.Errorf("%q is served after the restart, want %q", r.serial(), first)
		}
	})
	bubble(t, "a clock that is a year ahead makes no host dark", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.expiredAllowed = true
		w.memory.set("cert/"+host, w.ca.bundle(time.Now(), time.Now().Add(90*day), host))
		w.ca.fault = refuseAll
		r := w.start("a", func(c *Config) {
			c.Now = func() time.Time { return time.Now().Round(0).AddDate(1, 0, 0) }
			c.Store = w.layered(c.Now, c.Store)
		}, host)
		pass(time.Minute)
		if r.serial() == "" {
			t.Error("nothing is served")
		}
	})
	bubble(t, "what has ended and was removed from the store is not put back", func(t *testing.T) {
		w := newWorld(t, time.Hour)
		r := w.start("a", nil, host)
		pass(time.Minute)
		w.ca.set(func() { w.ca.fault = refuseAll })
		pass(2 * time.Hour)
		if err := r.store.Delete(t.Context(), "cert/"+host, nil); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Minute)
		if _, err := r.store.Get(t.Context(), "cert/"+host); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it was put back: %v", err)
		}
		if r.serial() == "" {
			t.Error("it is not served any more")
		}
	})
}
