package files

import "strings"

// nameBytes is how long a decoded path may be: Linux's PATH_MAX, less its NUL. A longer
// one cannot exist.
const nameBytes = 4095

// A location is where a request's path points.
type location struct {
	name  string // decoded, slash-separated, without a leading or trailing slash; "" for the root
	slash bool   // the path ended in a slash
}

// parsePath takes the raw path of a request. It fails for a path that can name nothing
// here; the package's documentation lists the rules.
func parsePath(raw string) (p location, ok bool) {
	rest, ok := strings.CutPrefix(raw, "/")
	if !ok || len(raw) > 3*nameBytes {
		return location{}, false
	}
	name := make([]byte, 0, len(rest))
	for more := true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "" && !more {
			p.slash = true
			break
		}
		first := len(name) == 0
		if !first {
			name = append(name, '/')
		}
		start := len(name)
		if name, ok = appendDecoded(name, segment); !ok || !admitted(string(name[start:]), first) {
			return location{}, false
		}
	}
	p.name = string(name)
	return p, len(name) <= nameBytes
}

// admitted tells whether a decoded segment may be part of a name.
func admitted(segment string, first bool) bool {
	if segment == "" || strings.ContainsAny(segment, "/\\\x00") {
		return false
	}
	return segment[0] != '.' || first && segment == ".well-known"
}

// isReserved tells whether a decoded path is that of a reserved name in the root, or below it.
func isReserved(name, reserved string) bool {
	first, _, _ := strings.Cut(name, "/")
	return reserved != "" && strings.EqualFold(first, reserved)
}

// appendDecoded resolves the percent escapes of s (RFC 3986 §2.1).
func appendDecoded(dst []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			dst = append(dst, s[i])
			continue
		}
		if i+2 >= len(s) {
			return dst, false
		}
		high, low := unhex(s[i+1]), unhex(s[i+2])
		if high > 15 || low > 15 {
			return dst, false
		}
		dst = append(dst, high<<4|low)
		i += 2
	}
	return dst, true
}

// unhex is a hexadecimal digit's value, 255 for anything else.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// file is the name of the file to open: a directory's index.
func (p location) file() string {
	switch {
	case !p.slash:
		return p.name
	case p.name == "":
		return indexName
	}
	return p.name + "/" + indexName
}

// location is the relative reference from a directory without its slash to the one with
// it. The leading "./" keeps a colon in the name from ending a scheme (RFC 3986 §4.2).
func (p location) location(query string) string {
	last := p.name[strings.LastIndexByte(p.name, '/')+1:]
	ref := appendEscaped([]byte("./"), last, "-._~!$&'()*+,;=:@")
	ref = append(ref, '/')
	if query != "" {
		ref = appendEscaped(append(ref, '?'), query, "-._~!$&'()*+,;=:@/?%[]|^`{}")
	}
	return string(ref)
}

// appendEscaped writes s with every byte as a percent escape that is neither a letter, a
// digit nor one of plain.
func appendEscaped(dst []byte, s, plain string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if letter || '0' <= c && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}
