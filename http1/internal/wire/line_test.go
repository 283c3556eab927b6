package wire

import (
	"fmt"
	"strings"
	"testing"
)

// lineRows are request lines; want is method, target and minor version.
var lineRows = []row{
	{"§3", "method, target and version, one space between", "GET / HTTP/1.1", nil, "GET / 1"},
	{"§3", "two spaces behind the method are refused", "GET  / HTTP/1.1", BadRequestLine, ""},
	{"§3", "two spaces behind the target are refused", "GET /  HTTP/1.1", BadRequestLine, ""},
	{"§3", "a space within the target is refused", "GET /a b HTTP/1.1", BadRequestLine, ""},
	{"§3", "a space behind the version is refused", "GET / HTTP/1.1 ", BadRequestLine, ""},
	{"§3", "a fourth word is refused", "GET / HTTP/1.1 x", BadRequestLine, ""},
	{"§3", "a TAB behind the method is refused", "GET\t/ HTTP/1.1", BadMethod, ""},
	{"§3", "a TAB behind the target is refused", "GET /\tHTTP/1.1", NoVersion, ""},
	{"§3", "a TAB behind the version is refused", "GET / HTTP/1.1\t", BadVersion, ""},
	{"§3", "a vertical tab is no space", "GET\v/ HTTP/1.1", BadMethod, ""},
	{"§3", "a form feed is no space", "GET /\fHTTP/1.1", NoVersion, ""},
	{"§3", "a line without target is refused", "GET HTTP/1.1", NoVersion, ""},
	{"§3", "a line with an empty target is refused", "GET  HTTP/1.1", BadRequestLine, ""},
	{"§3", "for CONNECT too", "CONNECT  HTTP/1.1", BadRequestLine, ""},
	{"§3", "a line that ends behind the method's space is refused", "GET ", NoVersion, ""},
	{"§3", "HTTP/0.9's line has no version", "GET /", NoVersion, ""},
	{"§3", "a line that ends in a space has no version", "GET / ", NoVersion, ""},

	{"RFC 9110 §9.1", "a method is case-sensitive and kept", "gEt / HTTP/1.1", nil, "gEt / 1"},
	{"RFC 9110 §9.1", "a method need not be known", "PROPFIND / HTTP/1.1", nil, "PROPFIND / 1"},
	{"RFC 9110 §9.1", "a method may be any token", "M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1", nil, "M-SEARCH!#$%&'*+.^_`|~ / 1"},
	{"RFC 9110 §9.1", "a method may be digits", "123 / HTTP/1.1", nil, "123 / 1"},
	{"RFC 9110 §9.1", "a method may have one byte", "X / HTTP/1.1", nil, "X / 1"},
	{"RFC 9110 §9.1", "the longest registered method passes", "UPDATEREDIRECTREF / HTTP/1.1", nil, "UPDATEREDIRECTREF / 1"},
	{"RFC 9110 §9.1", "a method of 33 bytes is too long", strings.Repeat("A", 33) + " / HTTP/1.1", MethodTooLong, ""},
	{"RFC 9110 §9.1", "a quoted method is refused", `"GET" / HTTP/1.1`, BadMethod, ""},
	{"RFC 9110 §9.1", "a method with a colon is refused", "GET: / HTTP/1.1", BadMethod, ""},
	{"RFC 9110 §9.1", "a method with brackets is refused", "GE[T] / HTTP/1.1", BadMethod, ""},
	{"RFC 9110 §9.1", "a method with a slash is refused", "GET/ / HTTP/1.1", BadMethod, ""},
	{"RFC 9110 §9.1", "a method with a comma is refused", "GET,POST / HTTP/1.1", BadMethod, ""},

	{"§2.3", "HTTP/1.0 is spoken", "GET / HTTP/1.0", nil, "GET / 0"},
	{"RFC 9110 §2.5", "a higher minor version is 1.1 for us", "GET / HTTP/1.2", nil, "GET / 2"},
	{"RFC 9110 §2.5", "up to 1.9", "GET / HTTP/1.9", nil, "GET / 9"},
	{"RFC 9110 §15.6.6", "HTTP/2.0 is not spoken here", "GET / HTTP/2.0", UnsupportedVersion, ""},
	{"RFC 9113 §3.4", "HTTP/2's preface is told so", "PRI * HTTP/2.0", UnsupportedVersion, ""},
	{"RFC 9110 §15.6.6", "nor HTTP/9.9", "GET / HTTP/9.9", UnsupportedVersion, ""},
	{"RFC 9110 §15.6.6", "nor HTTP/0.9 by name", "GET / HTTP/0.9", UnsupportedVersion, ""},
	{"§2.3", "the name is in capitals", "GET / http/1.1", BadVersion, ""},
	{"§2.3", "all of them", "GET / HTTp/1.1", BadVersion, ""},
	{"§2.3", "a minor version is one digit", "GET / HTTP/1.10", BadVersion, ""},
	{"§2.3", "a major version is one digit", "GET / HTTP/11.1", BadVersion, ""},
	{"§2.3", "there are no leading zeros", "GET / HTTP/01.1", BadVersion, ""},
	{"§2.3", "a minor version is needed", "GET / HTTP/1", BadVersion, ""},
	{"§2.3", "behind the dot too", "GET / HTTP/1.", BadVersion, ""},
	{"§2.3", "a comma is no dot", "GET / HTTP/1,1", BadVersion, ""},
	{"§2.3", "a letter is no digit", "GET / HTTP/1.x", BadVersion, ""},
	{"§2.3", "nor is a sign", "GET / HTTP/+.1", BadVersion, ""},
	{"§2.3", "a slash is needed", "GET / HTTP 1.1", BadRequestLine, ""},
	{"§2.3", "a backslash is none", `GET / HTTP\1.1`, BadVersion, ""},
	{"§2.3", "nothing stands before the name", "GET / XHTTP/1.1", BadVersion, ""},
	{"§2.3", "another protocol is refused", "GET / ICE/1.0", BadVersion, ""},
	{"§2.3", "so is RTSP", "OPTIONS / RTSP/1.0", BadVersion, ""},
	{"§2.3", "so is a name of the same length", "GET / HTTQ/1.1", BadVersion, ""},
	{"§2.3", "a control byte is no digit", "GET / HTTP/1.\x01", BadVersion, ""},
	{"§2.3", "a NUL behind the version is refused", "GET / HTTP/1.1\x00", BadVersion, ""},
}

