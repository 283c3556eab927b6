package forwarded_test

import (
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1/forwarded"
)

// one is a request with one line of Forwarded.
func one(value string) []string { return []string{"Forwarded: " + value} }

func TestForwardedSyntax(t *testing.T) {
	check(t, forwarded.Forwarded, []row{
		{"§4: for alone", one("for=192.0.2.43"), "192.0.2.43:0 http"},
		{"§4: names in any case", one("For=192.0.2.60;PROTO=HTTPS"), "192.0.2.60:0 https"},
		{"§4: parameters in any order", one("proto=https;by=10.0.0.1;host=a.example;for=192.0.2.60"), "192.0.2.60:0 https"},
		{"§4: extensions are passed over", one(`for=192.0.2.60;secret="a, b; c=\"d\"";proto=https`), "192.0.2.60:0 https"},
		{"§4: empty parameters", one(";;for=192.0.2.60;;proto=https;"), "192.0.2.60:0 https"},
		{"§4: white space around semicolons, which many write", one("for=192.0.2.60 ;\t proto=https"), "192.0.2.60:0 https"},
		{"§4: a quoted-string for a token", one(`for="192.0.2.60";proto="https"`), "192.0.2.60:0 https"},
		{"§4: quoted-pairs", one(`for="\1\92.0.2.60";proto="h\ttps"`), "192.0.2.60:0 https"},
		{"§4: no white space around the equals sign", one("for =192.0.2.60"), unknown},
		{"§4: nor behind it", one("for= 192.0.2.60"), unknown},
		{"§4: a parameter has a value", one("for=192.0.2.60;proto"), unknown},
		{"§4: which is not empty, unless quoted", one("for=192.0.2.60;host="), unknown},
		{"§4: an empty quoted value", one(`for=192.0.2.60;host=""`), "192.0.2.60:0 http"},
		{"§4: a name is a token", one("f(r=192.0.2.60"), unknown},
		{"§4: a colon wants quotes", one("for=192.0.2.60:80"), unknown},
		{"§4: so do brackets", one("for=[2001:db8::1]"), unknown},
		{"§4: a quote has its end", one(`for="192.0.2.60`), unknown},
		{"§4: and nothing behind it", one(`for="192.0.2.60"x`), unknown},
		{"§4: a backslash escapes something", one(`for="192.0.2.60\`), unknown},
		{"§4: for stands once", one("for=192.0.2.60;for=192.0.2.61"), unknown},
		{"§4: proto stands once", one("for=192.0.2.60;proto=http;Proto=https"), unknown},
		{"§4: by and host stand once", one("for=192.0.2.60;by=_a;host=b;by=_c"), unknown},
		{"§4: an extension may stand twice: nobody reads it", one("for=192.0.2.60;x=1;x=2"), "192.0.2.60:0 http"},
		{"§4: an element has a parameter", one(";"), unknown},
		{"§4: the empty field", one(""), unknown},
		{"§4: the empty line is an entry of the list", []string{"Forwarded: for=192.0.2.60", "Forwarded:"}, unknown},
	})
}

func TestForwardedParameters(t *testing.T) {
	check(t, forwarded.Forwarded, []row{
		{"§5.1: by says nothing of the client", one("by=192.0.2.60"), unknown},
		{"§5.2: for=unknown", one("for=unknown"), unknown},
		{"§5.3: host is not taken over", one("for=192.0.2.60;host=evil.example"), "192.0.2.60:0 http"},
		{"§5.4: proto=http", one("for=192.0.2.60;proto=http"), "192.0.2.60:0 http"},
		{"§5.4: proto=https", one("for=192.0.2.60;proto=https"), "192.0.2.60:0 https"},
		{"§5.4: another scheme is not taken", one("for=192.0.2.60;proto=wss"), "192.0.2.60:0 http"},
		{"§5.4: nor one that only looks the same", one(`for=192.0.2.60;proto="httpſ"`), "192.0.2.60:0 http"},
		{"§5.4: proto of a client that is not named", one("proto=https"), "10.0.0.1:4000 https"},
		{"§5.4: proto of a client that is unknown", one("for=unknown;proto=https"), "10.0.0.1:4000 https"},
		{"§5.4: proto of a client that is malformed", one("for=unknwon;proto=https"), unknown},
	})
}

func TestForwardedNodes(t *testing.T) {
	check(t, forwarded.Forwarded, []row{
		{"§6: an IPv4 address with its port", one(`for="192.0.2.43:47011"`), "192.0.2.43:47011 http"},
		{"§6: an IPv6 address", one(`for="[2001:db8:cafe::17]"`), "[2001:db8:cafe::17]:0 http"},
		{"§6: with its port", one(`for="[2001:db8:cafe::17]:4711"`), "[2001:db8:cafe::17]:4711 http"},
		{"§6: an IPv6 address has brackets", one(`for="2001:db8:cafe::17"`), unknown},
		{"§6: both of them", one(`for="[2001:db8:cafe::17"`), unknown},
		{"§6: an IPv4 address has none", one(`for="[192.0.2.43]"`), unknown},
		{"§6: an IPv4 address in IPv6", one(`for="[::ffff:192.0.2.43]"`), "192.0.2.43:0 http"},
		{"§6: which may be a proxy's", one(`for=192.0.2.7, for="[::ffff:10.0.0.9]"`), "192.0.2.7:0 http"},
		{"§6: no zone", one(`for="[fe80::1%eth0]"`), unknown},
		{"§6: no name", one("for=a.example"), unknown},
		{"§6: no leading zeros", one("for=192.0.02.43"), unknown},
		{"§6: no white space in quotes", one(`for=" 192.0.2.43"`), unknown},
		{"§6: not nothing", one(`for=""`), unknown},
		{"§6: a port has digits", one(`for="192.0.2.43:"`), unknown},
		{"§6: and no sign", one(`for="192.0.2.43:+1"`), unknown},
		{"§6: at most five", one(`for="192.0.2.43:000080"`), unknown},
		{"§6: and is a port", one(`for="192.0.2.43:65536"`), unknown},
		{"§6: the last port", one(`for="192.0.2.43:65535"`), "192.0.2.43:65535 http"},
		{"§6.2: unknown in any case", one("for=UnKnown"), unknown},
		{"§6.2: unknown, with a port", one(`for="unknown:80"`), unknown},
		{"§6.3: an obfuscated identifier", one("for=_SEVKISEK"), unknown},
		{"§6.3: which needs its underscore", one("for=SEVKISEK"), unknown},
		{"§6.3: an obfuscated port", one(`for="192.0.2.43:_http-1.x"`), "192.0.2.43:0 http"},
		{"§6.3: of letters and the like", one(`for="192.0.2.43:_a/b"`), unknown},
		{"§6.3: which is more than the underscore", one(`for="192.0.2.43:_"`), unknown},
	})
}

func TestForwardedWalk(t *testing.T) {
	check(t, forwarded.Forwarded, []row{
		{"§7.1: trusted hops are walked over", one("for=192.0.2.7, for=10.0.0.3, for=10.0.0.2"), "192.0.2.7:0 http"},
		{"§7.1: several lines are one list", []string{"Forwarded: for=192.0.2.7, for=10.0.0.3", "Forwarded: for=10.0.0.2"}, "192.0.2.7:0 http"},
		{"§7.1: with other fields between", []string{"forwarded: for=192.0.2.7", "X: y", "FORWARDED: for=10.0.0.2"}, "192.0.2.7:0 http"},
		{"no further than the first that is not trusted", one("for=10.0.0.9, for=192.0.2.7, for=10.0.0.2"), "192.0.2.7:0 http"},
		{"all trusted: the leftmost", one("for=10.0.0.3, for=10.0.0.2"), "10.0.0.3:0 http"},
		{"a proxy over IPv6", one(`for=192.0.2.7, for="[2001:db8:f::1]:99"`), "192.0.2.7:0 http"},
		{"the scheme is that of the client's own hop", one("for=192.0.2.7;proto=https, for=10.0.0.2;proto=http"), "192.0.2.7:0 https"},
		{"also where it is the lesser one", one("for=192.0.2.7;proto=http, for=10.0.0.2;proto=https"), "192.0.2.7:0 http"},
		{"and not of another where it is missing", one("for=192.0.2.7, for=10.0.0.2;proto=https"), "192.0.2.7:0 http"},
		{"unknown ends it at the last address", one("for=192.0.2.7, for=unknown, for=10.0.0.2"), "10.0.0.2:0 http"},
		{"so does an obfuscated one", one("for=192.0.2.7, for=_gazonk, for=10.0.0.2"), "10.0.0.2:0 http"},
		{"of which the scheme is known", one("for=192.0.2.7, for=_gazonk;proto=https, for=10.0.0.2"), "10.0.0.2:0 https"},
		{"so does a malformed one, of which nothing is", one("for=192.0.2.7, for=999.0.0.1;proto=https, for=10.0.0.2"), "10.0.0.2:0 http"},
		{"so does an empty one", one("for=192.0.2.7, , for=10.0.0.2"), "10.0.0.2:0 http"},
		{"a comma in quotes separates nothing", one(`for=192.0.2.7;x="a, for=192.0.2.8"`), "192.0.2.7:0 http"},
		{"nor behind escaped quotes", one(`for=192.0.2.7;x="\", for=192.0.2.8;y=\"";z="\\"`), "192.0.2.7:0 http"},
	})
}

func TestWalkIsBounded(t *testing.T) {
	hops := func(n int) string { return strings.Repeat(", for=10.0.0.2", n) }
	pad := func(n int) string { return `, for=10.0.0.3;x="` + strings.Repeat("x", n) + `"` }
	const own = len(`, for=10.0.0.3;x=""`)
	check(t, forwarded.Forwarded, []row{
		{"32 entries are read", one("for=192.0.2.7" + hops(31)), "192.0.2.7:0 http"},
		{"no more than that", one("for=192.0.2.7" + hops(32)), "10.0.0.2:0 http"},
		{"4 KiB are read", one("for=192.0.2.7" + pad(4096-own-len("for=192.0.2.7")-1)), "192.0.2.7:0 http"},
		{"no more than that, in one line", one("for=192.0.2.7" + pad(4096-own-len("for=192.0.2.7"))), "10.0.0.3:0 http"},
		{"nor in several", []string{"Forwarded: for=192.0.2.7" + hops(1), "Forwarded: " + pad(4096 - own)[2:]}, "10.0.0.3:0 http"},
		{"one entry is not longer", one("for=192.0.2.7;x=" + strings.Repeat("y", 4096)), unknown},
	})
}
