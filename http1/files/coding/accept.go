package coding

import "strings"

// A Coding is how content is encoded.
type Coding uint8

// The codings, the one before the other where a client likes both as much.
const (
	Identity Coding = iota // as it is
	Brotli
	Zstd
	Gzip
)

const codings = 4

// elementsRead is how long a list of codings may be. Browsers send 4; beyond this the
// field says nothing.
const elementsRead = 32

// String is the coding's name as Content-Encoding has it, "identity" for none.
func (c Coding) String() string {
	return [codings]string{"identity", "br", "zstd", "gzip"}[c]
}

// Extension is how the name of a file ends that holds another one in this coding.
func (c Coding) Extension() string {
	return [codings]string{"", ".br", ".zst", ".gz"}[c]
}

// unsaid is the quality of a coding that a client did not name.
const unsaid = -1

// Accepted is what a client accepts. The zero value is not one: [Parse] makes them.
type Accepted struct {
	thousandths [codings]int16 // 0 refuses
	implied     bool           // identity was not named: accepted, after all else
}

// Plain is what a client accepts that says nothing.
var Plain = Accepted{implied: true}

// Parse reads the value of Accept-Encoding. A malformed one counts as none was sent: the
// content then goes out as it is, which nobody fails to read.
func Parse(value string) Accepted {
	a := Accepted{thousandths: [codings]int16{unsaid, unsaid, unsaid, unsaid}}
	star := int16(unsaid)
	elements := 0
	for more := true; more; {
		var element string
		element, value, more = strings.Cut(value, ",")
		if element = strings.Trim(element, " \t"); element == "" {
			continue // an empty element of a list (RFC 9110 §5.6.1.2)
		}
		name, q, ok := parseElement(element)
		if elements++; !ok || elements > elementsRead {
			return Plain
		}
		if name == "*" {
			star = lower(star, q)
		} else if c, known := named(name); known {
			a.thousandths[c] = lower(a.thousandths[c], q)
		}
	}
	a.fill(star)
	return a
}

// fill gives what was not named the quality of "*", or that of RFC 9110 §12.5.3.
func (a *Accepted) fill(star int16) {
	for c := range a.thousandths {
		if a.thousandths[c] != unsaid {
			continue
		}
		a.thousandths[c] = max(star, 0)
		if Coding(c) == Identity && star == unsaid {
			a.implied = true
		}
	}
}

// lower is the lesser of two qualities for one name: who says both yes and no is given
// what he can surely read.
func lower(before, now int16) int16 {
	if before == unsaid {
		return now
	}
	return min(before, now)
}

// named finds a coding by its name; x-gzip is gzip (RFC 9110 §8.4.1.3).
func named(name string) (Coding, bool) {
	switch {
	case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
		return Gzip, true
	case strings.EqualFold(name, "br"):
		return Brotli, true
	case strings.EqualFold(name, "zstd"):
		return Zstd, true
	case strings.EqualFold(name, "identity"):
		return Identity, true
	}
	return 0, false
}

// parseElement reads a coding and its weight.
func parseElement(s string) (name string, thousandths int16, ok bool) {
	name, weight, weighted := strings.Cut(s, ";")
	if name = strings.TrimRight(name, " \t"); !isToken(name) {
		return "", 0, false
	}
	if !weighted {
		return name, 1000, true
	}
	weight = strings.TrimLeft(weight, " \t")
	if len(weight) < 2 || weight[0]|0x20 != 'q' || weight[1] != '=' {
		return "", 0, false
	}
	thousandths, ok = parseQuality(weight[2:])
	return name, thousandths, ok
}

// parseQuality reads a qvalue (RFC 9110 §12.4.2): 0 to 1 with at most three decimals.
func parseQuality(s string) (thousandths int16, ok bool) {
	whole, decimals, pointed := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 || pointed && whole == "" {
		return 0, false
	}
	thousandths = int16(whole[0]-'0') * 1000
	for i, worth := range [...]int16{100, 10, 1} {
		if i >= len(decimals) {
			break
		}
		d := decimals[i]
		if d < '0' || d > '9' {
			return 0, false
		}
		thousandths += int16(d-'0') * worth
	}
	return thousandths, thousandths <= 1000
}

// isToken tells whether s is a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// Accepts tells whether content in that coding may be sent.
func (a Accepted) Accepts(c Coding) bool {
	return a.thousandths[c] > 0 || c == Identity && a.implied
}

// Choose is the coding that the client likes best among identity and the offers, of equals
// the earlier offer, and identity last. It is false when the client refuses all of them,
// which takes "identity;q=0" or "*;q=0" (RFC 9110 §12.5.3).
func (a Accepted) Choose(offers ...Coding) (best Coding, ok bool) {
	best, ok = Identity, a.Accepts(Identity)
	quality := a.thousandths[Identity]
	for _, c := range offers {
		q := a.thousandths[c]
		if q > quality || q == quality && q > 0 && best == Identity {
			best, quality, ok = c, q, true
		}
	}
	return best, ok
}
