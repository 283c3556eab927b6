package forwarded_test

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/forwarded"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// The proxies of the tests are 10.0.0.0/8 and 2001:db8:f::/48; the one that connects is
// 10.0.0.1, port 4000.
var (
	proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48")}
	front   = netip.MustParseAddrPort("10.0.0.1:4000")
)

func trusts(addr netip.Addr) bool {
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// seen is who asks, as the handler behind saw it and a record would have it: "ADDR:PORT SCHEME".
func seen(t testing.TB, o forwarded.Options, r http1test.Request) string {
	t.Helper()
	var inside string
	res := http1test.Do(forwarded.Handler(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
		inside = r.Client().String() + " " + r.Scheme()
	}), o), r)
	if outside := res.Client.String() + " " + res.Scheme; inside != outside || res.Result.Err != nil {
		t.Fatalf("the handler saw %s, the record has %s, error %v", inside, outside, res.Result.Err)
	}
	return inside
}

// ask is a request from the proxy with these lines, each "Name: value".
func ask(lines ...string) http1test.Request {
	r := http1test.Request{Client: front}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		r.Fields = append(r.Fields, name, strings.TrimSpace(value))
	}
	return r
}

// A row is the lines of one request and who asked it.
type row struct {
	name  string
	lines []string
	want  string
}

const unknown = "10.0.0.1:4000 http" // the proxy, for want of anything better

func check(t *testing.T, field forwarded.Source, rows []row) {
	t.Helper()
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			if got := seen(t, forwarded.Options{Trusts: trusts, Field: field}, ask(c.lines...)); got != c.want {
				t.Errorf("%q: %s, want %s", c.lines, got, c.want)
			}
		})
	}
}

// logTo is a log and what was written to it.
func logTo() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}
