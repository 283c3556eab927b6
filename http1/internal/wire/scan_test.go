package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// small makes limits reachable with short lines.
func small() Limits {
	lim := DefaultLimits()
	lim.HeadBytes, lim.LineBytes, lim.MethodBytes, lim.Fields = 100, 40, 8, 3
	return lim
}

// scanRows run under small limits. want is "more" or what follows the head.
var scanRows = []row{
	{"§2.1", "an empty line ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", nil, "rest"},
	{"§2.1", "a head may have no fields", "GET / HTTP/1.0\r\n\r\n", nil, ""},
	{"§2.1", "the first empty line ends it, whatever follows", "GET / HTTP/1.1\r\n\r\n\r\n\r\n", nil, "\r\n\r\n"},
	{"§9.3.2", "a pipelined request is left alone", "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n", nil, "GET /2 HTTP/1.1\r\n\r\n"},
	{"§2.1", "no bytes need more", "", nil, "more"},
	{"§2.1", "half a method needs more", "G", nil, "more"},
	{"§2.1", "half a target needs more", "GET /hel", nil, "more"},
	{"§2.1", "half a version needs more", "GET / HTTP", nil, "more"},
	{"§2.1", "a CR needs its LF", "GET / HTTP/1.1\r", nil, "more"},
	{"§2.1", "a request line needs more", "GET / HTTP/1.1\r\n", nil, "more"},
	{"§2.1", "half a field needs more", "GET / HTTP/1.1\r\nHo", nil, "more"},
	{"§2.1", "a field line needs more", "GET / HTTP/1.1\r\nHost: a\r\n", nil, "more"},
	{"§2.1", "half of the empty line needs more", "GET / HTTP/1.1\r\nHost: a\r\n\r", nil, "more"},

	{"§2.2", "one empty line before the request line is skipped", "\r\nGET / HTTP/1.1\r\n\r\n", nil, ""},
	{"§2.2", "a lone CR in front may become one", "\r", nil, "more"},
	{"§2.2", "an empty line in front needs more", "\r\n", nil, "more"},
	{"§2.2", "a second one is refused", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", LeadingLines, ""},
	{"§2.2", "a second one is refused at its CR", "\r\n\r", LeadingLines, ""},
	{"§2.2", "a bare LF in front is refused", "\nGET / HTTP/1.1\r\n\r\n", BareLF, ""},
	{"§2.2", "a bare LF behind an empty line is refused", "\r\n\n", BareLF, ""},
	{"§2.2", "a bare CR in front is refused", "\rGET / HTTP/1.1\r\n\r\n", BareCR, ""},

	{"§2.2", "a bare LF behind the method is refused", "GET\n", BareLF, ""},
	{"§2.2", "a bare LF ending the request line is refused", "GET / HTTP/1.1\n", BareLF, ""},
	{"§2.2", "a bare LF in the target is refused", "GET /a\nb", BareLF, ""},
	{"§2.2", "a bare LF ending a field is refused", "GET / HTTP/1.1\r\nHost: a\n", BareLF, ""},
	{"§2.2", "a bare LF as the empty line is refused", "GET / HTTP/1.1\r\nHost: a\r\n\n", BareLF, ""},
	{"§2.2", "a bare CR in the request line is refused", "GET /\rHTTP/1.1", BareCR, ""},
	{"§2.2", "a bare CR in a field is refused", "GET / HTTP/1.1\r\nHost: a\rX", BareCR, ""},
	{"§2.2", "CR CR LF is refused", "GET / HTTP/1.1\r\r\n", BareCR, ""},
	{"§2.2", "a bare CR as the empty line is refused", "GET / HTTP/1.1\r\n\rX", BareCR, ""},
	{"§2.2", "of two faults the first is named, CR before LF", "GET / HTTP/1.1\r\na\rb\nc", BareCR, ""},
	{"§2.2", "of two faults the first is named, LF before CR", "GET / HTTP/1.1\r\na\nb\rc", BareLF, ""},

	{"RFC 9110 §9.1", "a method cannot begin with a space", " GET / HTTP/1.1", BadMethod, ""},
	{"RFC 9110 §9.1", "a NUL is not a method", "\x00", BadMethod, ""},
	{"RFC 9110 §9.1", "a byte above 0x7F is not a method", "\xff\xfe", BadMethod, ""},
	{"RFC 9110 §9.1", "a method ends at its first delimiter", "GE(T /", BadMethod, ""},
	{"RFC 9110 §9.1", "a TAB does not end a method", "GET\t/", BadMethod, ""},
	{"RFC 8446 §5.1", "a TLS hello is known by its first byte", "\x16\x03\x01\x02\x00", TLSOnPlain, ""},
	{"RFC 8446 §5.1", "but only as the first byte", "\r\n\x16\x03", BadMethod, ""},
	{"§3", "a line that is only a method is refused at its end", "SSH-2.0\r", BadRequestLine, ""},

	{"§3", "a method of the limit passes", "ABCDEFGH / HTTP/1.1\r\n\r\n", nil, ""},
	{"§3", "a longer one is refused at its ninth byte", "ABCDEFGHI", MethodTooLong, ""},
	{"§3", "a request line of the limit passes", "GET /" + strings.Repeat("a", 26) + " HTTP/1.1\r\n\r\n", nil, ""},
	{"§3", "a longer one is refused", "GET /" + strings.Repeat("a", 27) + " HTTP/1.1\r\n\r\n", RequestLineTooLong, ""},
	{"§3", "an endless one is refused at the limit", "GET /" + strings.Repeat("a", 36), RequestLineTooLong, ""},
	{"§3", "a bare LF within the limit comes before its length", "GET /\n" + strings.Repeat("a", 60), BareLF, ""},
	{"§3", "its length comes before a bare LF beyond the limit", "GET /" + strings.Repeat("a", 60) + "\n", RequestLineTooLong, ""},
	{"§3", "its length comes before a bare CR beyond the limit", "GET /" + strings.Repeat("a", 60) + "\ra", RequestLineTooLong, ""},

	{"RFC 6585 §5", "as many fields as the limit pass", "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\n\r\n", nil, ""},
	{"RFC 6585 §5", "one more is refused at its first byte", "GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd", TooManyFields, ""},
	{"RFC 6585 §5", "a head of the limit passes", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 77) + "\r\n\r\n", nil, ""},
	{"RFC 6585 §5", "a larger one is refused", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 78) + "\r\n\r\n", HeadTooLarge, ""},
	{"RFC 6585 §5", "an endless field is refused at the limit", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 81), HeadTooLarge, ""},
	{"RFC 6585 §5", "the empty line in front counts", "\r\nGET / HTTP/1.1\r\nA: " + strings.Repeat("a", 76) + "\r\n\r\n", HeadTooLarge, ""},
	{"RFC 6585 §5", "one byte less needs more", "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", 80), nil, "more"},
}

