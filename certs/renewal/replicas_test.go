package renewal

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

func hosts(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("host%d.example", i))
	}
	return list
}

func proveNothing(context.Context, *certs.Certificate) error { return errors.New("no handshake") }

func TestReplicas(t *testing.T) {
	for _, n := range []int{2, 3} {
		bubble(t, fmt.Sprintf("%d that start at once place one order, and all serve it within 5 s", n), func(t *testing.T) {
			w := newWorld(t, 90*day)
			var all []*replica
			for i := range n {
				all = append(all, w.start(fmt.Sprint("replica", i), nil, host))
			}
			pass(time.Second)
			waiting := 0
			for _, r := range all {
				if st := r.status(); st.WaitsFor != "" {
					waiting++
				}
			}
			if waiting != n-1 {
				t.Errorf("%d wait for another, want %d", waiting, n-1)
			}
			pass(w.ca.takes + 4*time.Second)
			wantOrders(t, w.ca, 1, 1)
			for _, r := range all {
				if r.serial() == "" || r.serial() != all[0].serial() {
					t.Errorf("%s serves %q", r.config.Holder, r.serial())
				}
			}
		})
		bubble(t, fmt.Sprintf("%d renew together for seven months, one order at a time", n), func(t *testing.T) {
			w := newWorld(t, 45*day)
			slow := func(c *Config) { c.Limits.Look = time.Hour }
			var all []*replica
			for i := range n {
				all = append(all, w.start(fmt.Sprint("replica", i), slow, host))
			}
			for range 8 {
				<-w.ca.told
				pass(w.ca.takes + 5*time.Second)
				for _, r := range all {
					if r.serial() != all[0].serial() || r.serial() == "" {
						t.Errorf("%s has not picked up the certificate of %v", r.config.Holder, time.Now())
					}
				}
			}
			wantOrders(t, w.ca, 8, 8)
			if first := w.ca.placed()[0].at; time.Since(first) < 180*day {
				t.Errorf("8 orders in %v", time.Since(first))
			}
		})
	}
	bubble(t, "a holder that dies while ordering is replaced after its lease has run out", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = 10 * time.Second
		a := w.start("a", nil, host)
		pass(5 * time.Second)
		b := w.start("b", nil, host)
		pass(time.Second)
		a.store.fail(dead)
		a.stop()
		pass(50 * time.Second)
		if b.serial() != "" {
			t.Error("b did not wait for the lease")
		}
		pass(25 * time.Second)
		wantOrders(t, w.ca, 2, 2)
		if b.serial() == "" {
			t.Error("b did not take over")
		}
	})
	bubble(t, "a holder cut off from the store stops ordering before another begins", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = 4 * time.Minute
		a := w.start("a", nil, host)
		pass(time.Second)
		b := w.start("b", nil, host)
		pass(time.Second)
		a.store.fail(hanging)
		pass(58 * time.Second)
		if n := a.Figures().Orders["lease-lost"]; n != 1 {
			t.Errorf("a noticed %d times that its lease is lost", n)
		}
		pass(5 * time.Minute)
		if b.serial() == "" || w.ca.placed()[1].by != "b" {
			t.Errorf("b serves %q after the orders %v", b.serial(), w.ca.placed())
		}
		a.store.fail(nil)
		pass(2 * time.Minute)
		if a.serial() != b.serial() {
			t.Error("a does not have b's certificate")
		}
	})
	bubble(t, "a failure of one is the cooldown of all", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = refuseAll
		for i := range 3 {
			w.start(fmt.Sprint("replica", i), nil, host)
		}
		pass(59 * time.Minute)
		wantOrders(t, w.ca, 4, 4)
	})
	bubble(t, "an operator's shorter certificate reaches the others", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.shorterAllowed = true
		a, b := w.start("a", nil, host), w.start("b", nil, host)
		pass(10 * time.Second)
		w.ca.set(func() { w.ca.life = 6 * day })
		if err := b.Renew(context.Background(), host, false); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if a.serial() != b.serial() || lifetime(a.Certificates()[0]) != 6*day {
			t.Errorf("a serves %v", a.Certificates()[0])
		}
	})
	bubble(t, "an operator hears that another replica is ordering", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = 20 * time.Second
		w.start("web-1", nil, host)
		pass(time.Second)
		b := w.start("web-2", nil, host)
		pass(time.Second)
		if err := b.Renew(context.Background(), host, false); err == nil || b.status().WaitsFor != "another holder has the lease: web-1" {
			t.Errorf("Renew: %v; status %+v", err, b.status())
		}
	})
}
