package wire

import "bytes"

// applyHost checks the Host field and finds the authority (RFC 9112 §3.2 and §3.3). Host
// must be valid even where the target's authority wins: whoever routes by it must not
// see something else than a host.
func (h *Head) applyHost(c *control) *Reason {
	switch {
	case c.hosts > 1:
		return DuplicateHost
	case c.hosts == 0 && h.Minor > 0:
		return MissingHost
	case c.hosts == 0:
		return nil
	case !validAuthority(c.host):
		return BadHost
	}
	if h.Authority == nil {
		h.Authority = c.host
	}
	return nil
}

// validAuthority tells whether a is uri-host [ ":" port ] (RFC 3986 §3.2) as we take it:
// the host not empty, the port empty or at most 65535.
func validAuthority(a []byte) bool {
	if len(a) > 0 && a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		return end > 0 && validIPv6(a[1:end]) && validPort(a[end+1:])
	}
	i := 0
	for i < len(a) && class[a[i]]&nameByte != 0 {
		i++
	}
	return i > 0 && validPort(a[i:])
}

// validPort takes what follows the host: nothing, or a colon and any digits. Leading zeros
// are read as the number they make.
func validPort(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	if p[0] != ':' {
		return false
	}
	port := 0
	for _, c := range p[1:] {
		if !is(c, digitByte) {
			return false
		}
		if port = port*10 + int(c-'0'); port > 65535 {
			return false
		}
	}
	return true
}

// validIPv6 tells whether a is an IPv6address (RFC 3986 §3.2.2): eight groups, "::" once
// for one or more of them, an IPv4 address for the last two. No zone: it means nothing to
// anybody but its sender (RFC 6874 §1).
func validIPv6(a []byte) bool {
	groups, gap := 0, false
	if bytes.HasPrefix(a, []byte("::")) {
		gap, a = true, a[2:]
	}
	for len(a) > 0 {
		n := hexDigits(a)
		if n < len(a) && a[n] == '.' {
			groups += 2
			return validIPv4(a) && complete(groups, gap)
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		if a = a[n:]; len(a) == 0 {
			break
		}
		if len(a) < 2 || a[0] != ':' {
			return false
		}
		if a = a[1:]; a[0] == ':' {
			if gap {
				return false
			}
			gap, a = true, a[1:]
		}
	}
	return complete(groups, gap)
}

// complete tells whether so many groups make an address; a gap stands for at least one.
func complete(groups int, gap bool) bool {
	return groups == 8 && !gap || groups < 8 && gap
}

func hexDigits(a []byte) int {
	n := 0
	for n < len(a) && is(a[n], hexByte) {
		n++
	}
	return n
}

// validIPv4 tells whether a is four decimal numbers up to 255 without leading zeros, which
// some read as octal (RFC 3986 §7.4).
func validIPv4(a []byte) bool {
	for part := range 4 {
		n, v := 0, 0
		for n < len(a) && n < 4 && is(a[n], digitByte) {
			v = v*10 + int(a[n]-'0')
			n++
		}
		if n == 0 || v > 255 || n > 1 && a[0] == '0' {
			return false
		}
		a = a[n:]
		if part == 3 {
			break
		}
		if len(a) == 0 || a[0] != '.' {
			return false
		}
		a = a[1:]
	}
	return len(a) == 0
}
