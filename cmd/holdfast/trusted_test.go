package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
)

func trusted(unix bool, prefixes ...string) trustedProxies {
	p := trustedProxies{Unix: unix}
	for _, text := range prefixes {
		p.Prefixes = append(p.Prefixes, netip.MustParsePrefix(text))
	}
	return p
}

func TestTrustedProxies(t *testing.T) {
	s := configured(t, testEnvironment(t), t.TempDir(), "--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "192.0.2.7",
		"--trusted-proxy", "2001:db8::/32", "--trusted-proxy", "::ffff:198.51.100.0/120")
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "11.0.0.0": false, "192.0.2.7": true, "192.0.2.8": false, "2001:db8:1::1": true, "2001:db9::1": false,
		"::ffff:10.1.2.3": true, "198.51.100.9": true, "198.51.101.9": false, "2001:db8::1%eth0": true,
	} {
		if got := s.TrustedProxies.Trusts(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: trusted is %v, want %v", addr, got, want)
		}
	}
	t.Run("peers on unix sockets are trusted by their word alone", func(t *testing.T) {
		if s.TrustedProxies.Trusts(netip.Addr{}) {
			t.Error("trusted without it")
		}
		s := configured(t, testEnvironment(t), t.TempDir(), "--trusted-proxy", "unix")
		if p := s.TrustedProxies; !p.Trusts(netip.Addr{}) || p.Trusts(netip.MustParseAddr("127.0.0.1")) {
			t.Errorf("%+v trusts others than unix peers", p)
		}
	})
	t.Run("nobody is trusted unless he is named", func(t *testing.T) {
		p := configured(t, testEnvironment(t), t.TempDir()).TrustedProxies
		if !p.none() || p.Trusts(netip.Addr{}) || p.Trusts(netip.MustParseAddr("127.0.0.1")) {
			t.Errorf("%+v trusts somebody", p)
		}
	})
}

func TestProxyProtocolSetting(t *testing.T) {
	file := writeFile(t, "holdfast.toml", "proxy-protocol = true\ntrusted-proxy = 'unix'\n")
	s := configured(t, testEnvironment(t), t.TempDir(), "--config", file)
	l := new(conn.Listener)
	s.receive(l)
	if !s.ProxyProtocol || l.Preface == nil || !l.Trusts(netip.Addr{}) || l.Trusts(netip.MustParseAddr("::1")) {
		t.Errorf("%+v, %+v", s.TrustedProxies, l)
	}
	l = new(conn.Listener)
	configured(t, testEnvironment(t), t.TempDir(), "--trusted-proxy", "::1").receive(l)
	if l.Preface != nil || !l.Trusts(netip.MustParseAddr("::1")) {
		t.Error("without the setting the header is looked for, or the proxy is not trusted")
	}
}

func TestTrustedProxyMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1/8":      `trusted-proxy "10.0.0.1/8" has bits below its mask (--trusted-proxy); write 10.0.0.0/8 for the network, or 10.0.0.1 for the address`,
		"10.0.0.0/33":     "is no network (--trusted-proxy); write 10.0.0.0/8, ",
		"localhost":       "is no network",
		"10.0.0":          "is no network",
		"":                "is empty",
		"fe80::1%eth0":    "has a zone",
		"::ffff:0:0/95":   "is a network of IPv4 and IPv6 addresses at once",
		"10.0.0.0/8,unix": "is no network",
	} {
		r := holdfast(t, testEnvironment(t), "serve", t.TempDir(), "--https", "127.0.0.1:0", "--trusted-proxy="+text)
		if r.exit != exitUsage || !strings.Contains(r.err, want) || len(lines(r.err)) != 1 {
			t.Errorf("%q: exit %d, %q, want one line with %q", text, r.exit, r.err, want)
		}
	}
}
