package main

import (
	"slices"
	"strings"
	"testing"
)

func TestCover(t *testing.T) {
	const sites = "https = \"127.0.0.1:0\"\nhttp = \"off\"\n[[site]]\nhosts = [\"a.test\", \"x.b.test\", \"localhost\", \"127.0.0.1\"]\nroot = \"ROOT_A\"\nredirect-www = true\n"
	const everybody = "[[site]]\nhosts = [\"*\"]\nroot = \"ROOT_B\"\n"
	const bareA = "only the local CA has a certificate for a.test, www.a.test"
	a := newAuthority(t)
	pair := func(names ...string) []string {
		p := pairFor(t, a, names...)
		return []string{"--cert", p.CertFile, "--key", p.KeyFile}
	}
	public := []string{"--acme-agree-tos", "--domain"}
	for _, c := range []struct {
		clause, text string
		args         []string
		want         []string // each begins a warning
	}{
		{"the local CA alone is what was asked for", sites, nil, nil},
		{"a pair for other hosts", sites, pair("zzz.test"), []string{"only the local CA has a certificate for a.test, x.b.test, www.a.test, www.x.b.test"}},
		{"a pair for one, and a wildcard for another", sites, pair("b.test", "*.b.test", "*.x.b.test"), []string{bareA}},
		{"a pair for all", sites, pair("a.test", "*.a.test", "*.b.test", "*.x.b.test"), nil},
		{"a local name that was asked for", sites, append(pair("a.test", "*.b.test", "*.x.b.test"), "--local-name", "www.a.test"), nil},
		{"a domain without its www, and one of no site", strings.ReplaceAll(sites, ".test", ".org"), slices.Concat(public, []string{"a.org", "--domain", "foo.org", "--domain", "x.b.org", "--domain", "www.x.b.org"}),
			[]string{"only the local CA has a certificate for www.a.org", `domain "foo.org" is no site's`}},
		{"every host that is left", strings.ReplaceAll(sites, ".test", ".org") + everybody, slices.Concat(public, []string{"a.org", "--domain", "www.a.org", "--domain", "foo.org", "--domain", "x.b.org", "--domain", "www.x.b.org"}),
			[]string{`over TLS host "*" has no name that is on no certificate`}},
		{"who says what happens to an unknown name knows", everybody, []string{"--https", "127.0.0.1:0", "--sni-unknown", "reject"}, nil},
		{"any certificate for an unknown name", everybody, []string{"--https", "127.0.0.1:0", "--sni-unknown", "default"}, nil},
		{"no TLS", strings.Replace(everybody, "[[", "https = \"off\"\nhttp = \"127.0.0.1:0\"\n[[", 1), nil, nil},
	} {
		t.Run(c.clause, func(t *testing.T) {
			file := sitesFile(t, c.text)
			s := configured(t, testEnvironment(t), append([]string{"--config", file}, c.args...)...)
			if len(s.Warnings) != len(c.want) {
				t.Fatalf("%v, want %q", s.Warnings, c.want)
			}
			for i, w := range s.Warnings {
				if !strings.HasPrefix(w.line(), c.want[i]+" (") {
					t.Errorf("%q, want %q", w.line(), c.want[i])
				}
			}
		})
	}
	t.Run("a check prints them", func(t *testing.T) {
		file := sitesFile(t, everybody)
		r := holdfast(t, testEnvironment(t), "check", "--https", "127.0.0.1:0", "--config", file)
		if r.exit != 0 || !strings.Contains(r.err, `warning: over TLS host "*"`) {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
}
