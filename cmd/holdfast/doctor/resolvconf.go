package doctor

import (
	"net"
	"net/netip"
	"os"
	"strings"
)

// resolversLimit is the number that the C library heeds (MAXNS).
const resolversLimit = 3

// SystemResolvers are the servers of the resolv.conf at path, each host:port.
func SystemResolvers(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var servers []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" || len(servers) == resolversLimit {
			continue
		}
		if addr, err := netip.ParseAddr(words[1]); err == nil {
			servers = append(servers, net.JoinHostPort(addr.String(), "53"))
		}
	}
	return servers, nil
}
