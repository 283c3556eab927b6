package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestLookup(t *testing.T) {
	known := zone{
		"A dock.example.org":       {address("192.0.2.1"), address("192.0.2.2")},
		"CNAME www.example.org":    {alias("pier.example.org")},
		"CNAME pier.example.org":   {alias("dock.example.org")},
		"CNAME ring.example.org":   {alias("loop.example.org")},
		"CNAME loop.example.org":   {alias("ring.example.org")},
		"CNAME adrift.example.org": {alias("nowhere.example.org")},
	}
	for _, c := range []struct {
		name   string
		server *nameServer
		domain string
		count  int
		fault  string
	}{
		{"addresses", &nameServer{}, "dock.example.org", 2, ""},
		{"a name without records of the kind", &nameServer{}, "bare.example.org", 0, ""},
		{"through aliases", &nameServer{}, "www.example.org", 2, ""},
		{"through aliases that come one at a time", &nameServer{partial: true}, "www.example.org", 2, ""},
		{"an alias that leads nowhere", &nameServer{}, "adrift.example.org", 0, ""},
		{"a ring of aliases", &nameServer{partial: true}, "ring.example.org", 0, "aliases in a row"},
		{"by TCP where the answer is cut", &nameServer{cut: true}, "dock.example.org", 2, ""},
		{"past forged answers", &nameServer{forge: true}, "dock.example.org", 2, ""},
		{"no such name", &nameServer{rcodes: map[string]dnsmessage.RCode{"A dock.example.org": dnsmessage.RCodeNameError}}, "dock.example.org", 0, "NXDOMAIN"},
		{"a failure", &nameServer{rcodes: map[string]dnsmessage.RCode{"A dock.example.org": dnsmessage.RCodeServerFailure}}, "dock.example.org", 0, "SERVFAIL"},
		{"a refusal", &nameServer{rcodes: map[string]dnsmessage.RCode{"A dock.example.org": dnsmessage.RCodeRefused}}, "dock.example.org", 0, "REFUSED"},
		{"a name that is too long", &nameServer{}, strings.Repeat("a.", 130) + "org", 0, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.zone = known
			r := resolver{servers: []string{c.server.start(t).addr}, patience: patience}
			got, err := r.lookup(t.Context(), c.domain, dnsmessage.TypeA)
			if len(got) != c.count || (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("got %d records and %v, want %d and %q", len(got), err, c.count, c.fault)
			}
		})
	}
	silent := map[string]bool{"A dock.example.org": true}
	t.Run("silence ends with its patience", func(t *testing.T) {
		r := resolver{servers: []string{(&nameServer{silent: silent}).start(t).addr}, patience: 40 * time.Millisecond}
		if _, err := r.lookup(t.Context(), "dock.example.org", dnsmessage.TypeA); err == nil {
			t.Error("it was answered")
		}
	})
	t.Run("the next server is asked", func(t *testing.T) {
		mute := (&nameServer{silent: silent}).start(t)
		ill := (&nameServer{rcodes: map[string]dnsmessage.RCode{"A dock.example.org": dnsmessage.RCodeServerFailure}}).start(t)
		well := (&nameServer{zone: known}).start(t)
		r := resolver{servers: []string{ill.addr, mute.addr, well.addr}, patience: 3 * time.Second}
		if got, err := r.lookup(t.Context(), "dock.example.org", dnsmessage.TypeA); err != nil || len(got) != 2 {
			t.Errorf("got %d records and %v", len(got), err)
		}
	})
	t.Run("a cancelled lookup ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := resolver{servers: []string{(&nameServer{silent: silent}).start(t).addr}, patience: time.Hour}
		if _, err := r.lookup(ctx, "dock.example.org", dnsmessage.TypeA); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("without a server", func(t *testing.T) {
		if _, err := new(resolver).lookup(t.Context(), "a", dnsmessage.TypeA); err == nil {
			t.Error("no error")
		}
	})
}

