package renewal

import (
	"bytes"
	"context"
	"testing"
	"time"
)

func TestStart(t *testing.T) {
	bubble(t, "every host is looked up and the missing ones are ordered at once, four at a time", func(t *testing.T) {
		w := newWorld(t, 90*day)
		names := hosts(0, 20)
		kept := w.ca.bundle(time.Now(), time.Now().Add(90*day), names[3])
		w.memory.set("cert/"+names[3], kept)
		w.ca.takes = 10 * time.Second
		r := w.start("a", nil, names...)
		pass(5 * time.Second)
		if len(r.Certificates()) != 1 || r.Certificates()[0].Names[0] != names[3] {
			t.Errorf("at first %v are served", r.Certificates())
		}
		wantOrders(t, w.ca, 4, 4)
		pass(2 * time.Minute)
		wantOrders(t, w.ca, 19, 19)
		for i, c := range r.Certificates() {
			if c.Names[0] != names[i] {
				t.Errorf("number %d served is for %s, want the order of the configuration", i, c.Names[0])
			}
		}
		if len(r.Certificates()) != 20 || r.Figures().Orders["issued"] != 19 || r.Figures().TakenOver != 1 {
			t.Errorf("%d served, figures %+v", len(r.Certificates()), r.Figures())
		}
	})
	bubble(t, "a restart serves what is stored and orders nothing", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		first, next := r.serial(), r.status().Next
		r.stop()
		r = w.start("a", nil, host)
		pass(time.Minute)
		if r.serial() != first || r.status().Next != next {
			t.Errorf("serves %q until %v, want %q until %v", r.serial(), r.status().Next, first, next)
		}
		wantOrders(t, w.ca, 1, 1)
	})
	bubble(t, "after the first look what another left is served, also under the name of the CA", func(t *testing.T) {
		w := newWorld(t, 90*day)
		a := w.start("a", func(c *Config) { c.CA = "ca.example" }, host)
		pass(time.Minute)
		a.stop()
		r := w.start("b", func(c *Config) {
			c.CA = "ca.example"
			c.Store.(*replicaStore).fail(func(context.Context, string, string) error { time.Sleep(time.Second); return nil })
		}, host, "new.example.org")
		if err := r.AwaitLook(t.Context()); err != nil || r.serial() == "" {
			t.Errorf("%v, serves %q", err, r.serial())
		}
	})
	bubble(t, "a store that hangs is waited for no longer than the caller likes", func(t *testing.T) {
		r := newWorld(t, 90*day).start("a", func(c *Config) {
			c.Limits.StoreCall = time.Hour
			c.Store.(*replicaStore).fail(hanging)
		}, host)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := r.AwaitLook(ctx); err != context.DeadlineExceeded {
			t.Error(err)
		}
	})
	bubble(t, "an expired certificate is served until there is another", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.expiredAllowed = true
		w.memory.set("cert/"+host, w.ca.bundle(time.Now().Add(-100*day), time.Now().Add(-10*day), host))
		r := w.start("a", nil, host)
		pass(time.Second)
		if r.serial() == "" || r.status().LifeShare < 1 {
			t.Errorf("status %+v", r.status())
		}
		pass(time.Minute)
		if r.status().LifeShare > 0.1 {
			t.Error("not renewed")
		}
	})
	bubble(t, "what is stored for another host counts as missing, and is replaced", func(t *testing.T) {
		w := newWorld(t, 90*day)
		wrong := w.ca.bundle(time.Now(), time.Now().Add(90*day), "other.example")
		w.memory.set("cert/"+host, wrong)
		r := w.start("a", nil, host)
		pass(time.Minute)
		if r.serial() == "" || bytes.Equal(w.memory.value("cert/"+host), wrong) {
			t.Error("not replaced")
		}
		wantOrders(t, w.ca, 1, 1)
	})
	t.Run("a host that is none, or is named twice, is refused with all the others", func(t *testing.T) {
		_, err := New(Config{Hosts: []string{"a b", "example.org", "EXAMPLE.org.", "*.example.org", "192.0.2.1"}})
		if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 4 {
			t.Errorf("got %v", err)
		}
	})
	bubble(t, "Run runs once, and Renew knows its hosts", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		if err := r.Run(context.Background()); err == nil {
			t.Error("a second Run returned no error")
		}
		if err := r.Renew(context.Background(), "unknown.example", false); err == nil {
			t.Error("Renew of an unknown host returned no error")
		}
		r.stop()
		if err := r.Renew(context.Background(), host, false); err == nil {
			t.Error("Renew after the end returned no error")
		}
	})
}

