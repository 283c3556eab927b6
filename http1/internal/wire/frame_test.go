package wire

import (
	"fmt"
	"strings"
	"testing"
)

// framingRows are a version and field lines; want is how the content ends.
var framingRows = []row{
	{"§6.3", "without either field there is no content", "1.1", nil, "none"},
	{"§6.2", "a length", "1.1\r\nContent-Length: 5", nil, "length 5"},
	{"§6.2", "of HTTP/1.0", "1.0\r\nContent-Length: 5", nil, "length 5"},
	{"§6.2", "of nothing is none", "1.1\r\nContent-Length: 0", nil, "none"},
	{"RFC 9110 §8.6", "leading zeros are digits", "1.1\r\nContent-Length: 003", nil, "length 3"},
	{"RFC 9110 §8.6", "however many", "1.1\r\nContent-Length: " + strings.Repeat("0", 40) + "3", nil, "length 3"},
	{"RFC 9110 §5.5", "whitespace around is not part of it", "1.1\r\nContent-Length: \t5 \t", nil, "length 5"},
	{"RFC 9110 §5.1", "the name has no case", "1.1\r\nconTENT-lenGTH: 5", nil, "length 5"},
	{"RFC 9110 §15.5.14", "as much as the limit passes", "1.1\r\nContent-Length: 1073741824", nil, "length 1073741824"},
	{"RFC 9110 §15.5.14", "more is refused before it is read", "1.1\r\nContent-Length: 1073741825", BodyTooLarge, ""},
	{"RFC 9110 §8.6", "up to 63 bits it is a number, if too large", "1.1\r\nContent-Length: 9223372036854775807", BodyTooLarge, ""},
	{"RFC 9110 §8.6", "beyond it is none", "1.1\r\nContent-Length: 9223372036854775808", LengthOverflow, ""},
	{"RFC 9110 §8.6", "beyond 64 bits too, where it would wrap to 1", "1.1\r\nContent-Length: 18446744073709551617", LengthOverflow, ""},
	{"RFC 9110 §8.6", "and far beyond", "1.1\r\nContent-Length: 1000000000000000000000", LengthOverflow, ""},
	{"§6.3", "two are refused", "1.1\r\nContent-Length: 5\r\nContent-Length: 6", DuplicateLength, ""},
	{"§6.3", "even the same twice", "1.1\r\nContent-Length: 5\r\ncontent-length: 5", DuplicateLength, ""},
	{"§6.3", "when the first is bad", "1.1\r\nContent-Length: x\r\nContent-Length: 5", DuplicateLength, ""},
	{"§6.3", "a list is refused", "1.1\r\nContent-Length: 5, 6", BadLength, ""},
	{"§6.3", "even of the same", "1.1\r\nContent-Length: 5, 5", BadLength, ""},
	{"§6.3", "without space", "1.1\r\nContent-Length: 5,5", BadLength, ""},
	{"§6.3", "with empty members", "1.1\r\nContent-Length: ,5", BadLength, ""},
	{"§6.2", "an empty one", "1.1\r\nContent-Length:", BadLength, ""},
	{"§6.2", "one of whitespace", "1.1\r\nContent-Length:  \t ", BadLength, ""},
	{"§6.2", "a plus sign", "1.1\r\nContent-Length: +5", BadLength, ""},
	{"§6.2", "a minus sign", "1.1\r\nContent-Length: -5", BadLength, ""},
	{"§6.2", "minus zero", "1.1\r\nContent-Length: -0", BadLength, ""},
	{"§6.2", "a space within", "1.1\r\nContent-Length: 4 2", BadLength, ""},
	{"§6.2", "a TAB within", "1.1\r\nContent-Length: 4\t2", BadLength, ""},
	{"§6.2", "hexadecimal", "1.1\r\nContent-Length: 0x5", BadLength, ""},
	{"§6.2", "octal", "1.1\r\nContent-Length: 0o5", BadLength, ""},
	{"§6.2", "an underscore", "1.1\r\nContent-Length: 1_0", BadLength, ""},
	{"§6.2", "an exponent", "1.1\r\nContent-Length: 1e1", BadLength, ""},
	{"§6.2", "a fraction", "1.1\r\nContent-Length: 5.0", BadLength, ""},
	{"§6.2", "letters", "1.1\r\nContent-Length: five", BadLength, ""},
	{"§6.2", "a quoted number", "1.1\r\nContent-Length: \"5\"", BadLength, ""},
	{"§6.2", "a parameter", "1.1\r\nContent-Length: 5;a", BadLength, ""},
	{"§6.2", "digits of another script", "1.1\r\nContent-Length: \u0665", BadLength, ""},
	{"§6.2", "a no-break space", "1.1\r\nContent-Length: \xa05", BadLength, ""},
	{"§6.2", "bad in HTTP/1.0 too", "1.0\r\nContent-Length: -5", BadLength, ""},

	{"§7.1", "chunked", "1.1\r\nTransfer-Encoding: chunked", nil, "chunks"},
	{"§7", "its name has no case", "1.1\r\nTransfer-Encoding: CHUNKed", nil, "chunks"},
	{"RFC 9110 §5.1", "nor has the field's", "1.1\r\ntransfer-ENCODING: chunked", nil, "chunks"},
	{"RFC 9110 §5.5", "whitespace around is not part of it", "1.1\r\nTransfer-Encoding: \tchunked \t", nil, "chunks"},
	{"§2.3", "HTTP/1.2 knows it", "1.2\r\nTransfer-Encoding: chunked", nil, "chunks"},
	{"§6.1", "HTTP/1.0 does not", "1.0\r\nTransfer-Encoding: chunked", CodingIn10, ""},
	{"§6.1", "nor another coding", "1.0\r\nTransfer-Encoding: identity", CodingIn10, ""},
	{"§6.3", "with a length it is refused", "1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", LengthAndCoding, ""},
	{"§6.3", "in either order", "1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", LengthAndCoding, ""},
	{"§6.3", "with a length of 0", "1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked", LengthAndCoding, ""},
	{"§6.3", "with a bad length", "1.1\r\nContent-Length: x\r\nTransfer-Encoding: chunked", LengthAndCoding, ""},
	{"§6.3", "with an unknown coding", "1.1\r\nContent-Length: 5\r\nTransfer-Encoding: identity", LengthAndCoding, ""},
	{"§6.3", "with an empty coding", "1.1\r\nContent-Length: 5\r\nTransfer-Encoding:", LengthAndCoding, ""},
	{"§6.3", "in HTTP/1.0", "1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", LengthAndCoding, ""},
	{"§6.3", "in varying case", "1.1\r\ncontent-LengtH: 5\r\nTransFer-Encoding: chunked", LengthAndCoding, ""},
	{"§6.1", "twice is refused", "1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", DuplicateCoding, ""},
	{"§6.1", "with another coding first", "1.1\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked", DuplicateCoding, ""},
	{"§6.1", "with another coding last", "1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity", DuplicateCoding, ""},
	{"§6.1", "with an empty one", "1.1\r\nTransfer-Encoding:\r\nTransfer-Encoding: chunked", DuplicateCoding, ""},
	{"§6.1", "a list is refused", "1.1\r\nTransfer-Encoding: gzip, chunked", BadCoding, ""},
	{"§6.1", "chunked not final", "1.1\r\nTransfer-Encoding: chunked, gzip", BadCoding, ""},
	{"§6.1", "chunked twice in a list", "1.1\r\nTransfer-Encoding: chunked, chunked", BadCoding, ""},
	{"§6.1", "a comma in front", "1.1\r\nTransfer-Encoding: ,chunked", BadCoding, ""},
	{"§6.1", "a comma behind", "1.1\r\nTransfer-Encoding: chunked,", BadCoding, ""},
	{"§6.1", "an empty one", "1.1\r\nTransfer-Encoding:", BadCoding, ""},
	{"§6.1", "one of whitespace", "1.1\r\nTransfer-Encoding:  ", BadCoding, ""},
	{"§7", "a parameter", "1.1\r\nTransfer-Encoding: chunked;a=b", BadCoding, ""},
	{"§7", "an empty parameter", "1.1\r\nTransfer-Encoding: chunked;", BadCoding, ""},
	{"§7", "quotation marks", "1.1\r\nTransfer-Encoding: \"chunked\"", BadCoding, ""},
	{"§7", "a word beside it", "1.1\r\nTransfer-Encoding: chunked x", BadCoding, ""},
	{"§7", "a word before it", "1.1\r\nTransfer-Encoding: x chunked", BadCoding, ""},
	{"§7", "a TAB within", "1.1\r\nTransfer-Encoding: chun\tked", BadCoding, ""},
	{"§7", "a vertical tab in front", "1.1\r\nTransfer-Encoding: \vchunked", BadFieldValue, ""},
	{"§7", "a form feed behind", "1.1\r\nTransfer-Encoding: chunked\f", BadFieldValue, ""},
	{"§7", "a NUL behind", "1.1\r\nTransfer-Encoding: chunked\x00", BadFieldValue, ""},
	{"§7", "a no-break space in front", "1.1\r\nTransfer-Encoding: \xa0chunked", BadCoding, ""},
	{"§7", "brackets", "1.1\r\nTransfer-Encoding: [chunked]", BadCoding, ""},
	{"§7", "a colon", "1.1\r\nTransfer-Encoding: :chunked", BadCoding, ""},
	{"§5.2", "on a folded line", "1.1\r\nTransfer-Encoding:\r\n chunked", ObsFold, ""},
	{"§5.2", "behind a folded line", "1.1\r\nTransfer-Encoding: chunked\r\n , gzip", ObsFold, ""},
	{"§5.1", "with a space before the colon", "1.1\r\nTransfer-Encoding : chunked", SpaceBeforeColon, ""},
	{"§5.1", "with a length and a space before its colon", "1.1\r\nContent-Length: 5\r\nTransfer-Encoding : chunked", SpaceBeforeColon, ""},
	{"§6.1", "one other coding is not implemented", "1.1\r\nTransfer-Encoding: gzip", UnknownCoding, ""},
	{"§6.1", "identity is none any more", "1.1\r\nTransfer-Encoding: identity", UnknownCoding, ""},
	{"§6.1", "a word that ends like it", "1.1\r\nTransfer-Encoding: xchunked", UnknownCoding, ""},
	{"§6.1", "a word that begins like it", "1.1\r\nTransfer-Encoding: chunkedchunked", UnknownCoding, ""},
	{"RFC 9110 §5.1", "a name that is not quite ours is another's", "1.1\r\nTransfer_Encoding: chunked", nil, "none"},
	{"RFC 9110 §5.1", "nor one with a letter more", "1.1\r\nTransfer-Encodings: chunked\r\nXContent-Length: 5", nil, "none"},
	{"§6.3", "GET may have content", "1.1\r\nContent-Length: 1", nil, "length 1"},
}

func TestFraming(t *testing.T) {
	checkHeads(t, framingRows,
		func(in string) string {
			version, fields, _ := strings.Cut(in, "\r\n")
			if fields != "" {
				fields += "\r\n"
			}
			return "GET / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n"
		},
		func(h *Head) string {
			switch h.Framing {
			case NoBody:
				return "none"
			case Length:
				return fmt.Sprint("length ", h.ContentLength)
			case Chunks:
				return "chunks"
			}
			return "?"
		})
}

func TestBodyLimit(t *testing.T) {
	lim := DefaultLimits()
	raw := []byte("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
	t.Run("a limit of 0 allows no content", func(t *testing.T) {
		none := lim
		none.BodyBytes = 0
		var h Head
		if r := h.Parse(raw, &none); r != BodyTooLarge {
			t.Error(r)
		}
	})
	t.Run("a refusal has the head's fields, for the log", func(t *testing.T) {
		none := lim
		none.BodyBytes = 0
		var h Head
		h.Parse(raw, &none)
		if v, ok := h.Lookup("host"); !ok || string(v) != "a" || string(h.Path) != "/" {
			t.Errorf("host %q, path %q", v, h.Path)
		}
	})
}
