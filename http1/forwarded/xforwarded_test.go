package forwarded_test

import (
	"testing"

	"github.com/holdfast-server/holdfast/http1/forwarded"
)

func TestXForwardedFor(t *testing.T) {
	xff := func(value string) []string { return []string{"X-Forwarded-For: " + value} }
	check(t, forwarded.XForwardedFor, []row{
		{"one address", xff("192.0.2.7"), "192.0.2.7:0 http"},
		{"with a port", xff("192.0.2.7:4711"), "192.0.2.7:4711 http"},
		{"an IPv6 address without brackets", xff("2001:db8::7"), "[2001:db8::7]:0 http"},
		{"in brackets", xff("[2001:db8::7]"), "[2001:db8::7]:0 http"},
		{"in brackets with a port", xff("[2001:db8::7]:4711"), "[2001:db8::7]:4711 http"},
		{"an IPv4 address in IPv6", xff("::ffff:192.0.2.7"), "192.0.2.7:0 http"},
		{"trusted hops are walked over", xff("192.0.2.7, 10.0.0.3,10.0.0.2"), "192.0.2.7:0 http"},
		{"several lines are one list", []string{"x-forwarded-for: 192.0.2.7", "X-Forwarded-For: 10.0.0.3", "X-FORWARDED-FOR: 10.0.0.2"}, "192.0.2.7:0 http"},
		{"no further than the first that is not trusted", xff("10.0.0.9, 192.0.2.8, 192.0.2.7, 10.0.0.2"), "192.0.2.7:0 http"},
		{"all trusted: the leftmost", xff("10.0.0.4, 10.0.0.3, 10.0.0.2"), "10.0.0.4:0 http"},
		{"unknown ends the walk", xff("192.0.2.7, unknown, 10.0.0.2"), "10.0.0.2:0 http"},
		{"so does an obfuscated one", xff("192.0.2.7, _hidden, 10.0.0.2"), "10.0.0.2:0 http"},
		{"so does an empty one", xff("192.0.2.7, , 10.0.0.2"), "10.0.0.2:0 http"},
		{"so does an empty line", []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-For:"}, unknown},
		{"a zone", xff("fe80::1%eth0"), unknown},
		{"quotes", xff(`"192.0.2.7"`), unknown},
		{"a name", xff("a.example"), unknown},
		{"a socket", xff("unix:"), unknown},
		{"a port out of range", xff("192.0.2.7:65536"), unknown},
		{"a network", xff("192.0.2.0/24"), unknown},
		{"two addresses without a comma", xff("192.0.2.7 192.0.2.8"), unknown},
	})
}

func TestXForwardedProto(t *testing.T) {
	xff := func(list, protos string) []string {
		return []string{"X-Forwarded-For: " + list, "X-Forwarded-Proto: " + protos}
	}
	check(t, forwarded.XForwardedFor, []row{
		{"one for one", xff("192.0.2.7", "https"), "192.0.2.7:0 https"},
		{"in any case", xff("192.0.2.7", "HTTPS"), "192.0.2.7:0 https"},
		{"as many as addresses: the aligned one", xff("192.0.2.7, 10.0.0.2", "https, http"), "192.0.2.7:0 https"},
		{"also the lesser one", xff("192.0.2.7, 10.0.0.2", "http, https"), "192.0.2.7:0 http"},
		{"too few: the rightmost", xff("192.0.2.7, 10.0.0.2", "https"), "192.0.2.7:0 https"},
		{"aligned from the right, whatever a client put in front", xff("192.0.2.9, 192.0.2.7, 10.0.0.2", "https, http"), "192.0.2.7:0 https"},
		{"on either side", xff("192.0.2.7", "https, http"), "192.0.2.7:0 http"},
		{"several lines are one list", []string{"X-Forwarded-For: 192.0.2.7, 10.0.0.2", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, "192.0.2.7:0 https"},
		{"alone", []string{"X-Forwarded-Proto: https"}, "10.0.0.1:4000 https"},
		{"alone, of several the rightmost", []string{"X-Forwarded-Proto: https, http"}, unknown},
		{"of a client that is unknown", xff("192.0.2.7, unknown", "http, https"), "10.0.0.1:4000 https"},
		{"another scheme is not taken", xff("192.0.2.7", "wss"), "192.0.2.7:0 http"},
		{"nor is its neighbour's instead", xff("192.0.2.7, 10.0.0.2", "wss, https"), "192.0.2.7:0 http"},
		{"nor one that only looks the same", xff("192.0.2.7", "httpſ"), "192.0.2.7:0 http"},
		{"empty", xff("192.0.2.7", ""), "192.0.2.7:0 http"},
		{"in quotes", xff("192.0.2.7", `"https"`), "192.0.2.7:0 http"},
	})
}

// A balancer that passes on what it does not read connects for a client it does not name.
func TestUnnamedPeer(t *testing.T) {
	r := ask("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
	r.Unnamed = true
	if got := seen(t, forwarded.Options{Trusts: trusts}, r); got != front.String()+" http" {
		t.Errorf("%s asked, want the peer", got)
	}
}
