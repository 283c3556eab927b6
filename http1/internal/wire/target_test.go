package wire

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// targetRows are a method and a target; want is form, scheme, authority, path and query.
var targetRows = []row{
	{"§3.2.1", "origin-form is a path", "GET /", nil, "origin  host.example / "},
	{"§3.2.1", "with segments", "GET /a/b/c.html", nil, "origin  host.example /a/b/c.html "},
	{"§3.2.1", "and a query", "GET /a?b=c", nil, "origin  host.example /a ?b=c"},
	{"§3.2.1", "which may be empty", "GET /a?", nil, "origin  host.example /a ?"},
	{"RFC 3986 §3.4", "and may hold question marks", "GET /a?b?c", nil, "origin  host.example /a ?b?c"},
	{"RFC 3986 §3.4", "and slashes", "GET /?/../", nil, "origin  host.example / ?/../"},
	{"RFC 3986 §3.3", "two slashes in front are an empty segment, not a host", "GET //evil.example/x", nil, "origin  host.example //evil.example/x "},
	{"RFC 3986 §3.3", "dot segments are the handler's to judge", "GET /a/../../b", nil, "origin  host.example /a/../../b "},
	{"RFC 3986 §3.3", "a path may hold sub-delims, colon and at", "GET /!$&'()*+,;=:@-._~", nil, "origin  host.example /!$&'()*+,;=:@-._~ "},
	{"RFC 3986 §3.3", "what browsers leave as it is passes", "GET /|^`{}[]?|^`{}[]", nil, "origin  host.example /|^`{}[] ?|^`{}[]"},
	{"RFC 3986 §2.1", "escapes are kept as they are", "GET /%41%2F%c3%A9?%20", nil, "origin  host.example /%41%2F%c3%A9 ?%20"},
	{"RFC 3986 §2.1", "an escaped NUL is well-formed", "GET /%00", nil, "origin  host.example /%00 "},
	{"RFC 3986 §2.1", "a percent sign alone is refused", "GET /%", BadEscape, ""},
	{"RFC 3986 §2.1", "so is half an escape", "GET /%4", BadEscape, ""},
	{"RFC 3986 §2.1", "one digit and a slash", "GET /%4/", BadEscape, ""},
	{"RFC 3986 §2.1", "letters behind F", "GET /%zz", BadEscape, ""},
	{"RFC 3986 §2.1", "two percent signs", "GET /%%41", BadEscape, ""},
	{"RFC 3986 §2.1", "a sign", "GET /%+1", BadEscape, ""},
	{"RFC 3986 §2.1", "the %u of old scripts", "GET /%u0041", BadEscape, ""},
	{"RFC 3986 §2.1", "a bad escape in the query", "GET /?%g1", BadEscape, ""},
	{"RFC 3986 §2.1", "a bad escape in an absolute path", "GET http://a.example/%x", BadEscape, ""},
	{"RFC 9112 §3.2", "a fragment is never sent", "GET /a#b", BadTargetByte, ""},
	{"RFC 3986 §2", "raw UTF-8 is refused", "GET /caf\u00e9", BadTargetByte, ""},
	{"RFC 3986 §2", "so is a byte of Latin-1", "GET /caf\xe9", BadTargetByte, ""},
	{"RFC 3986 §2", "raw UTF-8 in the query is refused", "GET /?\u00e9", BadTargetByte, ""},
	{"RFC 3986 §2", "a quotation mark is refused", `GET /"`, BadTargetByte, ""},
	{"RFC 3986 §2", "a less-than sign is refused", "GET /<script", BadTargetByte, ""},
	{"RFC 3986 §2", "a greater-than sign is refused", "GET /?>", BadTargetByte, ""},
	{"RFC 3986 §2", "a backslash is refused", `GET /a\b`, BadTargetByte, ""},
	{"RFC 3986 §2", "so is one in place of the slash", `GET \a`, BadTargetByte, ""},
	{"RFC 3986 §2", "a control byte is refused", "GET /\x01", BadTargetByte, ""},
	{"RFC 3986 §2", "a NUL is refused", "GET /a\x00b", BadTargetByte, ""},
	{"RFC 3986 §2", "DEL is refused", "GET /\x7f", BadTargetByte, ""},
	{"RFC 3986 §2", "a TAB is refused", "GET /\t", BadTargetByte, ""},
	{"§3.2", "a relative path is no target", "GET a/b", BadTarget, ""},
	{"§3.2", "nor is a query alone", "GET ?a", BadTarget, ""},
	{"§3.2", "nor is a dot", "GET .", BadTarget, ""},
	{"§3.2", "nor is a host without CONNECT", "GET a.example", BadTarget, ""},
	{"§3.2", "nor is a host with port", "GET a.example:80", BadTarget, ""},

	{"§3.2.2", "absolute-form is taken apart", "GET http://a.example/b?c", nil, "absolute http a.example /b ?c"},
	{"§3.2.2", "its port belongs to the authority", "GET http://a.example:8080/", nil, "absolute http a.example:8080 / "},
	{"§3.2.2", "https is a scheme too", "GET https://a.example/", nil, "absolute https a.example / "},
	{"RFC 9110 §4.2.3", "schemes know no case", "GET HtTpS://a.example/", nil, "absolute HtTpS a.example / "},
	{"RFC 9110 §4.2.3", "an empty path is the root", "GET http://a.example", nil, "absolute http a.example / "},
	{"RFC 9110 §4.2.3", "before a query too", "GET http://a.example?b", nil, "absolute http a.example / ?b"},
	{"§3.2.2", "an IPv6 host", "GET http://[::1]:80/", nil, "absolute http [::1]:80 / "},
	{"§3.2.2", "an empty port", "GET http://a.example:/", nil, "absolute http a.example: / "},
	{"§3.2.2", "any method may have it", "POST http://a.example/b", nil, "absolute http a.example /b "},
	{"§3.2.2", "a question mark may follow the port", "GET http://a.example:1?b", nil, "absolute http a.example:1 / ?b"},
	{"RFC 9110 §4.2.1", "an empty host is refused", "GET http:///a", BadAuthority, ""},
	{"RFC 9110 §4.2.1", "with a port too", "GET http://:80/a", BadAuthority, ""},
	{"RFC 9110 §4.2.1", "and at the end", "GET http://", BadAuthority, ""},
	{"RFC 9110 §4.2.4", "userinfo is refused", "GET http://u@a.example/", Userinfo, ""},
	{"RFC 9110 §4.2.4", "with a password", "GET http://u:p@a.example/", Userinfo, ""},
	{"RFC 9110 §4.2.4", "empty", "GET http://@a.example/", Userinfo, ""},
	{"RFC 3986 §3.2", "an at in the path is no userinfo", "GET http://a.example/@b", nil, "absolute http a.example /@b "},
	{"RFC 3986 §3.2", "nor one in the query", "GET http://a.example?@b", nil, "absolute http a.example / ?@b"},
	{"§3.2.2", "a scheme without slashes is refused", "GET http:a.example/", BadTarget, ""},
	{"§3.2.2", "with one slash", "GET http:/a.example/", BadTarget, ""},
	{"§3.2.2", "three slashes are an empty host", "GET http:///a.example/", BadAuthority, ""},
	{"RFC 9110 §4.2", "another scheme is refused", "GET ftp://a.example/", BadScheme, ""},
	{"RFC 9110 §4.2", "so is ws", "GET ws://a.example/", BadScheme, ""},
	{"RFC 9110 §4.2", "an empty one", "GET ://a.example/", BadScheme, ""},
	{"RFC 9110 §4.2", "one that begins like ours", "GET httpx://a.example/", BadScheme, ""},
	{"RFC 3986 §3.2.2", "a bad port is refused", "GET http://a.example:x/", BadAuthority, ""},
	{"RFC 3986 §3.2.2", "two ports", "GET http://a.example:1:2/", BadAuthority, ""},
	{"RFC 3986 §3.2.2", "a bad IPv6 host", "GET http://[::1/", BadAuthority, ""},
	{"RFC 3986 §3.2.2", "a list of hosts", "GET http://a.example,b.example/", BadAuthority, ""},
	{"RFC 3986 §3.2.2", "an escaped host", "GET http://%61.example/", BadAuthority, ""},

	{"§3.2.3", "authority-form is for CONNECT", "CONNECT a.example:443", nil, "authority  a.example:443  "},
	{"§3.2.3", "with IPv6", "CONNECT [::1]:443", nil, "authority  [::1]:443  "},
	{"§3.2.3", "the port is needed", "CONNECT a.example", BadAuthority, ""},
	{"§3.2.3", "and not empty", "CONNECT a.example:", BadAuthority, ""},
	{"§3.2.3", "behind IPv6 too", "CONNECT [::1]", BadAuthority, ""},
	{"§3.2.3", "the host is needed", "CONNECT :443", BadAuthority, ""},
	{"§3.2.3", "a path is no authority", "CONNECT /", BadTarget, ""},
	{"§3.2.3", "nor is a URI", "CONNECT http://a.example:80/", BadTarget, ""},
	{"§3.2.3", "nor an asterisk", "CONNECT *", BadAuthority, ""},
	{"§3.2.3", "nor a path behind it", "CONNECT a.example:443/x", BadTarget, ""},
	{"§3.2.3", "nor a query", "CONNECT a.example:443?x", BadAuthority, ""},
	{"§3.2.3", "nor userinfo", "CONNECT u@a.example:443", Userinfo, ""},
	{"RFC 9110 §9.1", "connect in small letters is another method", "connect a.example:443", BadTarget, ""},

	{"§3.2.4", "asterisk-form is for OPTIONS", "OPTIONS *", nil, "asterisk  host.example * "},
	{"§3.2.4", "and for no other", "GET *", BadTarget, ""},
	{"§3.2.4", "in capitals", "options *", BadTarget, ""},
	{"§3.2.4", "an asterisk stands alone", "OPTIONS *x", BadTarget, ""},
	{"§3.2.4", "without query", "OPTIONS *?x", BadTarget, ""},
	{"§3.2.4", "as a path it is a path", "GET /*", nil, "origin  host.example /* "},
	{"§3.2.4", "OPTIONS of a host without path is of the server", "OPTIONS http://a.example", nil, "absolute http a.example * "},
	{"§3.2.4", "with a path it is not", "OPTIONS http://a.example/", nil, "absolute http a.example / "},
	{"§3.2.4", "nor with a query", "OPTIONS http://a.example?x", nil, "absolute http a.example / ?x"},
	{"§3.2.4", "OPTIONS of a path is origin-form", "OPTIONS /a", nil, "origin  host.example /a "},
}

