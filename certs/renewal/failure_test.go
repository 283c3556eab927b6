package renewal

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs a test as a subtest in a bubble of its own.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestRefusals(t *testing.T) {
	bubble(t, "a CA that is dead for a week is asked at most once an hour, and used within an hour of its return", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = refuseAll
		r := w.start("a", nil, host)
		pass(59 * time.Minute)
		wantOrders(t, w.ca, 4, 4) // 5 failed validations an hour are the CA's limit
		pass(7*day - time.Hour)
		wantOrders(t, w.ca, 24*7*8/10, 24*7+4)
		t.Logf("%d orders in a week without a CA", len(w.ca.placed()))
		if st := r.status(); st.Failures == 0 || !strings.Contains(st.LastError, "connection") || st.RestsUntil.IsZero() {
			t.Errorf("status %+v", st)
		}
		w.ca.set(func() { w.ca.fault = nil })
		pass(76 * time.Minute)
		if r.serial() == "" {
			t.Error("no certificate an hour after the CA's return")
		}
		if f := r.Figures(); f.Orders["issued"] != 1 || f.Orders["connection"] < 100 || f.Hosts[0].Resting {
			t.Errorf("figures %+v", f)
		}
	})
	bubble(t, "a renewal that fails for days keeps the old certificate, with one line for each warning", func(t *testing.T) {
		w := newWorld(t, 6*day)
		w.expiredAllowed = true
		r := w.start("a", nil, host)
		pass(time.Hour)
		first := r.serial()
		w.ca.set(func() { w.ca.fault = refuseAll })
		pass(8 * day)
		if first == "" || r.serial() != first {
			t.Error("the old certificate is not served any more")
		}
		for _, words := range []string{"is overdue", "less than a quarter", "has expired"} {
			if n := w.log.count(words); n != 1 {
				t.Errorf("%d lines say that a certificate %s, want 1", n, words)
			}
		}
		w.ca.set(func() { w.ca.fault = nil })
		pass(76 * time.Minute)
		if r.serial() == first {
			t.Error("not renewed after the CA's return")
		}
	})
	bubble(t, "the CA's Retry-After is kept to, over a restart and against an operator", func(t *testing.T) {
		w := newWorld(t, 90*day)
		until := time.Now().Add(7 * time.Hour)
		w.ca.fault = func(int) error { return refusal{"rate-limited", until} }
		r := w.start("a", nil, host)
		pass(time.Minute)
		if err := r.Renew(context.Background(), host, false); err == nil || !strings.Contains(err.Error(), "asked us to wait") {
			t.Errorf("Renew: %v", err)
		}
		r.stop()
		r = w.start("a", nil, host)
		pass(time.Until(until) - time.Minute)
		wantOrders(t, w.ca, 1, 1)
		w.ca.set(func() { w.ca.fault = nil })
		pass(2 * time.Minute)
		if r.serial() == "" {
			t.Error("no order after Retry-After")
		}
	})
	bubble(t, "a Retry-After of a year is cut to a day", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = func(int) error { return refusal{"rate-limited", time.Now().AddDate(1, 0, 0)} }
		w.start("a", nil, host)
		pass(3*day + time.Hour)
		wantOrders(t, w.ca, 4, 4)
	})
	bubble(t, "an issuer that panics or hangs is a failure like another", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = func(n int) error {
			if n == 1 {
				panic("a bug")
			}
			return nil
		}
		w.ca.takes = 6 * time.Minute // over the limit of an order
		r := w.start("a", nil, host)
		pass(20 * time.Minute)
		if f := r.Figures(); f.Orders["timeout"] == 0 {
			t.Errorf("figures %+v", f)
		}
		w.ca.set(func() { w.ca.orders = nil })
		pass(0)
		r.stop()
		w.ca.takes = time.Second
		r = w.start("b", nil, "other.example")
		pass(10 * time.Minute)
		if f := r.Figures(); f.Orders["error"] != 1 || f.Orders["issued"] != 1 {
			t.Errorf("figures %+v", f)
		}
	})
}

