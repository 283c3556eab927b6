package forwarded

import "net/netip"

// readForwarded walks the lines of Forwarded.
func readForwarded(lines []string, trusts func(netip.Addr) bool) (v verdict) {
	entries := list{lines: lines, quoted: true}
	for {
		entry, ok := entries.next()
		if !ok {
			return v
		}
		e, ok := parseElement(entry)
		if !ok {
			return v
		}
		v.scheme = e.scheme // whoever wrote it is trusted, also when he does not name his client
		if !e.client.IsValid() {
			return v
		}
		v.client = e.client
		if !trusts(e.client.Addr()) {
			return v
		}
	}
}

// readXForwarded walks the lines of X-Forwarded-For, and finds the scheme in those of
// X-Forwarded-Proto.
func readXForwarded(lines, protoLines []string, trusts func(netip.Addr) bool) (v verdict) {
	entries, place := list{lines: lines}, 0
	for at := 0; ; at++ {
		entry, ok := entries.next()
		if !ok {
			break
		}
		client, ok := parseNode(entry, true)
		if !ok {
			break
		}
		place = at
		if !client.IsValid() {
			break
		}
		v.client = client
		if !trusts(client.Addr()) {
			break
		}
	}
	v.scheme = schemeAt(protoLines, place)
	return v
}

// schemeAt is the scheme at that place from the right, at 0 when there is none.
func schemeAt(lines []string, place int) string {
	entries, rightmost := list{lines: lines}, ""
	for at := 0; at <= place; at++ {
		entry, ok := entries.next()
		if !ok {
			break
		}
		if at == 0 {
			rightmost = entry
		}
		if at == place {
			return parseScheme(entry)
		}
	}
	return parseScheme(rightmost)
}
