package certs

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// scope is what a CA's name constraints permit: each domain with all below it, and
// ranges of addresses. An empty list permits everything of its kind, as in RFC 5280.
type scope struct {
	domains []string
	ranges  []netip.Prefix
}

// A stolen local CA must not be able to pose as any site of the public internet, and
// yet a name that comes up next month should not need a new CA, to be trusted afresh
// in every browser. So it is permitted, from the start, all names that public DNS does
// not have and all addresses that the public internet does not route.
var (
	// RFC 6761 (localhost, test), RFC 6762 (local), RFC 8375 (home.arpa), and
	// internal, which ICANN reserved for private use in 2024.
	privateDomains = []string{"localhost", "local", "test", "internal", "home.arpa"}

	// RFC 1918, RFC 6598 (carrier NAT, used by overlay networks), RFC 3927, RFC 1122;
	// RFC 4193, RFC 4291.
	privateRanges = []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("100.64.0.0/10"),
		netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("fe80::/10"),
		netip.MustParsePrefix("fc00::/7"),
	}
)

// newScope is the private names and addresses and those given. A domain cannot be
// permitted without what is below it: a machine called "dev" gives its CA all of .dev.
func newScope(names []string, addrs []netip.Addr) scope {
	s := scope{domains: slices.Clone(privateDomains), ranges: slices.Clone(privateRanges)}
	for _, name := range names {
		if !s.hasName(name) {
			s.domains = append(s.domains, baseName(name))
		}
	}
	for _, addr := range addrs {
		if addr = addr.Unmap().WithZone(""); !addr.IsUnspecified() && !s.hasAddr(addr) {
			s.ranges = append(s.ranges, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	return s
}

// scope reads the constraints back out of the CA's certificate.
func (ca *CA) scope() scope {
	s := scope{domains: ca.cert.PermittedDNSDomains}
	for _, n := range ca.cert.PermittedIPRanges {
		addr, ok := netip.AddrFromSlice(n.IP)
		if bits, _ := n.Mask.Size(); ok {
			s.ranges = append(s.ranges, netip.PrefixFrom(addr, bits))
		}
	}
	return s
}

func (s scope) hasName(ascii string) bool {
	name := baseName(ascii)
	for _, d := range s.domains {
		if above, ok := strings.CutSuffix(name, d); ok && (above == "" || strings.HasSuffix(above, ".")) {
			return true
		}
	}
	return len(s.domains) == 0
}

func (s scope) hasAddr(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, r := range s.ranges {
		if r.Contains(addr) {
			return true
		}
	}
	return len(s.ranges) == 0
}

func (s scope) ipNets() []*net.IPNet {
	nets := make([]*net.IPNet, 0, len(s.ranges))
	for _, r := range s.ranges {
		nets = append(nets, &net.IPNet{
			IP:   r.Masked().Addr().AsSlice(),
			Mask: net.CIDRMask(r.Bits(), r.Addr().BitLen()),
		})
	}
	return nets
}

// String lists what is permitted, for an error that has to explain it.
func (s scope) String() string {
	parts := make([]string, 0, len(s.domains)+len(s.ranges))
	for _, d := range s.domains {
		parts = append(parts, d, "*."+d)
	}
	for _, r := range s.ranges {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, ", ")
}
