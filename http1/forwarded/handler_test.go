package forwarded_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/forwarded"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// A client that sends fields of its own through a proxy that appends: 192.0.2.7 is who
// it is, 203.0.113.66 who it would be.
func TestSpoofing(t *testing.T) {
	const proxyAppends = ", for=192.0.2.7;proto=http"
	check(t, forwarded.Forwarded, []row{
		{"an address", one("for=203.0.113.66" + proxyAppends), "192.0.2.7:0 http"},
		{"a trusted address", one("for=203.0.113.66, for=10.0.0.5" + proxyAppends), "192.0.2.7:0 http"},
		{"a scheme", one("for=203.0.113.66;proto=https" + proxyAppends), "192.0.2.7:0 http"},
		{"a quote that is left open", one(`for=203.0.113.66;x="` + proxyAppends), "192.0.2.7:0 http"},
		{"a quote that is left open behind a backslash", one(`for="203.0.113.66\"` + proxyAppends), "192.0.2.7:0 http"},
		{"a backslash at the end", one(`for=203.0.113.66\` + proxyAppends), "192.0.2.7:0 http"},
		{"a quote to swallow the proxy's", one(`for=203.0.113.66;x="` + `, for="192.0.2.7"`), "192.0.2.7:0 http"},
		{"a quote to swallow a part of the proxy's", one(`for=203.0.113.66;x="` + `, for="[2001:db8::7]";host="a.example";proto=http`), "[2001:db8::7]:0 http"},
		{"a semicolon to go on in", one(`for=203.0.113.66;` + proxyAppends), "192.0.2.7:0 http"},
		{"lines of its own", []string{"Forwarded: for=203.0.113.66", `Forwarded: for="10.0.0.9`, "Forwarded: for=192.0.2.7"}, "192.0.2.7:0 http"},
	})
	check(t, forwarded.XForwardedFor, []row{
		{"X: an address", []string{"X-Forwarded-For: 203.0.113.66, 192.0.2.7"}, "192.0.2.7:0 http"},
		{"X: a trusted address", []string{"X-Forwarded-For: 203.0.113.66, 10.0.0.5, 192.0.2.7"}, "192.0.2.7:0 http"},
		{"X: a quote", []string{`X-Forwarded-For: 203.0.113.66, "10.0.0.5, 192.0.2.7`}, "192.0.2.7:0 http"},
		{"X: lines of its own", []string{"X-Forwarded-For: 203.0.113.66", "X-Forwarded-For: 10.0.0.5", "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7:0 http"},
		{"X: a scheme, behind a proxy that appends", []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"}, "192.0.2.7:0 http"},
		{"X: a field that the proxy does not write", []string{"Forwarded: for=203.0.113.66;proto=https", "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7:0 http"},
	})
	check(t, forwarded.Forwarded, []row{
		{"a field that the proxy does not write", []string{"Forwarded: for=192.0.2.7", "X-Forwarded-For: 203.0.113.66", "X-Forwarded-Proto: https"}, "192.0.2.7:0 http"},
		{"that field alone", []string{"X-Forwarded-For: 203.0.113.66", "X-Forwarded-Proto: https"}, unknown},
	})
}

func TestWhoIsBelieved(t *testing.T) {
	fields := ask("Forwarded: for=192.0.2.7;proto=https").Fields
	all := forwarded.Options{Trusts: func(netip.Addr) bool { return true }}
	for _, c := range []struct {
		name string
		o    forwarded.Options
		ask  http1test.Request
		want string
	}{
		{"a trusted peer", forwarded.Options{Trusts: trusts}, http1test.Request{Client: front}, "192.0.2.7:0 https"},
		{"a trusted peer in IPv6's clothes", forwarded.Options{Trusts: trusts}, http1test.Request{Client: netip.MustParseAddrPort("[::ffff:10.0.0.1]:1")}, "192.0.2.7:0 https"},
		{"nobody else", forwarded.Options{Trusts: trusts}, http1test.Request{Client: netip.MustParseAddrPort("192.0.2.9:1")}, "192.0.2.9:1 http"},
		{"nobody on a unix socket", forwarded.Options{Trusts: trusts}, http1test.Request{Unix: true}, "invalid AddrPort http"},
		{"but where it is trusted", all, http1test.Request{Unix: true}, "192.0.2.7:0 https"},
		{"nobody without trust", forwarded.Options{}, http1test.Request{Client: front}, "10.0.0.1:4000 http"},
		{"over TLS too, down to http", forwarded.Options{Trusts: trusts}, http1test.Request{Client: front, Secure: true, Fields: []string{"Forwarded", "for=192.0.2.7;proto=http"}}, "192.0.2.7:0 http"},
		{"over TLS a proxy without a word on it leaves https", forwarded.Options{Trusts: trusts}, http1test.Request{Client: front, Secure: true, Fields: []string{"Forwarded", "for=192.0.2.7"}}, "192.0.2.7:0 https"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.ask.Fields == nil {
				c.ask.Fields = fields
			}
			if got := seen(t, c.o, c.ask); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
	t.Run("handlers can read the fields, whoever sent them", func(t *testing.T) {
		var got []string
		h := forwarded.Handler(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
			got = append(got, r.Field("Forwarded"), r.Peer().String())
		}), forwarded.Options{Trusts: trusts})
		http1test.Do(h, http1test.Request{Client: front, Fields: fields})
		http1test.Do(h, http1test.Request{Fields: fields})
		if want := []string{fields[1], "10.0.0.1:4000", fields[1], "192.0.2.1:50000"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestAuto(t *testing.T) {
	check(t, forwarded.Auto, []row{
		{"nothing", nil, unknown},
		{"Forwarded", []string{"Forwarded: for=192.0.2.7;proto=https"}, "192.0.2.7:0 https"},
		{"X-Forwarded-For", []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"}, "192.0.2.7:0 https"},
		{"both, and they agree", []string{"Forwarded: for=192.0.2.7;proto=https", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"}, "192.0.2.7:0 https"},
		{"one of them knows the port", []string{`Forwarded: for="192.0.2.7:4711"`, "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7:4711 http"},
		{"the other does", []string{"Forwarded: for=192.0.2.7", "X-Forwarded-For: 192.0.2.7:4711"}, "192.0.2.7:4711 http"},
		{"they differ in the port", []string{`Forwarded: for="192.0.2.7:4712"`, "X-Forwarded-For: 192.0.2.7:4711"}, unknown},
		{"they differ in the client", []string{"Forwarded: for=203.0.113.66", "X-Forwarded-For: 192.0.2.7"}, unknown},
		{"they differ in the scheme", []string{"Forwarded: for=192.0.2.7;proto=http", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"}, unknown},
		{"one is silent on the scheme", []string{"Forwarded: for=192.0.2.7", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"}, unknown},
		{"one is malformed", []string{"Forwarded: for=;", "X-Forwarded-For: 192.0.2.7"}, unknown},
		{"both are, and so agree on nothing", []string{"Forwarded: for=;", "X-Forwarded-For: x"}, unknown},
		{"a scheme alone is a word too", []string{"Forwarded: for=192.0.2.7", "X-Forwarded-Proto: https"}, unknown},
	})
}

func TestDisagreementIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := logTo()
		h := forwarded.Handler(http1.HandlerFunc(func(*http1.Response, *http1.Request) {}), forwarded.Options{Trusts: trusts, Log: log})
		told := func() int {
			for range 3 {
				http1test.Do(h, ask("Forwarded: for=203.0.113.66", "X-Forwarded-For: 192.0.2.7"))
			}
			return strings.Count(out.String(), "\n")
		}
		for _, step := range []struct {
			later time.Duration
			lines int
		}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {time.Hour, 3}} {
			time.Sleep(step.later)
			if got := told(); got != step.lines {
				t.Errorf("%v later: %d lines, want %d", step.later, got, step.lines)
			}
		}
		for _, want := range []string{"level=WARN", "--forwarded-field", "peer=10.0.0.1:4000", "request="} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log lacks %q: %s", want, out)
			}
		}
	})
	t.Run("agreement is not", func(t *testing.T) {
		log, out := logTo()
		seen(t, forwarded.Options{Trusts: trusts, Log: log}, ask("Forwarded: for=192.0.2.7", "X-Forwarded-For: 192.0.2.7"))
		if out.Len() > 0 {
			t.Error(out)
		}
	})
}

func TestRequestsWithoutTheFieldsAllocateNothing(t *testing.T) {
	for name, peer := range map[string]netip.AddrPort{"from the proxy": front, "from somebody": {}} {
		t.Run(name, func(t *testing.T) {
			allocs := -1.0
			var wrapped http1.Handler
			served := 0
			counts := http1.HandlerFunc(func(*http1.Response, *http1.Request) { served++ })
			wrapped = forwarded.Handler(counts, forwarded.Options{Trusts: trusts})
			http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				allocs = testing.AllocsPerRun(1000, func() { wrapped.Serve(w, r) })
			}), http1test.Request{Client: peer, Fields: []string{"Accept", "*/*", "User-Agent", "x", "X-Forwarded-Host", "a"}})
			if allocs != 0 || served < 1000 {
				t.Errorf("%v allocations a request, %d served", allocs, served)
			}
		})
	}
}
