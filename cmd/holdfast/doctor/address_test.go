package doctor

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestAddresses(t *testing.T) {
	const domain = "dock.example.org"
	nat := []string{"192.168.1.5", "fe80::1"}
	public := []string{"203.0.113.7", "2001:db8::7", "10.0.0.1"}
	for _, c := range []struct {
		name   string
		server *nameServer
		own    []string
		public bool // the CA
		want   []string
	}{
		{"this machine's", &nameServer{zone: zone{"A " + domain: {address("203.0.113.7")}, "AAAA " + domain: {address("2001:db8::7")}}}, public, true,
			[]string{"ok: A 203.0.113.7 is this machine's", "ok: AAAA 2001:db8::7 is this machine's"}},
		{"behind NAT", &nameServer{zone: zone{"A " + domain: {address("203.0.113.7")}}}, nat, true,
			[]string{"note: A 203.0.113.7 is not this machine's, which has no public address"}},
		{"another machine's", &nameServer{zone: zone{"A " + domain: {address("198.51.100.1")}}}, public, true,
			[]string{"warning: A 198.51.100.1 is not this machine's, which has 203.0.113.7"}},
		{"a stale AAAA", &nameServer{zone: zone{"A " + domain: {address("203.0.113.7")}, "AAAA " + domain: {address("2001:db8::1")}}}, public, true,
			[]string{"ok: A ", "warning: AAAA 2001:db8::1 is not this machine's, which has 2001:db8::7"}},
		{"an AAAA where there is no IPv6", &nameServer{zone: zone{"AAAA " + domain: {address("2001:db8::1")}}}, nat, true,
			[]string{"warning: AAAA 2001:db8::1 is not this machine's, which has none that is public"}},
		{"private, for a public CA", &nameServer{zone: zone{"A " + domain: {address("192.168.1.5")}}}, nat, true,
			[]string{"fault: A 192.168.1.5 is no public address"}},
		{"private, for a CA of one's own", &nameServer{zone: zone{"A " + domain: {address("192.168.1.5")}}}, nat, false,
			[]string{"ok: A 192.168.1.5 is this machine's"}},
		{"shared by a carrier", &nameServer{zone: zone{"A " + domain: {address("100.64.1.1")}}}, nat, true, []string{"fault: A 100.64.1.1 is no public address"}},
		{"no record", &nameServer{}, public, true, []string{"fault: the name has neither an A nor an AAAA record"}},
		{"no name", &nameServer{rcodes: map[string]dnsmessage.RCode{"A " + domain: dnsmessage.RCodeNameError, "AAAA " + domain: dnsmessage.RCodeNameError}}, public, true,
			[]string{"fault: there is no such name"}},
		{"a failure", &nameServer{rcodes: map[string]dnsmessage.RCode{"A " + domain: dnsmessage.RCodeServerFailure, "AAAA " + domain: dnsmessage.RCodeServerFailure}}, public, true,
			[]string{"fault: no address is to be had: the resolver failed"}},
		{"a failure for AAAA alone", &nameServer{zone: zone{"A " + domain: {address("203.0.113.7")}}, rcodes: map[string]dnsmessage.RCode{"AAAA " + domain: dnsmessage.RCodeServerFailure}}, public, true,
			[]string{"warning: the AAAA records are not to be had", "ok: A "}},
		{"a failure for A alone", &nameServer{zone: zone{"AAAA " + domain: {address("2001:db8::7")}}, rcodes: map[string]dnsmessage.RCode{"A " + domain: dnsmessage.RCodeServerFailure}}, public, true,
			[]string{"warning: the A records are not to be had", "ok: AAAA "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &Doctor{Resolvers: []string{c.server.start(t).addr}, Patience: patience, Addresses: func() (own []netip.Addr, err error) {
				for _, text := range c.own {
					own = append(own, netip.MustParseAddr(text))
				}
				return own, nil
			}}
			d.prepare()
			if c.public {
				d.ca.host = "acme-v02.api.letsencrypt.org"
			}
			_, findings := d.examineAddresses(t.Context(), domain)
			got := of(collect(findings), "dns")
			if len(got) != len(c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("got %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
	t.Run("silence is a fault", func(t *testing.T) {
		s := &nameServer{silent: map[string]bool{"A " + domain: true, "AAAA " + domain: true}}
		d := &Doctor{Resolvers: []string{s.start(t).addr}, Patience: 40 * time.Millisecond}
		d.prepare()
		_, findings := d.examineAddresses(t.Context(), domain)
		want(t, collect(findings), "dns", "fault: no address is to be had")
	})
}

func TestMachineAddresses(t *testing.T) {
	own, err := machineAddresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
			return
		}
	}
	t.Errorf("no loopback in %v", own)
}

func TestNames(t *testing.T) {
	d := new(Doctor)
	for domain, level := range map[string]int{"dock.example.org": -1, "localhost": int(Fault), "printer.local": int(Fault), "a.b.internal": int(Fault), "1.2.0.192.in-addr.arpa": int(Fault)} {
		d.ca.host = "acme-staging-v02.api.letsencrypt.org"
		got := d.examineName(domain)
		if level < 0 && len(got) != 0 || level >= 0 && (len(got) != 1 || int(got[0].Level) != level || got[0].Mend == "") {
			t.Errorf("%s: %+v", domain, got)
		}
	}
	d.ca.host = "ca.internal"
	if got := d.examineName("printer.local"); len(got) != 1 || got[0].Level != Note {
		t.Errorf("a CA of one's own: %+v", got)
	}
}