func TestProof(t *testing.T) {
	otherHost := func(w *world) []byte {
		return w.ca.bundle(time.Now(), time.Now().Add(90*day), "other.example")
	}
	for name, wrong := range map[string]func(w *world) []byte{
		"a chain for another host": otherHost,
		"junk":                     func(*world) []byte { return []byte("junk") },
		"a chain whose links do not belong together": func(w *world) []byte {
			stranger := newCA(w.t, 0)
			mixed := w.ca.bundle(time.Now(), time.Now().Add(90*day), host)
			cut := strings.LastIndex(string(mixed), "-----BEGIN CERTIFICATE")
			theirs := string(stranger.bundle(time.Now(), time.Now().Add(day), host))
			return []byte(string(mixed[:cut]) + theirs[strings.LastIndex(theirs, "-----BEGIN CERTIFICATE"):])
		},
	} {
		bubble(t, name+" is neither served nor stored", func(t *testing.T) {
			w := newWorld(t, 90*day)
			r := w.start("a", nil, host)
			pass(time.Minute)
			first, stored := r.serial(), string(w.memory.value("cert/"+host))
			w.ca.set(func() { w.ca.wrong = func(string) []byte { return wrong(w) } })
			if err := r.Renew(context.Background(), host, false); err == nil {
				t.Error("Renew returned no error")
			}
			if first == "" || r.serial() != first || string(w.memory.value("cert/"+host)) != stored {
				t.Error("it replaced the good one")
			}
			if f := r.Figures(); f.Orders["proof"] != 1 || !f.Hosts[0].Resting {
				t.Errorf("figures %+v", f)
			}
		})
	}
	bubble(t, "what the handshake of the configuration refuses is not served", func(t *testing.T) {
		w := newWorld(t, 90*day)
		refuse := func(c *Config) { c.Prove = proveNothing }
		r := w.start("a", refuse, host)
		pass(time.Minute)
		if r.serial() != "" || !strings.Contains(r.status().LastError, "no handshake") {
			t.Errorf("status %+v", r.status())
		}
	})
}

func TestBudget(t *testing.T) {
	bubble(t, "a process that dies of each order places four a week in a thousand starts", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.takes = time.Hour // it never lives that long
		for range 1000 {
			r := w.start("a", nil, host)
			pass(10 * time.Second)
			r.store.fail(dead) // as if killed: nothing is saved or released
			r.stop()
		}
		wantOrders(t, w.ca, 4, 4)
		pass(7 * day)
		w.ca.takes = time.Second
		r := w.start("a", nil, host)
		pass(time.Hour)
		if r.serial() == "" {
			t.Error("no certificate although the budget is free again")
		}
	})
	bubble(t, "an operator is told when the budget is free again", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		began := time.Now()
		for range 3 {
			pass(time.Minute)
			if err := r.Renew(context.Background(), host, false); err != nil {
				t.Fatal(err)
			}
		}
		err := r.Renew(context.Background(), host, false)
		var stop *blocked
		if !errors.As(err, &stop) {
			t.Fatalf("the fifth order: %v", err)
		}
		if wait := stop.until.Sub(began); wait < 7*day-2*time.Minute || wait > 7*day {
			t.Errorf("free again after %v", wait)
		}
		wantOrders(t, w.ca, 4, 4)
		if st := r.status(); st.RestsUntil != stop.until || !strings.Contains(st.Rests, "budget") {
			t.Errorf("status %+v", st)
		}
		pass(7 * day)
		if err := r.Renew(context.Background(), host, false); err != nil {
			t.Errorf("after a week: %v", err)
		}
	})
	bubble(t, "an account's orders are counted for all hosts and replicas", func(t *testing.T) {
		w := newWorld(t, 90*day)
		few := func(c *Config) { c.Limits.OrdersPerAccount = 5 }
		w.start("a", few, hosts(0, 10)...)
		w.start("b", few, hosts(10, 20)...)
		pass(2 * time.Hour)
		wantOrders(t, w.ca, 5, 5)
		pass(2 * time.Hour)
		wantOrders(t, w.ca, 10, 10)
	})
	bubble(t, "records that are damaged are begun anew", func(t *testing.T) {
		w := newWorld(t, 90*day)
		for _, name := range []string{"budget/" + host, "budget/account_", "ledger/" + host, "cert/" + host} {
			w.memory.set(name, []byte("{damaged"))
		}
		r := w.start("a", nil, host)
		pass(time.Minute)
		wantOrders(t, w.ca, 1, 1)
		if r.serial() == "" {
			t.Error("no certificate")
		}
		if _, err := parseLedger(w.memory.value("ledger/" + host)); err != nil {
			t.Error(err)
		}
	})
}
