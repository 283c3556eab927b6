package certs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// hostNames is IDNA's lookup profile (RFC 5891 §5) with DNS's limits: labels of 1 to 63
// octets, 253 in all, letters, digits and hyphens.
var hostNames = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.StrictDomainName(true),
	idna.VerifyDNSLength(true),
)

// asciiName returns name in the form in which names are signed and compared: lower
// case, A-labels (RFC 5890 §2.3.2.1), no trailing dot. A leading "*." is kept; a star
// anywhere else is an error (RFC 9525 §6.3).
func asciiName(name string) (string, error) {
	base, wild := strings.CutPrefix(strings.TrimSuffix(name, "."), "*.")
	ascii, err := hostNames.ToASCII(base)
	// ToASCII maps invalid UTF-8 to a replacement instead of refusing it, and lets an
	// empty label pass where the label it mapped from was not empty.
	if err != nil || !utf8.ValidString(name) || slices.Contains(strings.Split(ascii, "."), "") {
		return "", fmt.Errorf("%q is not a host name", name)
	}
	if wild {
		return "*." + ascii, nil
	}
	return ascii, nil
}

// baseName returns the name without its wildcard label.
func baseName(ascii string) string { return strings.TrimPrefix(ascii, "*.") }

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// splitNames sorts what a user gave as names into host names, as asciiName has them,
// and addresses.
func splitNames(given []string) (names []string, addrs []netip.Addr, err error) {
	for _, g := range given {
		if addr, err := netip.ParseAddr(g); err == nil {
			addrs = append(addrs, addr)
			continue
		}
		name, err := asciiName(g)
		if err != nil {
			return nil, nil, err
		}
		names = append(names, name)
	}
	return names, addrs, nil
}
