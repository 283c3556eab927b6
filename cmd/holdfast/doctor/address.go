package doctor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// addressesLimit is how many addresses of a name are looked at, of each kind.
const addressesLimit = 8

// noPublicName are top-level domains that public DNS will never have (RFC 6761, RFC 2606,
// RFC 6762, RFC 8375, and ICANN's "internal").
var noPublicName = []string{"localhost", "local", "internal", "test", "example", "invalid", "onion", "arpa", "lan", "home", "corp"}

// examineName looks whether a public CA could issue for the name at all.
func (d *Doctor) examineName(domain string) []Finding {
	c := chart{check: "name", domain: domain}
	last := domain[strings.LastIndexByte(domain, '.')+1:]
	if last != domain && !slices.Contains(noPublicName, last) {
		return nil
	}
	if d.ca.isPublic() {
		c.fault("name one that public DNS has; the local CA of holdfast serve is for the others", "no public CA issues for %s", domain)
	} else {
		c.note("", "no public CA issues for %s", domain)
	}
	return c.findings
}

// examineAddresses looks up the name's addresses and whether they are this machine's.
func (d *Doctor) examineAddresses(ctx context.Context, domain string) ([]netip.Addr, []Finding) {
	c := chart{check: "dns", domain: domain}
	v4, err4 := d.addresses(ctx, domain, dnsmessage.TypeA)
	v6, err6 := d.addresses(ctx, domain, dnsmessage.TypeAAAA)
	switch {
	case isRcode(err4, dnsmessage.RCodeNameError):
		c.fault("make an A record for it, with this host's public address", "there is no such name (NXDOMAIN)")
		return nil, c.findings
	case err4 != nil && len(v6) == 0:
		c.fault("see whether the domain's name servers answer, or ask another resolver with --resolver", "no address is to be had: %v", err4)
		return nil, c.findings
	case err4 != nil:
		c.warning("see whether the domain's name servers answer", "the A records are not to be had: %v", err4)
	}
	if err6 != nil {
		c.warning("see whether the domain's name servers answer: a CA that gets no word about AAAA may refuse", "the AAAA records are not to be had: %v", err6)
	}
	if len(v4)+len(v6) == 0 && err4 == nil && err6 == nil {
		c.fault("make an A record for it, with this host's public address", "the name has neither an A nor an AAAA record")
	}
	all := append(v4, v6...)
	for _, addr := range all {
		d.placeAddress(&c, addr)
	}
	return all, c.findings
}

func (d *Doctor) addresses(ctx context.Context, domain string, kind dnsmessage.Type) (addrs []netip.Addr, err error) {
	records, err := d.dns.lookup(ctx, domain, kind)
	for _, r := range records[:min(len(records), addressesLimit)] {
		switch r := r.(type) {
		case *dnsmessage.AResource:
			addrs = append(addrs, netip.AddrFrom4(r.A))
		case *dnsmessage.AAAAResource:
			addrs = append(addrs, netip.AddrFrom16(r.AAAA))
		}
	}
	return addrs, err
}

// placeAddress says whose an address of the name is.
func (d *Doctor) placeAddress(c *chart, addr netip.Addr) {
	kind := "A"
	if addr.Is6() {
		kind = "AAAA"
	}
	here := slices.Contains(d.own, addr.Unmap())
	switch {
	case !isPublic(addr) && d.ca.isPublic():
		c.fault("put this host's public address into the "+kind+" record", "%s %v is no public address: a public CA cannot reach it", kind, addr)
	case here:
		c.ok("%s %v is this machine's", kind, addr)
	case !d.hasPublic(addr.Is6()) && addr.Is4():
		c.note("", "%s %v is not this machine's, which has no public address: it is behind NAT or a load balancer", kind, addr)
	case addr.Is6():
		c.warning("correct or remove the AAAA record: CAs try IPv6 first", "AAAA %v is not this machine's%s", addr, d.ownText(true))
	default:
		c.warning("correct the A record, unless a load balancer or proxy of yours is there", "A %v is not this machine's%s", addr, d.ownText(false))
	}
}

func (d *Doctor) hasPublic(six bool) bool {
	return slices.ContainsFunc(d.own, func(a netip.Addr) bool { return a.Is6() == six && isPublic(a) })
}

// ownText lists the machine's public addresses of a kind.
func (d *Doctor) ownText(six bool) string {
	var texts []string
	for _, a := range d.own {
		if a.Is6() == six && isPublic(a) {
			texts = append(texts, a.String())
		}
	}
	if len(texts) == 0 {
		return ", which has none that is public"
	}
	return ", which has " + strings.Join(texts[:min(len(texts), addressesLimit)], ", ")
}

// carrierNAT is shared address space (RFC 6598).
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// isPublic tells whether an address can be reached from everywhere, as far as it shows.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !carrierNAT.Contains(a)
}

// machineAddresses are those of the interfaces.
func machineAddresses() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range found {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, prefix.Addr().Unmap())
		}
	}
	return addrs, nil
}
