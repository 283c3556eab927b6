package account

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

const (
	// NameMostBytes bounds a name, before its normal form and in it.
	NameMostBytes = 64
	// EmailMostBytes bounds an e-mail address (RFC 5321 §4.5.3.1.3, less the brackets).
	EmailMostBytes = 254
)

// An Invalid is what is wrong with something that a person typed, told to that person. It does
// not quote it.
type Invalid struct {
	Field string // "name", "password", "email", "invite": as the form has it
	Text  string // a sentence for people
}

func (e *Invalid) Error() string { return "account: " + e.Field + ": " + e.Text }

// A Name is a member's name.
type Name struct {
	// Key is the normal form: PRECIS's UsernameCaseMapped (RFC 8265 §3.3), with
	// every sigma the same. Two names with one
	// key are one member's. It is the session's subject.
	Key string
	// Shown is how the member wrote it.
	Shown string
}

// ParseName takes what somebody typed as a name: 1 to 64 bytes, of letters, digits and the
// printable ASCII (RFC 8264 §4.2) but the slash, which separates a store's keys, and without a
// hyphen at its beginning, where a command line has its options. Space around it goes. Letters
// of Latin, Greek and Cyrillic look alike and are not mixed (RFC 8264 §12.5). The error is an
// [*Invalid].
func ParseName(text string) (Name, error) {
	shown := strings.TrimSpace(text)
	switch {
	case shown == "":
		return Name{}, &Invalid{"name", "Enter a name."}
	case len(shown) > NameMostBytes:
		return Name{}, &Invalid{"name", "A name has at most 64 bytes."}
	}
	key, err := precis.UsernameCaseMapped.String(shown)
	if err == nil { // what was mapped may map once more, and a key maps to itself
		key, err = precis.UsernameCaseMapped.String(key)
	}
	// Two letters to Unicode and one to Greeks: which it is depends on whether capitals were typed.
	key = strings.ReplaceAll(key, "\u03c2", "\u03c3")
	switch {
	case err != nil || key == "":
		return Name{}, &Invalid{"name", "A name is made of letters, digits and signs, without spaces."}
	case len(key) > NameMostBytes:
		return Name{}, &Invalid{"name", "A name has at most 64 bytes."}
	case strings.Contains(key, "/"):
		return Name{}, &Invalid{"name", "A name has no slash in it."}
	case key[0] == '-':
		return Name{}, &Invalid{"name", "A name does not begin with a hyphen."}
	case mixed(key):
		return Name{}, &Invalid{"name", "A name has letters of one alphabet: Latin, Greek or Cyrillic."}
	}
	return Name{Key: key, Shown: shown}, nil
}

// mixed tells whether a name has letters of two alphabets that are mistaken for each other.
func mixed(name string) bool {
	alphabets := 0
	for _, one := range []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic} {
		if strings.ContainsFunc(name, func(c rune) bool { return unicode.Is(one, c) }) {
			alphabets++
		}
	}
	return alphabets > 1
}

// ParseEmail takes an optional e-mail address, without a display name (RFC 5322 §3.4.1, as
// net/mail reads it). An empty one is none. Whether it is the member's, nobody has asked. The
// error is an [*Invalid].
func ParseEmail(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	if len(text) > EmailMostBytes || !utf8.ValidString(text) || strings.ContainsFunc(text, isControl) {
		return "", &Invalid{"email", "This is no e-mail address."}
	}
	a, err := mail.ParseAddress(text)
	if err != nil || a.Name != "" || a.Address != text {
		return "", &Invalid{"email", "This is no e-mail address: it should look like name@example.org."}
	}
	return a.Address, nil
}

func isControl(c rune) bool { return c < ' ' || c >= 0x7F && c < 0xA0 }
