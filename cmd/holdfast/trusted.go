package main

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/proxyproto"
)

// trustedProxies are the peers that may say on whose behalf they connect.
type trustedProxies struct {
	Prefixes []netip.Prefix // masked, and IPv4 ones as such
	Unix     bool           // whoever may open one of our unix sockets
}

// Trusts tells whether addr is one of them. The zero Addr, which is not valid, is a peer
// on a unix socket.
func (p trustedProxies) Trusts(addr netip.Addr) bool {
	if !addr.IsValid() {
		return p.Unix
	}
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p.Prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// none tells that nobody is trusted.
func (p trustedProxies) none() bool { return len(p.Prefixes) == 0 && !p.Unix }

// unixPeers is the word for peers on unix sockets.
const unixPeers = "unix"

func (s *settings) readProxies(r *reader) {
	before := len(r.faults)
	s.TrustedProxies = r.trustedProxies()
	s.ProxyProtocol = r.toggle("proxy-protocol")
	if s.ProxyProtocol && s.TrustedProxies.none() && len(r.faults) == before {
		r.faults = append(r.faults, fault{
			What: "the PROXY protocol is on, and no proxy is trusted", Where: r.get("proxy-protocol").from,
			Why:  "whoever may send it can claim any address, so it is only taken from those that are named",
			Mend: "add --trusted-proxy with the proxy's address, or " + unixPeers + " for a unix socket", Usage: true,
		})
	}
}

// receive has a listener's connections from trusted proxies treated as such.
func (s *settings) receive(l *conn.Listener) {
	l.Trusts = s.TrustedProxies.Trusts
	if s.ProxyProtocol {
		l.Preface = proxyproto.Read
	}
}

func (r *reader) trustedProxies() (p trustedProxies) {
	texts, from := r.list("trusted-proxy")
	for _, text := range texts {
		if text == unixPeers {
			p.Unix = true
			continue
		}
		prefix, f := parsePrefix(text)
		if f != nil {
			r.refuse("trusted-proxy", text, from, f)
			continue
		}
		p.Prefixes = append(p.Prefixes, prefix)
	}
	return p
}

// parsePrefix reads a CIDR prefix, or an address as the prefix of that one alone.
func parsePrefix(text string) (netip.Prefix, *flaw) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil && strings.Contains(text, "%"):
		return netip.Prefix{}, &flaw{What: "has a zone", Why: "addresses are compared without theirs", Mend: "leave it out"}
	case err != nil:
		return netip.Prefix{}, &flaw{What: "is no network", Mend: "write 10.0.0.0/8, 2001:db8::/32, one address, or " + unixPeers + " for peers on unix sockets"}
	}
	if addr := prefix.Addr(); addr.Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, &flaw{What: "is a network of IPv4 and IPv6 addresses at once", Mend: "write the two apart"}
		}
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	// Nobody writes bits that do not count on purpose, and 10.1.2.3/8 trusts 16 million.
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, &flaw{
			What: "has bits below its mask", Mend: "write " + masked.String() + " for the network, or " + prefix.Addr().String() + " for the address",
		}
	}
	return prefix, nil
}