func TestStoreFaults(t *testing.T) {
	bubble(t, "a store that dies during an order loses nothing: served from memory, stored later", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Second)
		r.store.fail(dead)
		pass(time.Hour)
		if st := r.status(); r.serial() == "" || !st.Unstored || st.LastError == "" {
			t.Errorf("status %+v", st)
		}
		if n := w.log.count("store of certificates fails"); n != 2 { // reading and writing
			t.Errorf("%d lines tell of the store in an hour, want 2", n)
		}
		if r.Figures().StoreErrors == 0 || !r.Figures().Hosts[0].Unstored {
			t.Errorf("figures %+v", r.Figures())
		}
		r.store.fail(nil)
		pass(time.Minute)
		if r.status().Unstored || w.memory.value("cert/"+host) == nil {
			t.Error("not stored after the store's return")
		}
		wantOrders(t, w.ca, 1, 1)
		r.stop()
		again := w.start("a", nil, host)
		pass(time.Minute)
		if again.serial() != r.serial() {
			t.Error("the restart has another certificate")
		}
	})
	for name, fault := range map[string]func(context.Context, string, string) error{
		"is dead": dead, "hangs": hanging, "is read-only": readOnly,
		"gives leases and takes no values": func(_ context.Context, op, _ string) error {
			if op == "put" {
				return errDead
			}
			return nil
		},
	} {
		bubble(t, "a renewal does not fail because the store "+name, func(t *testing.T) {
			w := newWorld(t, 6*day)
			r := w.start("a", func(c *Config) { c.Limits.Look = 5 * time.Minute }, host)
			pass(time.Minute)
			first := r.serial()
			r.store.fail(fault)
			pass(4 * day)
			if n := len(w.ca.placed()); n != 1 {
				t.Errorf("%d orders before the need was great", n)
			}
			pass(day)
			if r.serial() == first || !r.status().Unstored {
				t.Errorf("status %+v", r.status())
			}
			wantOrders(t, w.ca, 2, 2)
			r.store.fail(nil)
			pass(10 * time.Minute)
			if st := r.status(); st.Unstored {
				t.Errorf("status %+v", st)
			}
			wantOrders(t, w.ca, 2, 2)
		})
		bubble(t, "a first certificate waits minutes, and no longer, for a store that "+name, func(t *testing.T) {
			w := newWorld(t, 90*day)
			r := w.start("a", func(c *Config) { c.Store.(*replicaStore).fail(fault) }, host)
			pass(4 * time.Minute)
			wantOrders(t, w.ca, 0, 0)
			pass(4 * time.Minute)
			if r.serial() == "" {
				t.Error("none was ordered")
			}
			wantOrders(t, w.ca, 1, 1)
		})
	}
	bubble(t, "a certificate that vanished from the store is put back", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		if err := r.store.Delete(context.Background(), "cert/"+host, nil); err != nil {
			t.Fatal(err)
		}
		pass(90 * time.Second)
		if w.memory.value("cert/"+host) == nil {
			t.Error("it was not put back")
		}
		wantOrders(t, w.ca, 1, 1)
	})
	bubble(t, "an older certificate in the store replaces nothing, and is replaced", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", nil, host)
		pass(time.Minute)
		first := r.serial()
		w.memory.set("cert/"+host, w.ca.bundle(time.Now().Add(-day), time.Now().Add(89*day), host))
		pass(2 * time.Minute)
		if r.serial() != first || r.status().Unstored {
			t.Errorf("status %+v", r.status())
		}
	})
}
