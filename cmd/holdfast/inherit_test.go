package main

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func TestInheritance(t *testing.T) {
	t.Run("numbers of sockets that cannot be are faults", func(t *testing.T) {
		for _, count := range []string{"", "0", "-1", "65", "many"} {
			i := new(inheritance)
			if i.fromSystemd(count, ""); len(i.faults) != 1 || !i.faults[0].Usage || !strings.Contains(i.faults[0].line(), quote(count)) {
				t.Errorf("%q: %v", count, i.faults)
			}
		}
	})
	t.Run("so is what no predecessor writes", func(t *testing.T) {
		for _, text := range []string{"{", "{}", `{"ready":0,"begin":1}`, `{"ready":"3"}`} {
			i := new(inheritance)
			if i.fromPredecessor(text); len(i.faults) != 1 || i.succeeds() {
				t.Errorf("%q: %v", text, i.faults)
			}
		}
	})
	socket := func(t *testing.T, name, address string) *inheritedSocket {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return &inheritedSocket{name: name, address: address, listener: l}
	}
	t.Run("a predecessor's socket is found by its address, one of systemd's by its name, each once", func(t *testing.T) {
		i := &inheritance{sockets: []*inheritedSocket{socket(t, "https", ":443"), socket(t, "http", "")}}
		if i.socket("https", ":8443") != nil || i.socket("http", ":443") == nil || i.socket("https", ":443") != nil {
			t.Error("by address")
		}
		if i.socket("http", "anything") == nil || i.socket("http", "anything") != nil {
			t.Error("by name")
		}
		if none := (*inheritance)(nil); none.socket("http", ":80") != nil || none.isGiven("http") || none.succeeds() {
			t.Error("of nothing")
		}
	})
	t.Run("a second socket for a listener is a stranger", func(t *testing.T) {
		i := &inheritance{sockets: []*inheritedSocket{socket(t, "http", ""), socket(t, "http", "")}}
		if faults := i.strangers(); len(faults) != 1 || faults[0].Why != "there is another of this name" {
			t.Error(faults)
		}
	})
	t.Run("a setting may name the address that the socket has, and off is another", func(t *testing.T) {
		for _, row := range []struct {
			https string
			fits  bool
		}{{"", true}, {"SAME", true}, {"WILD", true}, {"off", false}, {"127.0.0.1:1", false}} {
			given := socket(t, "https", "")
			addr := given.listener.Addr().String()
			env := testEnvironment(t)
			env.inherited = &inheritance{sockets: []*inheritedSocket{given}}
			args := []string{"serve"}
			if row.https != "" {
				_, port, _ := net.SplitHostPort(addr)
				args = append(args, "--https", strings.NewReplacer("SAME", addr, "WILD", ":"+port).Replace(row.https))
			}
			r := holdfast(t, env, args...)
			if (r.settings != nil) != row.fits || row.fits && r.settings.HTTPS != addr {
				t.Errorf("%q: %s", row.https, r.err)
			}
		}
	})
	t.Run("beside a socket only those listeners are on that are asked for", func(t *testing.T) {
		env := testEnvironment(t, "KUBERNETES_SERVICE_HOST=10.0.0.1")
		env.inherited = &inheritance{sockets: []*inheritedSocket{socket(t, "https", "")}}
		if s := configured(t, env); s.HTTP != "" {
			t.Errorf("http on %q", s.HTTP)
		}
		env.inherited.sockets[0].taken = false
		if s := configured(t, env, "--http", ":8080"); s.HTTP != ":8080" {
			t.Errorf("http on %q", s.HTTP)
		}
	})
	t.Run("a predecessor's sockets decide nothing", func(t *testing.T) {
		env := testEnvironment(t)
		env.inherited = &inheritance{sockets: []*inheritedSocket{socket(t, "http", ":80")}}
		if s := configured(t, env); s.HTTP != "" || s.HTTPS != "127.0.0.1:8443" {
			t.Errorf("%q, %q", s.HTTP, s.HTTPS)
		}
	})
	t.Run("a successor's environment has no number of the watchdog's process", func(t *testing.T) {
		t.Setenv("WATCHDOG_PID", "1")
		t.Setenv("WATCHDOG_USEC", "1000")
		got := new(succession).environment()
		if slices.Contains(got, "WATCHDOG_PID=1") || !slices.Contains(got, "WATCHDOG_USEC=1000") {
			t.Errorf("%q", got)
		}
	})
}
