package files

// Lengths of what {hash} stands for, in characters: shorter ones are words too often.
const (
	hashLeast = 8
	hashMost  = 64
)

// A hashed is what is known of the characters so far of what may be a hash.
type hashed struct {
	length   int
	small    bool // there is a small letter
	capital  bool // there is a capital
	inner    bool // there is one behind the first character
	joined   bool // there is "-" or "_"
	foreign  bool // there is a letter beyond hexadecimal digits
	numbers  int  // places of digits
	inNumber bool
}

// add takes another character, unless no hash has it.
func (h *hashed) add(c byte) bool {
	digit := '0' <= c && c <= '9'
	switch {
	case digit:
		if !h.inNumber {
			h.numbers++
		}
	case 'a' <= c && c <= 'z':
		h.small = true
		h.foreign = h.foreign || c > 'f'
	case 'A' <= c && c <= 'Z':
		h.capital = true
		h.inner = h.inner || h.length > 0
		h.foreign = h.foreign || c > 'F'
	case c == '-' || c == '_':
		h.joined = true
	default:
		return false
	}
	h.inNumber = digit
	h.length++
	return true
}

// isHash tells a hash from words and dates, by what the usual tools write: hexadecimal digits
// (webpack, Parcel), base64url (Vite, Rollup), base 36 (Rollup), and 8 characters of base 32 (esbuild).
func (h *hashed) isHash() bool {
	switch {
	case h.length < hashLeast || !h.small && !h.capital:
		return false
	case h.numbers > 0 && !h.foreign && !h.joined && h.small != h.capital:
		return true // hexadecimal
	case h.small && h.inner:
		return h.numbers > 0 || h.length == hashLeast // base64url
	case h.small:
		return h.numbers > 1 && !h.joined // base 36
	}
	return h.length == hashLeast && !h.joined // base 32
}
