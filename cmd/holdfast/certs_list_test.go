package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
)

// fakeRenewer is what a renewer of a public CA's certificates will be.
type fakeRenewer struct {
	status  []renewalStatus
	said    []string
	renewed []string
	err     error
}

func (f *fakeRenewer) Status() []renewalStatus { return f.status }

func (f *fakeRenewer) mine(host string) error {
	for _, s := range f.status {
		if s.covers(host) {
			return f.err
		}
	}
	return errNotMine
}

func (f *fakeRenewer) Explain(_ context.Context, host string) ([]string, error) {
	return f.said, f.mine(host)
}

func (f *fakeRenewer) Renew(_ context.Context, host string, _ bool) (string, error) {
	err := f.mine(host)
	if err == nil {
		f.renewed = append(f.renewed, host)
	}
	return "an order is placed", err
}

// runningWith is a server with these renewers.
func runningWith(renewers ...renewer) *running {
	return &running{house: &house{certificates: certificates{renewers: renewers}}}
}

func about(host string) control.Call {
	args, _ := json.Marshal(certsHostArgs{Host: host})
	return control.Call{Args: args}
}

func TestCertsListing(t *testing.T) {
	now := time.Now()
	other := &fakeRenewer{status: []renewalStatus{{Hosts: []string{"pier.example.org"}, Source: "ACME", Why: "no order was placed yet"}}}
	served := &certs.Certificate{
		Names: []string{"dock.example.org"}, Source: "ACME", Issuer: "A CA", Serial: "1f",
		NotBefore: now.Add(-30 * 24 * time.Hour), NotAfter: now.Add(60 * 24 * time.Hour),
	}
	acme := &fakeRenewer{
		status: []renewalStatus{{Served: served, Next: now.Add(29 * 24 * time.Hour), Why: "the CA suggests it", LastError: strings.Repeat("e", 2000), LastErrorAt: now}},
		said:   []string{"At noon an order was placed."},
	}
	r := runningWith(other, acme)
	t.Run("has every renewer's, served or not", func(t *testing.T) {
		got, err := r.listCertificates(t.Context(), control.Call{})
		list := got.(certsListing).Certificates
		if err != nil || len(list) != 2 {
			t.Fatalf("got %+v, %v", got, err)
		}
		if c := list[0]; c.Hosts[0] != "pier.example.org" || c.NotAfter != nil || c.NextRenewal != nil || c.LifeLeft != nil || c.Why == "" {
			t.Errorf("the one that is not served: %+v", c)
		}
		if c := list[1]; c.Serial != "1f" || *c.LifeLeft < 0.66 || *c.LifeLeft > 0.67 || c.NextRenewal == nil || len(c.LastError) != errorLimitBytes {
			t.Errorf("the one that is: %+v", c)
		}
	})
	t.Run("is bounded", func(t *testing.T) {
		many := &fakeRenewer{status: make([]renewalStatus, certificatesLimit+3)}
		for i := range many.status {
			many.status[i].Hosts = make([]string, namesLimit+7)
		}
		got, err := runningWith(many).listCertificates(t.Context(), control.Call{})
		if l := got.(certsListing); err != nil || len(l.Certificates) != certificatesLimit || l.NotListed != 3 || l.Certificates[0].NotListed != 7 {
			t.Errorf("%d rows, %d not listed, %v", len(l.Certificates), l.NotListed, err)
		}
	})
	t.Run("explain asks the renewer whose host it is", func(t *testing.T) {
		got, err := r.explainCertificate(t.Context(), about("DOCK.example.org."))
		e, _ := got.(certsExplanation)
		if err != nil || e.Host != "dock.example.org" || listed(e.Sentences) != listed(acme.said) || e.Certificate.Serial != "1f" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("renew asks that renewer alone", func(t *testing.T) {
		got, err := r.renewCertificate(t.Context(), about("dock.example.org"))
		if err != nil || got.(certsRenewal).Outcome != "an order is placed" || len(acme.renewed) != 1 || len(other.renewed) != 0 {
			t.Errorf("got %+v, %v; renewed %q and %q", got, err, acme.renewed, other.renewed)
		}
	})
	t.Run("a renewer's refusal is told", func(t *testing.T) {
		other.err = errors.New("it cools down for another hour")
		_, err := r.renewCertificate(t.Context(), about("pier.example.org"))
		if err == nil || err.Error() != "pier.example.org is not renewed: it cools down for another hour" {
			t.Errorf("got %v", err)
		}
	})
	for _, c := range []struct {
		name, host, want string
		r                *running
	}{
		{"a host that nobody has", "reef.example.org", "no certificate for reef.example.org; holdfast certs list", r},
		{"a server without HTTPS", "reef.example.org", "it listens for no HTTPS", runningWith()},
		{"no host name", "a b", `host "a b" is no host name`, r},
	} {
		t.Run(c.name+" is a fault", func(t *testing.T) {
			for _, verb := range []control.Verb{c.r.explainCertificate, c.r.renewCertificate} {
				if _, err := verb(t.Context(), about(c.host)); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
}

func TestCoversHost(t *testing.T) {
	names := []string{"dock.example.org", "*.pier.example.org", "127.0.0.1", "*.0.0.2"}
	for host, want := range map[string]bool{
		"dock.example.org": true, "a.pier.example.org": true, "*.pier.example.org": true, "127.0.0.1": true,
		"pier.example.org": false, "a.b.pier.example.org": false, "example.org": false, "127.0.0.2": false, "": false,
	} {
		if got := coversHost(names, host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

func TestCertsTable(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) *time.Time { return utc(now.Add(d)) }
	third, none := 1.0/3, 0.0
	l := certsListing{NotListed: 2, Certificates: []certsRow{
		{Hosts: []string{"a.example", "b.example", "c.example"}, NotListed: 4, Source: "ACME", Issuer: "CA \x1b[2J", NotAfter: at(30 * 24 * time.Hour), LifeLeft: &third,
			NextRenewal: at(36 * time.Hour), Why: "the CA suggests it"},
		{Hosts: []string{"d.example"}, Source: "file d.pem", Issuer: "CA", NotAfter: at(-time.Hour), LifeLeft: &none, Why: "others renew it", LastError: "no key"},
		{Hosts: []string{"e.example"}, Source: "ACME", NextRenewal: at(-time.Second), Why: "the first order", LastError: "refused", LastErrorAt: at(-time.Minute)},
	}}
	var got bytes.Buffer
	l.write(&got, now)
	const want = `HOST                            SOURCE      ISSUER       EXPIRES                  LIFE LEFT  NEXT RENEWAL                                  LAST ERROR
a.example, b.example and 5 more  ACME        CA \x1b[2J  2026-03-31 (in 30 days)  33%        2026-03-03 (in 36 hours): the CA suggests it  -
d.example                       file d.pem  CA           2026-03-01 (expired)     0%         others renew it                               no key
e.example                       ACME        -            no certificate yet       -          due: the first order                          2026-03-01T11:59:00Z: refused
and 2 more
`
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	for i, line := range lines(got.String()) {
		if squeeze(line) != squeeze(lines(want)[i]) {
			t.Errorf("line %d\n%s\nwant\n%s", i, line, lines(want)[i])
		}
	}
	if n := len(lines(got.String())); n != len(lines(want)) {
		t.Errorf("%d lines:\n%s", n, &got)
	}
	t.Run("a server without any says so", func(t *testing.T) {
		var got bytes.Buffer
		new(certsListing).write(&got, now)
		if got.String() != "the server has no certificates\n" {
			t.Errorf("got %q", &got)
		}
	})
	t.Run("an explanation has the certificate and then the sentences", func(t *testing.T) {
		var got bytes.Buffer
		e := certsExplanation{Host: "a.example", Certificate: &l.Certificates[0], Sentences: []string{"One.", "Two\x07."}}
		e.write(&got, now)
		for _, want := range []string{"source        ACME\n", "expires       2026-03-31 (in 30 days), with 33% of its life left\n", "last error    -\n\nOne.\nTwo\\x07.\n"} {
			if !strings.Contains(got.String(), want) {
				t.Errorf("no %q in\n%s", want, &got)
			}
		}
	})
}

func TestLifeLeft(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for after, want := range map[time.Duration]float64{-time.Hour: 1, 0: 1, 25 * time.Hour: 0.75, 100 * time.Hour: 0, 200 * time.Hour: 0} {
		if got := lifeLeft(start, start.Add(100*time.Hour), start.Add(after)); got != want {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
	if got := lifeLeft(start, start, start); got != 0 {
		t.Errorf("of no lifetime at all: %v", got)
	}
}

func TestCertsCommandsRefuse(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		name, args string
		exit       int
		want       string
	}{
		{"list without a server", "certs list --state " + empty, 1, "holdfast: no server listens at "},
		{"explain without a server", "certs explain localhost --state " + empty, 1, "holdfast: no server listens at "},
		{"renew without a server", "certs renew localhost --state " + empty, 1, "holdfast: no server listens at "},
		{"explain without a host", "certs explain --state " + empty, 2, "holdfast: no HOST is named; see holdfast certs list"},
		{"renew of two", "certs renew a b --state " + empty, 2, "holdfast: unexpected argument b; name one host"},
		{"explain of a URL", "certs explain https://a --state " + empty, 2, `holdfast: host "https://a" is no host name`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), strings.Split(c.args, " ")...)
			if got := lines(r.err); r.exit != c.exit || r.out != "" || len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d and %q", r.exit, r.out, got, c.exit, c.want)
			}
		})
	}
}
