package forwarded_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1/forwarded"
)

// FuzzFields holds, for whatever a client sends, that the client found is the peer or an
// address that stands in the field, to the right of which every entry is a trusted proxy's;
// that nothing it sends has an effect where a proxy has appended its word; and that nobody
// is believed without trust.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		"", ",", "for=192.0.2.7", `for="[2001:db8::7]:4711";proto=https, for=10.0.0.2`, `for="192.0.2.7\"`, "for=_x;proto=https",
		"192.0.2.7, 10.0.0.2:99", "[2001:db8::7]:1, ::1", "unknown", `x="\\", for=192.0.2.7;by="`, "10.0.0.2,,10.0.0.3",
	} {
		f.Add(seed, "https")
	}
	f.Fuzz(func(t *testing.T, value, proto string) {
		if !isFieldValue(value) || !isFieldValue(proto) {
			return // the parser of the head would have
		}
		checkFound(t, forwarded.Forwarded, value, []string{"Forwarded: " + value})
		x := []string{"X-Forwarded-For: " + value, "X-Forwarded-Proto: " + proto}
		checkFound(t, forwarded.XForwardedFor, value, x)
		checkAppended(t, value, proto)
		if got := seen(t, forwarded.Options{Trusts: func(netip.Addr) bool { return false }}, ask(x...)); got != unknown {
			t.Errorf("%q: %s was believed without trust", value, got)
		}
	})
}

func isFieldValue(s string) bool {
	return len(s) < 16<<10 && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F })
}

// checkFound holds that the client is the peer or stands there, with only proxies behind.
func checkFound(t *testing.T, field forwarded.Source, value string, lines []string) {
	t.Helper()
	got := seen(t, forwarded.Options{Trusts: trusts, Field: field}, ask(lines...))
	client, _, _ := strings.Cut(got, " ")
	found := netip.MustParseAddrPort(client)
	if found == front {
		return
	}
	plain := strings.ReplaceAll(value, `\`, "")
	entries := strings.Split(plain, ",")
	for i := len(entries) - 1; i >= 0; i-- {
		named := addresses(entries[i])
		if len(named) == 0 && !strings.Contains(plain, `"`) {
			break // an entry without an address ends the walk
		}
		for _, addr := range named {
			if addr == found.Addr() {
				return
			}
		}
		if !strings.ContainsAny(entries[i], `"=`) && !trusts(named[0]) {
			break
		}
	}
	t.Errorf("%q: %s does not stand behind trusted proxies", value, got)
}

var addressLike = regexp.MustCompile(`[0-9a-fA-F:.]*[0-9a-fA-F:]`)

// addresses are those that somebody could read in a text, with a port or without.
func addresses(text string) (all []netip.Addr) {
	for _, s := range addressLike.FindAllString(text, -1) {
		host, _, _ := strings.Cut(s, ":")
		for _, candidate := range []string{s, host} {
			if addr, err := netip.ParseAddr(candidate); err == nil {
				all = append(all, addr.Unmap())
			}
		}
	}
	return all
}

// checkAppended holds that what a client sent does not count where a proxy has appended
// to it, be it to the line or a line.
func checkAppended(t *testing.T, value, proto string) {
	t.Helper()
	const byRFC, byHabit = `for="192.0.2.7:9";host="a\"b";proto=http`, "192.0.2.7:9"
	for _, c := range []struct {
		field forwarded.Source
		lines []string
	}{
		{forwarded.Forwarded, []string{"Forwarded: " + value, "Forwarded: " + byRFC}},
		{forwarded.Forwarded, []string{"Forwarded: " + value + ", " + byRFC}},
		{forwarded.Forwarded, []string{"Forwarded: " + value + "," + byRFC + ", for=10.0.0.2;proto=https"}},
		{forwarded.XForwardedFor, []string{"X-Forwarded-For: " + value, "X-Forwarded-For: " + byHabit, "X-Forwarded-Proto: " + proto, "X-Forwarded-Proto: http"}},
		{forwarded.XForwardedFor, []string{"X-Forwarded-For: " + value + "," + byHabit + ", 10.0.0.2", "X-Forwarded-Proto: " + proto + ",http,https"}},
	} {
		if got := seen(t, forwarded.Options{Trusts: trusts, Field: c.field}, ask(c.lines...)); got != "192.0.2.7:9 http" {
			t.Errorf("%q: %s, want what the proxy appended", c.lines, got)
		}
	}
}