func TestTarget(t *testing.T) {
	checkHeads(t, targetRows,
		func(in string) string { return in + " HTTP/1.1\r\nHost: host.example\r\n\r\n" }, targetText)
}

func targetText(h *Head) string {
	forms := [...]string{"origin", "absolute", "authority", "asterisk"}
	query := string(h.Query)
	if h.HasQuery {
		query = "?" + query
	}
	return fmt.Sprintf("%s %s %s %s %s", forms[h.Form], h.Scheme, h.Authority, h.Path, query)
}

// hostRows are a version and field lines; want is the authority.
var hostRows = []row{
	{"§3.2", "a name", "1.1\r\nHost: a.example", nil, "a.example"},
	{"§3.2", "with a port", "1.1\r\nHost: a.example:8443", nil, "a.example:8443"},
	{"RFC 3986 §3.2.3", "the port may be empty", "1.1\r\nHost: a.example:", nil, "a.example:"},
	{"RFC 3986 §3.2.3", "and have leading zeros", "1.1\r\nHost: a.example:0080", nil, "a.example:0080"},
	{"RFC 3986 §3.2.3", "up to 65535", "1.1\r\nHost: a.example:65535", nil, "a.example:65535"},
	{"RFC 3986 §3.2.3", "and not beyond", "1.1\r\nHost: a.example:65536", BadHost, ""},
	{"RFC 3986 §3.2.3", "however long", "1.1\r\nHost: a.example:99999999999999999999", BadHost, ""},
	{"RFC 9110 §5.1", "the field's name has no case", "1.1\r\nhOsT: a.example", nil, "a.example"},
	{"RFC 9110 §5.5", "whitespace around is not part of it", "1.1\r\nHost:\t a.example \t", nil, "a.example"},
	{"RFC 3986 §3.2.2", "its case is kept", "1.1\r\nHost: A.Example", nil, "A.Example"},
	{"RFC 3986 §3.2.2", "an IPv4 address", "1.1\r\nHost: 127.0.0.1:80", nil, "127.0.0.1:80"},
	{"RFC 3986 §3.2.2", "an IPv6 address", "1.1\r\nHost: [2001:db8::1]", nil, "[2001:db8::1]"},
	{"RFC 3986 §3.2.2", "with a port", "1.1\r\nHost: [::1]:8443", nil, "[::1]:8443"},
	{"RFC 3986 §3.2.2", "a name may hold what is unreserved", "1.1\r\nHost: a_b-c.d~e", nil, "a_b-c.d~e"},
	{"RFC 3986 §3.2.2", "and sub-delims", "1.1\r\nHost: 0.0.0.0=5000", nil, "0.0.0.0=5000"},
	{"RFC 3986 §3.2.2", "and end in a dot", "1.1\r\nHost: a.example.", nil, "a.example."},
	{"RFC 3986 §3.2.2", "one letter is a name", "1.1\r\nHost: a", nil, "a"},
	{"§3.2", "HTTP/1.1 must have it", "1.1", MissingHost, ""},
	{"§3.2", "other fields are none", "1.1\r\nHos: a\r\nHostt: a", MissingHost, ""},
	{"§3.2", "a higher version must too", "1.2", MissingHost, ""},
	{"§3.2", "HTTP/1.0 need not", "1.0", nil, ""},
	{"§3.2", "HTTP/1.0 may", "1.0\r\nHost: a.example", nil, "a.example"},
	{"§3.2", "two are refused", "1.1\r\nHost: a.example\r\nHost: b.example", DuplicateHost, ""},
	{"§3.2", "even the same twice", "1.1\r\nHost: a.example\r\nhost: a.example", DuplicateHost, ""},
	{"§3.2", "and apart", "1.1\r\nHost: a.example\r\nX: y\r\nHOST: a.example", DuplicateHost, ""},
	{"§3.2", "and in HTTP/1.0", "1.0\r\nHost: a.example\r\nHost: a.example", DuplicateHost, ""},
	{"§3.2", "and when one is empty", "1.1\r\nHost:\r\nHost: a.example", DuplicateHost, ""},
	{"§3.2", "an empty one is refused", "1.1\r\nHost:", BadHost, ""},
	{"§3.2", "one of spaces is empty", "1.1\r\nHost:  \t", BadHost, ""},
	{"§3.2", "an empty one in HTTP/1.0 too", "1.0\r\nHost:", BadHost, ""},
	{"RFC 9110 §4.2.1", "a port alone is no host", "1.1\r\nHost: :80", BadHost, ""},
	{"§3.2", "a list is refused", "1.1\r\nHost: a.example, b.example", BadHost, ""},
	{"§3.2", "without space too", "1.1\r\nHost: a.example,b.example", BadHost, ""},
	{"§3.2", "two words are refused", "1.1\r\nHost: a.example b.example", BadHost, ""},
	{"§3.2", "a TAB within is refused", "1.1\r\nHost: a.example\tb.example", BadHost, ""},
	{"§3.2", "userinfo is refused", "1.1\r\nHost: u@a.example", BadHost, ""},
	{"§3.2", "a path is refused", "1.1\r\nHost: a.example/x", BadHost, ""},
	{"§3.2", "a query is refused", "1.1\r\nHost: a.example?x", BadHost, ""},
	{"§3.2", "a fragment is refused", "1.1\r\nHost: a.example#x", BadHost, ""},
	{"§3.2", "a URL is refused", "1.1\r\nHost: http://a.example", BadHost, ""},
	{"§3.2", "a backslash is refused", `1.1` + "\r\n" + `Host: a.example\x`, BadHost, ""},
	{"§3.2", "a quoted host is refused", "1.1\r\nHost: \"a.example\"", BadHost, ""},
	{"§3.2", "raw UTF-8 is refused", "1.1\r\nHost: \u00e9.example", BadHost, ""},
	{"RFC 3986 §6.2.2.2", "a second spelling is refused", "1.1\r\nHost: %61.example", BadHost, ""},
	{"RFC 3986 §3.2.3", "letters are no port", "1.1\r\nHost: a.example:http", BadHost, ""},
	{"RFC 3986 §3.2.3", "a sign is no port", "1.1\r\nHost: a.example:+80", BadHost, ""},
	{"RFC 3986 §3.2.3", "two ports are refused", "1.1\r\nHost: a.example:80:80", BadHost, ""},
	{"RFC 3986 §3.2.3", "a space before the port is refused", "1.1\r\nHost: a.example: 80", BadHost, ""},
	{"RFC 3986 §3.2.2", "IPv6 has brackets", "1.1\r\nHost: ::1", BadHost, ""},
	{"RFC 3986 §3.2.2", "both of them", "1.1\r\nHost: [::1", BadHost, ""},
	{"RFC 3986 §3.2.2", "nothing but a port follows them", "1.1\r\nHost: [::1]x", BadHost, ""},
	{"RFC 3986 §3.2.2", "something stands in them", "1.1\r\nHost: []", BadHost, ""},
	{"RFC 3986 §3.2.2", "but no name", "1.1\r\nHost: [a.example]", BadHost, ""},
	{"RFC 3986 §3.2.2", "no IPv4 address", "1.1\r\nHost: [127.0.0.1]", BadHost, ""},
	{"RFC 6874 §1", "no zone", "1.1\r\nHost: [fe80::1%25eth0]", BadHost, ""},
	{"RFC 3986 §3.2.2", "no address of the future", "1.1\r\nHost: [v1.a:b]", BadHost, ""},
	{"RFC 3986 §3.2.2", "brackets are no part of a name", "1.1\r\nHost: a[b]", BadHost, ""},
}