func TestScan(t *testing.T) {
	lim := small()
	for _, row := range scanRows {
		t.Run(row.name(), func(t *testing.T) {
			for step := 1; step <= len(row.in)+1; step++ {
				n, r := scanSteps(t, []byte(row.in), step, &lim)
				got := "more"
				if n > 0 {
					got = row.in[n:]
				}
				if r != row.refuse || r == nil && got != row.want {
					t.Fatalf("in steps of %d: %v, %q", step, r, got)
				}
			}
		})
	}
}

func scanSteps(t *testing.T, raw []byte, step int, lim *Limits) (n int, r *Reason) {
	t.Helper()
	var s Scanner
	for have := 0; have < len(raw) && n == 0 && r == nil; {
		have = min(have+step, len(raw))
		n, r = s.Scan(raw[:have:have], lim)
	}
	return n, r
}

func TestScanner(t *testing.T) {
	lim := small()
	t.Run("a request line longer than the head's limit is 414", func(t *testing.T) {
		tight := lim
		tight.LineBytes = 1000
		n, r := scanSteps(t, bytes.Repeat([]byte("GET /aaaa"), 50), 7, &tight)
		if n != 0 || r != RequestLineTooLong {
			t.Errorf("got %d, %v", n, r)
		}
	})
	t.Run("is ready for the next message after a reset", func(t *testing.T) {
		var s Scanner
		raw := []byte("GET / HTTP/1.1\r\n\r\n")
		for range 3 {
			if n, r := s.Scan(raw, &lim); n != len(raw) || r != nil {
				t.Fatalf("got %d, %v", n, r)
			}
			s.Reset()
		}
	})
	t.Run("an unchanged buffer changes nothing", func(t *testing.T) {
		var s Scanner
		raw := []byte("GET / HTTP/1.1\r\nA: b\r\n\r\n")
		for have := range len(raw) + 1 {
			for range 3 {
				n, r := s.Scan(raw[:have], &lim)
				if r != nil || (n > 0) != (have == len(raw)) {
					t.Fatalf("at %d: %d, %v", have, n, r)
				}
				if n > 0 {
					return
				}
			}
		}
	})
	t.Run("no byte is looked at twice", func(t *testing.T) {
		var s Scanner
		raw := []byte(browserHead)
		big := DefaultLimits()
		for have := range raw {
			if _, r := s.Scan(raw[:have], &big); r != nil {
				t.Fatal(r)
			}
			if have-s.seen > 1 {
				t.Fatalf("%d of %d bytes would be looked at again", have-s.seen, have)
			}
		}
	})
}

func TestMethodOf(t *testing.T) {
	for in, want := range map[string]string{
		"HEAD / HTTP/1.1\r\n": "HEAD", "\r\nHEAD /": "HEAD", "HEAD": "", "": "", " x": "", "H(D x": "", "\r\n\r\nHEAD /": "",
	} {
		t.Run(fmt.Sprintf("%q is a request of %q", in, want), func(t *testing.T) {
			if got := string(MethodOf([]byte(in))); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestWords(t *testing.T) {
	for c := range 256 {
		t.Run(fmt.Sprintf("byte %#02x is found at every distance", c), func(t *testing.T) {
			c := byte(c)
			breaks := c == '\r' || c == '\n'
			control := c < 0x20 && c != '\t' || c == 0x7F
			for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 33} {
				for at := range n {
					b := bytes.Repeat([]byte("\xffa\t\x80"), n)[:n]
					b[at] = c
					for from := range at + 1 {
						check(t, "lineEnd", b, lineEnd(b, from), at, breaks)
						check(t, "textEnd", b, textEnd(b, from), at, control)
					}
				}
			}
		})
	}
}

func check(t *testing.T, name string, b []byte, got, at int, stops bool) {
	t.Helper()
	if !stops {
		at = len(b)
	}
	if got != at {
		t.Fatalf("%s of %q is %d, want %d", name, b, got, at)
	}
}
