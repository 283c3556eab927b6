package renewal

import (
	"testing"
	"time"
)

func TestNotYetValid(t *testing.T) {
	early := func(w *world, in, life time.Duration) {
		w.ca.set(func() {
			w.ca.wrong = func(host string) []byte {
				from := time.Now().Add(in).Truncate(time.Second)
				return w.ca.bundle(from, from.Add(life), host)
			}
		})
	}
	bubble(t, "what begins later is served and stored when it begins, on all replicas", func(t *testing.T) {
		w := newWorld(t, 90*day)
		a, b := w.start("a", nil, host), w.start("b", nil, host)
		pass(time.Hour)
		first := a.serial()
		early(w, 12*time.Hour, 90*day)
		<-w.ca.told // of the first order
		<-w.ca.told
		pass(11 * time.Hour)
		if a.serial() != first || b.serial() != first || len(w.ca.placed()) != 2 {
			t.Errorf("%q and %q are served after %d orders, want %q", a.serial(), b.serial(), len(w.ca.placed()), first)
		}
		if n := w.log.count("is not valid yet by"); n != 1 {
			t.Errorf("%d warnings", n)
		}
		pass(2 * time.Hour)
		if a.serial() == first || b.serial() != a.serial() || a.status().Unstored || b.status().Unstored {
			t.Errorf("then: %+v", a.status())
		}
		wantOrders(t, w.ca, 2, 2)
	})
	bubble(t, "it is served when the one in use has ended", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.expiredAllowed = true
		r := w.start("a", nil, host)
		pass(time.Hour)
		first := r.serial()
		early(w, 50*day, 90*day)
		pass(85 * day)
		if r.serial() != first {
			t.Error("replaced while it was valid")
		}
		pass(6 * day)
		if r.serial() == first {
			t.Error("not replaced at its end")
		}
	})
	bubble(t, "a first certificate is served whenever it begins", func(t *testing.T) {
		w := newWorld(t, 90*day)
		early(w, time.Hour, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		if r.serial() == "" {
			t.Error("nothing is served")
		}
	})
}

func TestAwayCA(t *testing.T) {
	bubble(t, "a Retry-After of a day without a limit behind it is cut to an hour", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = func(order int) error {
			if order == 1 {
				return refusal{"server", time.Now().Add(day)}
			}
			return nil
		}
		r := w.start("a", nil, host)
		pass(62 * time.Minute)
		if r.serial() == "" {
			t.Errorf("status %+v", r.status())
		}
	})
}
