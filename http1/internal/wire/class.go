package wire

// Bits of class: what a byte may be part of.
const (
	tokenByte  = 1 << iota // tchar, RFC 9110 §5.6.2
	targetByte             // what we let stand in a target as it is
	nameByte               // of a host name: RFC 3986 reg-name without "%" and ","
	digitByte              // DIGIT
	hexByte                // HEXDIG of either case
	textByte               // of a field value: HTAB, SP, VCHAR, obs-text
	quotedByte             // qdtext, RFC 9110 §5.6.4
)

// class maps each byte to what it may be part of.
var class = classes()

func classes() (t [256]uint8) {
	mark := func(bit uint8, set string) {
		for i := range len(set) {
			t[set[i]] |= bit
		}
	}
	const alpha = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const digit = "0123456789"
	mark(tokenByte, alpha+digit+"!#$%&'*+-.^_`|~")
	mark(nameByte, alpha+digit+"-._~"+"!$&'()*+;=")
	mark(digitByte, digit)
	mark(hexByte, digit+"abcdefABCDEF")
	mark(textByte|quotedByte, "\t")
	for c := ' '; c <= 0xFF; c++ {
		if c != 0x7F {
			t[c] |= textByte | quotedByte
		}
		if c > ' ' && c < 0x7F {
			t[c] |= targetByte
		}
	}
	for _, c := range `#<>"\` {
		t[c] &^= targetByte
	}
	t['"'] &^= quotedByte
	t['\\'] &^= quotedByte
	return t
}

func is(c byte, bit uint8) bool { return class[c]&bit != 0 }

// all tells whether b is one or more bytes of that class.
func all(b []byte, bit uint8) bool {
	for _, c := range b {
		if class[c]&bit == 0 {
			return false
		}
	}
	return len(b) > 0
}

// sameFold compares b with a lower-case ASCII name without regard to case (RFC 9110 §5.1).
// The bit that makes a letter small turns CR into "-" and others likewise, so it is set
// on letters only.
func sameFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// trim takes the optional whitespace from both ends of b (OWS, RFC 9110 §5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
