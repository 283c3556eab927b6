package wire

import (
	"strings"
	"testing"
)

// trailerRows are sections; want is its fields and, behind a bar, what follows.
var trailerRows = []row{
	{"§7.1.2", "an empty section", "\r\n", nil, "|"},
	{"§7.1.2", "what follows is left alone", "\r\nGET / HTTP/1.1\r\n", nil, "|GET / HTTP/1.1\r\n"},
	{"§7.1.2", "a field", "Checksum: 1\r\n\r\n", nil, "[Checksum=1]|"},
	{"§7.1.2", "fields", "A: 1\r\nB:\t2 \r\nA: 3\r\n\r\nrest", nil, "[A=1][B=2][A=3]|rest"},
	{"§7.1.2", "no bytes need more", "", nil, "more"},
	{"§7.1.2", "a CR needs more", "\r", nil, "more"},
	{"§7.1.2", "half a field needs more", "A: 1", nil, "more"},
	{"§7.1.2", "a field needs more", "A: 1\r\n", nil, "more"},
	{"§7.1.2", "half of the empty line needs more", "A: 1\r\n\r", nil, "more"},
	{"§2.2", "a bare LF is refused", "\n", BareLF, ""},
	{"§2.2", "behind a field too", "A: 1\n\r\n", BareLF, ""},
	{"§2.2", "a bare CR is refused", "\rX", BareCR, ""},
	{"§2.2", "in a field too", "A: 1\rB: 2\r\n\r\n", BareCR, ""},
	{"§5.2", "a folded line is refused", "A: 1\r\n 2\r\n\r\n", ObsFold, ""},
	{"§5.2", "as the first line too", " A: 1\r\n\r\n", ObsFold, ""},
	{"§5.1", "a space before the colon is refused", "A : 1\r\n\r\n", SpaceBeforeColon, ""},
	{"§5", "a line without colon is refused", "GET / HTTP/1.1\r\n\r\n", MissingColon, ""},
	{"RFC 9110 §5.1", "an empty name is refused", ": 1\r\n\r\n", BadFieldName, ""},
	{"RFC 9110 §5.1", "a name that is no token", "A[]: 1\r\n\r\n", BadFieldName, ""},
	{"RFC 9110 §5.5", "a NUL in a value", "A: \x00\r\n\r\n", BadFieldValue, ""},
	{"RFC 6585 §5", "a hundred fields pass", strings.Repeat("A:\r\n", 100) + "\r\n", nil, strings.Repeat("[A=]", 100) + "|"},
	{"RFC 6585 §5", "one more is refused", strings.Repeat("A:\r\n", 101) + "\r\n", TooManyFields, ""},
	{"RFC 6585 §5", "8 KiB pass", "A: " + strings.Repeat("b", 8192-7) + "\r\n\r\n", nil, "[A=" + strings.Repeat("b", 8192-7) + "]|"},
	{"RFC 6585 §5", "more is refused", "A: " + strings.Repeat("b", 8192-6) + "\r\n\r\n", TrailersTooLarge, ""},
	{"RFC 6585 §5", "without an end too", "A: " + strings.Repeat("b", 8192), TrailersTooLarge, ""},

	{"RFC 9110 §6.5.1", "a coding is refused", "Transfer-Encoding: chunked\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a length", "Content-Length: 5\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "in any case", "cONTENT-lENGTH: 5\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "behind others", "A: 1\r\nContent-Length: 5\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a host", "Host: a\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "credentials", "Authorization: Basic x\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a cookie", "Cookie: a=b\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a connection option", "Connection: close\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a list of trailers", "Trailer: A\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a condition", "If-Match: *\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a range", "Range: bytes=0-\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "an expectation", "Expect: 100-continue\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a content type", "Content-Type: text/html\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "whatever else describes content", "Content-Whatever: x\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "a forwarded address", "X-Forwarded-For: 127.0.0.1\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "in the standard field too", "Forwarded: for=127.0.0.1\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9110 §6.5.1", "another method", "X-HTTP-Method-Override: DELETE\r\n\r\n", ForbiddenTrailer, ""},
	{"RFC 9530 §2", "a digest is made for trailers", "Content-Digest: sha-256=:x:\r\n\r\n", nil, "[Content-Digest=sha-256=:x:]|"},
	{"RFC 9110 §8.8.3", "an ETag may be one", "ETag: \"x\"\r\n\r\n", nil, "[ETag=\"x\"]|"},
	{"RFC 9110 §6.5.1", "names that only look alike pass", "Hosts: a\r\nContent: b\r\nContent-: c\r\nX-Forwarded-: d\r\n\r\n", nil, "[Hosts=a][Content=b][Content-=c][X-Forwarded-=d]|"},
}

// section brings raw to t in steps of so many bytes.
func section(tr *Trailers, raw []byte, step int, lim *Limits) (n int, r *Reason) {
	for have := 0; have < len(raw); {
		have = min(have+step, len(raw))
		n, r = tr.Scan(raw[:have:have], lim)
		if n > 0 {
			return n, tr.Parse(raw[:n:n], lim)
		}
		if r != nil {
			return 0, r
		}
	}
	return 0, nil
}

func TestTrailers(t *testing.T) {
	lim := DefaultLimits()
	var tr Trailers
	for _, row := range trailerRows {
		t.Run(row.name(), func(t *testing.T) {
			for _, step := range []int{len(row.in) + 1, 1, 2, 3} {
				tr.Reset()
				n, r := section(&tr, []byte(row.in), step, &lim)
				got := "more"
				if n > 0 {
					got = fieldText(tr.Fields) + "|" + row.in[n:]
				}
				if r != row.refuse || r == nil && got != row.want {
					t.Fatalf("in steps of %d: %v, %.200q", step, r, got)
				}
			}
		})
	}
}

func TestForbiddenInTrailer(t *testing.T) {
	for _, name := range headOnly {
		t.Run(name+" is forbidden in any case", func(t *testing.T) {
			if !ForbiddenInTrailer([]byte(name)) || !ForbiddenInTrailer([]byte(strings.ToUpper(name))) {
				t.Error("it is not")
			}
			if ForbiddenInTrailer([]byte(name[1:])) || ForbiddenInTrailer([]byte(name+"x")) {
				t.Error("so is something else")
			}
		})
	}
}