func TestRequestLine(t *testing.T) {
	checkHeads(t, lineRows,
		func(line string) string { return line + "\r\nHost: a\r\n\r\n" },
		func(h *Head) string { return fmt.Sprintf("%s %s %d", h.Method, h.Target, h.Minor) })
}

// tchar is written out of RFC 9110 §5.6.2, apart from the table that is tested with it.
const tchar = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func TestEveryByte(t *testing.T) {
	places := []struct {
		name, format string
		allowed      func(c byte) bool
	}{
		{"a method", "G%sT / HTTP/1.1\r\nHost: a\r\n\r\n", func(c byte) bool { return strings.IndexByte(tchar, c) >= 0 }},
		{"a path", "GET /a%sb HTTP/1.1\r\nHost: a\r\n\r\n", inTarget},
		{"a query", "GET /?%sb HTTP/1.1\r\nHost: a\r\n\r\n", inTarget},
		{"an absolute path", "GET http://a/%sx HTTP/1.1\r\nHost: a\r\n\r\n", inTarget},
		{"a field name", "GET / HTTP/1.1\r\nHost: a\r\nX%sY: z\r\n\r\n", func(c byte) bool { return c == ':' || strings.IndexByte(tchar, c) >= 0 }},
		{"a field value", "GET / HTTP/1.1\r\nHost: a\r\nX: y%sz\r\n\r\n", func(c byte) bool { return c == '\t' || c >= ' ' && c != 0x7F }},
		{"a host", "GET / HTTP/1.1\r\nHost: a%sb\r\n\r\n", inHost},
		{"a target's host", "GET http://a%sb/ HTTP/1.1\r\nHost: a\r\n\r\n", func(c byte) bool { return inHost(c) || c == '/' || c == '?' }},
		{"a length", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1%s1\r\n\r\n", func(c byte) bool { return '0' <= c && c <= '9' }},
		{"a version", "GET / HTTP/1%s1\r\nHost: a\r\n\r\n", func(c byte) bool { return c == '.' }},
	}
	for _, p := range places {
		for c := range 256 {
			t.Run(fmt.Sprintf("%#02x in %s", c, p.name), func(t *testing.T) {
				raw := strings.Replace(p.format, "%s", string([]byte{byte(c)}), 1)
				if _, r := verdict(t, raw); (r == nil) != p.allowed(byte(c)) {
					t.Errorf("%q: %v", raw, r)
				}
			})
		}
	}
}

func inTarget(c byte) bool {
	return c > ' ' && c < 0x7F && strings.IndexByte(`#<>"\%`, c) < 0
}

// inHost leaves out ":", behind which a letter is no port, and "," and "%".
func inHost(c byte) bool {
	return c > ' ' && c < 0x7F && strings.IndexByte(`#<>"\%,:/?@[]^{}|`+"`", c) < 0
}