// The answer to another question, or to nobody's, is none.
func TestAnswers(t *testing.T) {
	question := func(name string, kind dnsmessage.Type) []dnsmessage.Question {
		return []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}
	}
	q := &dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: question("a.org.", dnsmessage.TypeA)}
	for _, c := range []struct {
		name string
		m    dnsmessage.Message
		want bool
	}{
		{"the answer", dnsmessage.Message{Header: dnsmessage.Header{ID: 7, Response: true}, Questions: q.Questions}, true},
		{"in other case", dnsmessage.Message{Header: dnsmessage.Header{ID: 7, Response: true}, Questions: question("A.ORG.", dnsmessage.TypeA)}, true},
		{"a question", dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: q.Questions}, false},
		{"another ID", dnsmessage.Message{Header: dnsmessage.Header{ID: 8, Response: true}, Questions: q.Questions}, false},
		{"another name", dnsmessage.Message{Header: dnsmessage.Header{ID: 7, Response: true}, Questions: question("b.org.", dnsmessage.TypeA)}, false},
		{"another type", dnsmessage.Message{Header: dnsmessage.Header{ID: 7, Response: true}, Questions: question("a.org.", typeCAA)}, false},
		{"no question", dnsmessage.Message{Header: dnsmessage.Header{ID: 7, Response: true}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := answers(&c.m, q); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSystemResolvers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	const text = "# a comment\nsearch example.org\nnameserver 192.0.2.53\nnameserver nonsense\nnameserver\nnameserver 2001:db8::53\noptions edns0\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"192.0.2.53:53", "[2001:db8::53]:53", "192.0.2.1:53"}
	if got, err := SystemResolvers(path); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := SystemResolvers(path + ".missing"); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestCAA(t *testing.T) {
	const domain = "a.dock.example.org"
	ca := []string{"ca.example"}
	for _, c := range []struct {
		name string
		zone zone
		want string
	}{
		{"none anywhere", zone{}, "ok: no CAA record limits"},
		{"for this CA", zone{"CAA " + domain: {caa(0, "issue", "ca.example")}}, "ok: CAA at a.dock.example.org lets ca.example issue"},
		{"in any case and with blanks", zone{"CAA " + domain: {caa(0, "ISSUE", " CA.example ;")}}, "ok: CAA at a.dock.example.org lets ca.example issue"},
		{"for another CA", zone{"CAA " + domain: {caa(0, "issue", "other.example")}}, "fault: CAA at a.dock.example.org lets issue other.example, and not ca.example"},
		{"for another and this", zone{"CAA " + domain: {caa(0, "issue", "other.example"), caa(0, "issue", "ca.example")}}, "ok: CAA at"},
		{"for nobody", zone{"CAA " + domain: {caa(0, "issue", ";")}}, "fault: CAA at a.dock.example.org lets issue nobody"},
		{"issuewild alone", zone{"CAA " + domain: {caa(0, "issuewild", "other.example"), caa(0, "iodef", "mailto:a@b")}}, "ok: the CAA records of a.dock.example.org limit wildcards at most"},
		{"issuewild does not allow a plain name", zone{"CAA " + domain: {caa(0, "issue", "other.example"), caa(0, "issuewild", "ca.example")}}, "fault: CAA at"},
		{"further up the tree", zone{"CAA example.org": {caa(0, "issue", "other.example")}}, "fault: CAA at example.org lets issue other.example"},
		{"the closest decides", zone{"CAA org": {caa(0, "issue", "other.example")}, "CAA dock.example.org": {caa(0, "issue", "ca.example")}}, "ok: CAA at dock.example.org"},
		{"behind an alias", zone{"CNAME " + domain: {alias("cdn.example.net")}, "CAA cdn.example.net": {caa(0, "issue", "other.example")}}, "fault: CAA at a.dock.example.org lets issue other.example"},
		{"an alias's parents do not count", zone{"CNAME " + domain: {alias("cdn.example.net")}, "CAA example.net": {caa(0, "issue", "other.example")}}, "ok: no CAA record limits"},
		{"an unknown critical property", zone{"CAA " + domain: {caa(criticalBit, "tbs", "x")}}, "fault: a.dock.example.org has the critical CAA record 128 tbs \"x\""},
		{"an unknown property", zone{"CAA " + domain: {caa(0, "tbs", "x")}}, "ok: the CAA records of"},
		{"one challenge", zone{"CAA " + domain: {caa(0, "issue", "ca.example; validationmethods=http-01")}}, "ok: CAA at"},
		{"neither challenge", zone{"CAA " + domain: {caa(0, "issue", "ca.example; validationmethods=dns-01")}}, "fault: CAA at a.dock.example.org lets ca.example issue, but by neither tls-alpn-01 nor http-01"},
		{"one account", zone{"CAA " + domain: {caa(0, "issue", "ca.example; accounturi=https://ca.example/7")}}, "ok: CAA at"},
		{"a damaged record", zone{"CAA " + domain: {&dnsmessage.UnknownResource{Type: typeCAA, Data: []byte{0, 9, 'i'}}}}, "warning: the CAA records of a.dock.example.org are not to be had: a damaged CAA record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &Doctor{Resolvers: []string{(&nameServer{zone: c.zone}).start(t).addr}, Patience: patience}
			r := caaOf(d, domain, ca...)
			if got := of(r, "caa"); len(got) == 0 || !strings.HasPrefix(got[0], c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("parameters are noted", func(t *testing.T) {
		z := zone{"CAA " + domain: {caa(0, "issue", "ca.example; validationmethods=http-01; accounturi=https://ca.example/7")}}
		r := caaOf(&Doctor{Resolvers: []string{(&nameServer{zone: z}).start(t).addr}, Patience: patience}, domain, ca...)
		if got := strings.Join(of(r, "caa"), "\n"); r.Count(Note) != 2 || !strings.Contains(got, "tls-alpn-01") || !strings.Contains(got, "https://ca.example/7") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("one record without an account lets every account issue", func(t *testing.T) {
		z := zone{"CAA " + domain: {caa(0, "issue", "ca.example"), caa(0, "issue", "ca.example; accounturi=https://ca.example/7")}}
		r := caaOf(&Doctor{Resolvers: []string{(&nameServer{zone: z}).start(t).addr}, Patience: patience}, domain, ca...)
		if r.Count(Note) != 0 {
			t.Errorf("got %q", of(r, "caa"))
		}
	})
	t.Run("a CA whose names are not known", func(t *testing.T) {
		z := zone{"CAA " + domain: {caa(0, "issue", "other.example")}}
		want(t, caaOf(&Doctor{Resolvers: []string{(&nameServer{zone: z}).start(t).addr}, Patience: patience}, domain), "caa", "note: CAA at a.dock.example.org lets issue: other.example")
	})
	t.Run("a server that fails for CAA alone makes the CA refuse", func(t *testing.T) {
		s := &nameServer{rcodes: map[string]dnsmessage.RCode{"CAA dock.example.org": dnsmessage.RCodeServerFailure}}
		want(t, caaOf(&Doctor{Resolvers: []string{s.start(t).addr}, Patience: patience}, domain, ca...), "caa", "fault: the CAA records of dock.example.org are not to be had: the resolver failed")
	})
	t.Run("silence is a warning: it may be the resolver's", func(t *testing.T) {
		s := &nameServer{silent: map[string]bool{"CAA " + domain: true}}
		want(t, caaOf(&Doctor{Resolvers: []string{s.start(t).addr}, Patience: 40 * time.Millisecond}, domain, ca...), "caa", "warning: the CAA records of a.dock.example.org")
	})
	t.Run("a resolver that is not there", func(t *testing.T) {
		nobody := fmt.Sprintf("127.0.0.1:%d", closedPort(t))
		want(t, caaOf(&Doctor{Resolvers: []string{nobody}, Patience: patience}, domain, ca...), "caa", "warning: ")
	})
}

func FuzzParseCAA(f *testing.F) {
	f.Add([]byte{0, 5, 'i', 's', 's', 'u', 'e', 'a', '.', 'b'})
	f.Add([]byte{128, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseCAA(data)
		if err == nil && len(r.tag) == 0 {
			t.Errorf("no tag in %+v", r)
		}
		var c chart
		judgeCAA(&c, "a.org", []caaRecord{r}, []string{"a.org"})
		if err == nil && len(c.findings) == 0 {
			t.Errorf("%+v is judged by silence", r)
		}
	})
}
