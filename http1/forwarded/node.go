package forwarded

import (
	"net/netip"
	"strconv"
	"strings"
)

// parseNode reads a node (RFC 7239 §6): an address, with its port where that is a number,
// else with port 0. Node names that say nothing (unknown, and obfuscated ones) are
// well-formed and give no valid address. bare takes IPv6 addresses without brackets too,
// as they stand in X-Forwarded-For.
func parseNode(s string, bare bool) (client netip.AddrPort, ok bool) {
	if bare && strings.Count(s, ":") > 1 && s[0] != '[' {
		addr, ok := parseAddr(s)
		return netip.AddrPortFrom(addr, 0), ok
	}
	name, portText, hasPort := cutPort(s)
	port, ok := uint16(0), true
	if hasPort {
		port, ok = parsePort(portText)
	}
	switch {
	case !ok:
		return netip.AddrPort{}, false
	case sameFold(name, "unknown"), isObfuscated(name):
		return netip.AddrPort{}, true
	}
	addr, ok := parseName(name)
	return netip.AddrPortFrom(addr, port), ok
}

// cutPort cuts a node at the colon in front of its port.
func cutPort(s string) (name, port string, hasPort bool) {
	end := strings.IndexByte(s, ']') + 1 // an address in brackets has colons of its own
	name, port, hasPort = strings.Cut(s[end:], ":")
	return s[:end] + name, port, hasPort
}

// parseName reads an IPv4 address, or an IPv6 one in brackets.
func parseName(s string) (addr netip.Addr, ok bool) {
	inner, bracketed := strings.CutPrefix(s, "[")
	if bracketed {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	if bracketed != strings.Contains(inner, ":") {
		return netip.Addr{}, false
	}
	return parseAddr(inner)
}

// parseAddr reads an address. A zone means something on the proxy's own machine only. An
// IPv4 address in IPv6's clothes is one, or a rule for it would not meet it.
func parseAddr(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// parsePort reads a node-port: a number of up to five digits, or an obfuscated one, which
// counts as none.
func parsePort(s string) (port uint16, ok bool) {
	if isObfuscated(s) {
		return 0, true
	}
	if len(s) < 1 || len(s) > 5 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}

// isObfuscated tells whether s is an obfuscated identifier (RFC 7239 §6.3).
func isObfuscated(s string) bool {
	if len(s) < 2 || s[0] != '_' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// parseScheme reads the name of a scheme; "" for all but the two.
func parseScheme(s string) string {
	switch {
	case sameFold(s, "http"):
		return "http"
	case sameFold(s, "https"):
		return "https"
	}
	return ""
}