func TestHost(t *testing.T) {
	checkHeads(t, hostRows,
		func(in string) string { return "GET / HTTP/" + in + "\r\n\r\n" },
		func(h *Head) string { return string(h.Authority) })
}

func TestAbsoluteFormAndHost(t *testing.T) {
	rows := []row{
		{"§3.2.2", "the target's authority wins over Host", "Host: b.example\r\n", nil, "a.example"},
		{"§3.2", "Host is needed all the same", "", MissingHost, ""},
		{"§3.2", "and valid", "Host: b/c\r\n", BadHost, ""},
		{"§3.2", "and there once", "Host: a.example\r\nHost: a.example\r\n", DuplicateHost, ""},
	}
	checkHeads(t, rows,
		func(in string) string { return "GET http://a.example/ HTTP/1.1\r\n" + in + "\r\n" },
		func(h *Head) string { return string(h.Authority) })
}

// addresses are IPv6 addresses and near misses; netip, which knows zones and IPv4 as well,
// is the judge.
var addresses = strings.Fields(`:: ::1 1:: 1::8 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1::3:4:5:6:7:8
	1:2:3:4:5:6:7 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7:8:: ::1:2:3:4:5:6:7:8 1::2::3 ::: :1 1: 1:: ::1: 1:2 12345:: ::12345
	g:: ::g ::ffff:1.2.3.4 1:2:3:4:5:6:1.2.3.4 1:2:3:4:5:6:7:1.2.3.4 ::1.2.3 ::1.2.3.4.5 ::1.2.3.256 ::1.2.3.04 ::1.2.3.
	::.1.2.3 ::1..2.3 1.2.3.4:: ::1.2.3.4:5 ::a.2.3.4 ::1.2.3.a ::1.2.3.1234 FE80::AbCd 0:0:0:0:0:0:0:0 1:::2 ::1.2.3.4: 1::1.2.3.4
	1:2:3:4:5::1.2.3.4 1:2:3:4:5:6::1.2.3.4 ::00001 0001:: . : 1 ::-1 ::+1 ::1.+2.3.4 ::01.2.3.4 ::0.0.0.0 ::255.255.255.255`)

func TestIPv6(t *testing.T) {
	for _, a := range addresses {
		t.Run(a+" is judged as netip does", func(t *testing.T) {
			addr, err := netip.ParseAddr(a)
			if got, want := validIPv6([]byte(a)), err == nil && addr.Is6(); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
