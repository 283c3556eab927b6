package forwarded

import (
	"net/netip"
	"strings"
)

// An element is one entry of Forwarded, as far as it matters here.
type element struct {
	client netip.AddrPort // not valid where for is missing, unknown or obfuscated
	scheme string         // "http", "https", or "" for another or none
}

// parseElement reads a forwarded-element (RFC 7239 §4), of which every part must be well-formed;
// ok is false, too, for one without any parameter. White space around a semicolon, which
// the grammar lacks and many a proxy writes, is passed over.
func parseElement(s string) (e element, ok bool) {
	var seen parameters
	for s != "" {
		s = trimLeft(s)
		if rest, empty := strings.CutPrefix(s, ";"); empty {
			s = rest
			continue
		}
		name, value, rest, ok := parsePair(s)
		if !ok || !seen.once(name) || !e.take(name, value) {
			return element{}, false
		}
		if s = trimLeft(rest); s != "" && s[0] != ';' {
			return element{}, false
		}
	}
	return e, seen != 0
}

// take notes a parameter's value.
func (e *element) take(name, value string) (ok bool) {
	switch {
	case sameFold(name, "for"):
		e.client, ok = parseNode(value, false)
		return ok
	case sameFold(name, "proto"):
		e.scheme = parseScheme(value)
	}
	return true
}

// parameters are those that an element has had already.
type parameters uint8

// once notes a parameter; it is false the second time (RFC 7239 §4). Of the extensions no
// account is kept: nothing depends on them.
func (p *parameters) once(name string) bool {
	bit := parameters(1)
	for i, known := range [...]string{"for", "proto", "by", "host"} {
		if sameFold(name, known) {
			bit = 2 << i
		}
	}
	twice := bit != 1 && *p&bit != 0
	*p |= bit
	return !twice
}

// parsePair reads token "=" value from the front of s.
func parsePair(s string) (name, value, rest string, ok bool) {
	name, rest = cutToken(s)
	if name == "" || rest == "" || rest[0] != '=' {
		return "", "", "", false
	}
	if rest = rest[1:]; strings.HasPrefix(rest, `"`) {
		value, rest, ok = cutQuoted(rest[1:])
		return name, value, rest, ok
	}
	value, rest = cutToken(rest)
	return name, value, rest, value != ""
}

// cutToken takes a token (RFC 9110 §5.6.2) off the front.
func cutToken(s string) (token, rest string) {
	n := 0
	for n < len(s) && isToken(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

// cutQuoted takes the rest of a quoted-string (RFC 9110 §5.6.4) off the front, whose first
// quote is gone. The parser of the head has let no control byte but TAB through.
func cutQuoted(s string) (text, rest string, ok bool) {
	var unescaped []byte // nil while text is a part of s
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			if unescaped != nil {
				return string(unescaped), s[i+1:], true
			}
			return s[:i], s[i+1:], true
		case '\\':
			if unescaped == nil {
				unescaped = append(make([]byte, 0, len(s)), s[:i]...)
			}
			if i++; i == len(s) {
				return "", "", false
			}
		}
		if unescaped != nil {
			unescaped = append(unescaped, s[i])
		}
	}
	return "", "", false
}

func isToken(c byte) bool {
	return isLetter(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func trimLeft(s string) string { return strings.TrimLeft(s, " \t") }

// sameFold compares s with a name in small letters without regard to the case of ASCII:
// for strings.EqualFold "httpſ" is https.
func sameFold(s, name string) bool {
	if len(s) != len(name) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != name[i] {
			return false
		}
	}
	return true
}
