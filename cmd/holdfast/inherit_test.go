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
		i := &inheritance{sockets: []*inheritedSocket{socket(t, "https", ":443"), socket(t, "admin", "")}}
		if i.socket("https", ":8443") != nil || i.socket("http", ":443") == nil || i.socket("https", ":443") != nil {
			t.Error("by address")
		}
		if i.socket("admin", "anything") == nil || i.socket("admin", "anything") != nil {
			t.Error("by name")
		}
		if none := (*inheritance)(nil); none.socket("http", ":80") != nil || none.isGiven("http") || none.succeeds() {
			t.Error("of nothing")
		}
	})
	t.Run("of any free port each listener has the one of its own name", func(t *testing.T) {
		const anyPort = "127.0.0.1:0"
		https, http := socket(t, "https", anyPort), socket(t, "http", anyPort)
		i := &inheritance{sockets: []*inheritedSocket{https, http}}
		if got := i.socket("admin", anyPort); got != nil {
			t.Errorf("admin takes %v", got.Addr())
		}
		if i.socket("http", anyPort) != http.listener || i.socket("http", anyPort) != nil {
			t.Error("http has not its own")
		}
	})
	t.Run("the name goes before the order, where an address is free of it", func(t *testing.T) {
		one, two := socket(t, "http", ":80"), socket(t, "admin", ":80") // one after the other, through an upgrade
		i := &inheritance{sockets: []*inheritedSocket{one, two}}
		if i.socket("admin", ":80") != two.listener || i.socket("https", ":80") != one.listener {
			t.Error("not by name")
		}
	})
	t.Run("an address may be written in another way", func(t *testing.T) {
		for _, row := range []struct {
			listens, written, asked string
			same                    bool
		}{
			{"127.0.0.1:0", "127.0.0.1:PORT", "localhost:PORT", true},
			{"127.0.0.1:0", "localhost:PORT", "127.0.0.1:PORT", true},
			{"127.0.0.1:0", "127.0.0.1:PORT", "127.0.0.1:1", false},
			{"127.0.0.1:0", "127.0.0.1:PORT", "127.0.0.2:PORT", false},
			{"127.0.0.1:0", "127.0.0.1:PORT", ":PORT", false},
			{"127.0.0.1:0", "127.0.0.1:PORT", "unix:/PORT", false},
			{"127.0.0.1:0", "127.0.0.1:PORT", "no.such.host.invalid:PORT", false},
			{":0", ":PORT", "0.0.0.0:PORT", true},
			{":0", "0.0.0.0:PORT", "[::]:PORT", true},
			{":0", ":PORT", "127.0.0.1:PORT", false},
		} {
			l, err := net.Listen("tcp", row.listens)
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(l.Addr().String())
			i := &inheritance{sockets: []*inheritedSocket{{name: "http", address: strings.ReplaceAll(row.written, "PORT", port), listener: l}}}
			if got := i.socket("http", strings.ReplaceAll(row.asked, "PORT", port)); (got != nil) != row.same {
				t.Errorf("%s for %s: %v", row.asked, row.written, got)
			}
			_ = l.Close()
		}
		k := &inheritedSocket{address: "unix:/run/../run/s"}
		if !sameAddress(k, "unix:/run/s") || sameAddress(k, "unix:/run/s.lock") {
			t.Error("of unix sockets")
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
