package renewal

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

func TestBrokenOff(t *testing.T) {
	restarts := func(w *world) *replica {
		w.ca.takes = 30 * time.Second
		for i := range 4 {
			r := w.start(fmt.Sprint("start", i), nil, host)
			pass(10 * time.Second)
			r.stop()
			pass(time.Second)
		}
		return w.start("last", nil, host)
	}
	bubble(t, "four restarts before the CA was asked to issue cost an hour", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := restarts(w)
		pass(62 * time.Minute)
		if r.serial() == "" {
			t.Errorf("status %+v", r.status())
		}
		wantOrders(t, w.ca, 5, 5)
	})
	bubble(t, "four after it count as four certificates", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.asked = true
		r := restarts(w)
		pass(6 * day)
		if r.serial() != "" {
			t.Error("a fifth order within a week")
		}
		wantOrders(t, w.ca, 4, 4)
	})
	bubble(t, "an order under way comes to its end after Retire, and no other begins", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = 30 * time.Second
		few := func(c *Config) { c.Limits.OrdersAtOnce = 1 }
		r := w.start("a", few, host, "other.example")
		pass(10 * time.Second)
		r.Retire()
		r.Retire()
		pass(time.Minute)
		if len(r.Certificates()) != 1 || w.memory.value("cert/"+r.Certificates()[0].Names[0]) == nil {
			t.Errorf("served: %v", r.Certificates())
		}
		wantOrders(t, w.ca, 1, 1)
		if err := r.Renew(context.Background(), host, false); err == nil {
			t.Error("Renew after Retire returned no error")
		}
	})
	bubble(t, "a store that loses every lease has few orders placed", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = 30 * time.Second
		loses := func(_ context.Context, op, _ string) error {
			if op == "renew" {
				return store.ErrLost
			}
			return nil
		}
		r := w.start("a", func(c *Config) { c.Store.(*replicaStore).fail(loses) }, host)
		pass(50 * time.Minute)
		wantOrders(t, w.ca, 3, 4)
		if st := r.status(); st.Failures < 3 || !r.Figures().Hosts[0].Resting {
			t.Errorf("status %+v", st)
		}
		r.store.fail(nil)
		pass(76 * time.Minute)
		if r.serial() == "" {
			t.Error("no certificate an hour after the store keeps its leases: the orders count as issued")
		}
	})
}
