package renewal

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

func staging(c *Config)    { c.CA, c.Account, c.Name = "5a", "staging", "ACME staging" }
func production(c *Config) { c.Account, c.Name = "production", "ACME production" }

func TestChangeOfCA(t *testing.T) {
	bubble(t, "production orders at once where staging has, and staging's certificate is served meanwhile", func(t *testing.T) {
		w := newWorld(t, 90*day)
		r := w.start("a", staging, host)
		pass(time.Minute)
		tried := r.serial()
		r.stop()
		w.ca.set(func() { w.ca.fault = refuseAll })
		r = w.start("b", production, host)
		pass(10 * time.Second)
		if st := r.status(); r.serial() != tried || st.Why != Moved || !strings.Contains(st.Source, "another CA") {
			t.Errorf("meanwhile: status %+v", st)
		}
		if n := w.log.count("is overdue"); n != 0 {
			t.Error("another CA's certificate is called overdue")
		}
		w.shorterAllowed = true // by the seconds between the two
		w.ca.set(func() { w.ca.fault = nil; w.ca.life = 30 * day })
		pass(2 * time.Minute)
		if st := r.status(); r.serial() == tried || st.Source != "ACME production" || st.Unstored || st.Why != Due {
			t.Errorf("then: status %+v", st)
		}
		wantOrders(t, w.ca, 3, 3)
		if w.memory.value("cert/"+host+"_5a") == nil || w.memory.value("cert/"+host) == nil {
			t.Error("not each CA's certificate is stored under its own name")
		}
	})
	bubble(t, "what staging refused and counted does not bind production", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = func(int) error { return refusal{"rate-limited", time.Now().Add(20 * time.Hour)} }
		w.start("a", staging, host).stop()
		r := w.start("a", staging, host)
		pass(time.Minute)
		r.stop()
		w.ca.set(func() { w.ca.fault = nil })
		r = w.start("b", production, host)
		pass(time.Minute)
		if r.status().Source != "ACME production" {
			t.Errorf("status %+v", r.status())
		}
	})
	bubble(t, "two replicas with different CAs do not renew each other's certificates in turn", func(t *testing.T) {
		w := newWorld(t, 90*day)
		a, b := w.start("a", staging, host), w.start("b", production, host)
		pass(20 * day)
		if a.serial() == b.serial() || a.serial() == "" || b.serial() == "" {
			t.Errorf("%q and %q are served", a.serial(), b.serial())
		}
		wantOrders(t, w.ca, 2, 2)
	})
	bubble(t, "an expired one of another CA, and another host's whose name begins alike, are not borrowed", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = refuseAll
		w.memory.set("cert/"+host+"_5a", w.ca.bundle(time.Now().Add(-20*day), time.Now().Add(-day), host))
		w.memory.set("cert/"+host+".uk", w.ca.bundle(time.Now(), time.Now().Add(90*day), host+".uk", host))
		r := w.start("b", production, host)
		pass(time.Minute)
		if r.serial() != "" {
			t.Error("one is served")
		}
	})
	bubble(t, "a borrowed one is never written, and gives way to what a replica stores", func(t *testing.T) {
		w := newWorld(t, 90*day)
		w.ca.fault = refuseAll
		other := w.ca.bundle(time.Now(), time.Now().Add(90*day), host)
		w.memory.set("cert/"+host+"_5a", other)
		r := w.start("b", production, host)
		pass(10 * time.Minute)
		if w.memory.value("cert/"+host) != nil || !bytes.Equal(w.memory.value("cert/"+host+"_5a"), other) {
			t.Error("it was written")
		}
		w.shorterAllowed = true
		w.memory.set("cert/"+host, w.ca.bundle(time.Now(), time.Now().Add(40*day), host))
		pass(time.Minute + time.Second)
		if st := r.status(); st.Source != "ACME production" || st.Why != Due {
			t.Errorf("status %+v", st)
		}
		if err := r.Renew(context.Background(), host, false); err == nil {
			t.Error("the CA that refuses all has issued")
		}
	})
}
