package observe

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Escape makes s, which an attacker may have written, fit for one line of a log or a
// terminal. Whatever is not printable is written as \xNN, a byte at a time: CR and LF
// (which would begin a line of the attacker's own), ESC, DEL and the C1 controls (which
// a terminal obeys), bad UTF-8, line separators and the marks that reorder text. The
// backslash is \x5c, so that two different inputs never look the same.
//
// Of an s longer than limitBytes only the beginning is kept, with a mark that names the
// number of bytes left out. The result is at most 4*limitBytes+32 bytes long.
func Escape(s string, limitBytes int) string {
	head := s
	if len(s) > limitBytes {
		head = s[:wholeRunes(s, limitBytes)]
	}
	clean := cleanBytes(head)
	if clean == len(s) {
		return s
	}
	b := make([]byte, 0, len(head)+32)
	b = append(b, head[:clean]...)
	b = appendEscaped(b, head[clean:])
	if left := len(s) - len(head); left > 0 {
		b = append(b, "…(+"...)
		b = strconv.AppendInt(b, int64(left), 10)
		b = append(b, " bytes)"...)
	}
	return string(b)
}

// wholeRunes is the largest cut at or below n that splits no valid rune of s.
func wholeRunes(s string, n int) int {
	for cut := n; cut > 0 && cut > n-utf8.UTFMax; cut-- {
		if utf8.RuneStart(s[cut]) {
			return cut
		}
	}
	return n
}

// cleanBytes counts the bytes of s before the first that needs escaping.
func cleanBytes(s string) int {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !plain(r, size) {
			return i
		}
		i += size
	}
	return len(s)
}

func appendEscaped(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if plain(r, size) {
			b = append(b, s[i:i+size]...)
		} else {
			for _, c := range []byte(s[i : i+size]) {
				b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
			}
		}
		i += size
	}
	return b
}

func plain(r rune, size int) bool {
	return r != '\\' && (r != utf8.RuneError || size > 1) && unicode.IsPrint(r)
}
