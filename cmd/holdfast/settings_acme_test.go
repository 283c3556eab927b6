package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme"
)

func TestDomains(t *testing.T) {
	for _, c := range []struct {
		name, args string
		env        []string
		want       []string
	}{
		{"one", "--domain example.org --acme-agree-tos", nil, []string{"example.org"}},
		{"several, in their order", "--domain b.example.org --acme-agree-tos --domain a.example.org", nil, []string{"b.example.org", "a.example.org"}},
		{"of the environment", "", []string{"HOLDFAST_DOMAIN=example.org, www.example.org", "HOLDFAST_ACME_AGREE_TOS=on"}, []string{"example.org", "www.example.org"}},
		{"an international name", "--domain Bücher.example.org --acme-agree-tos on", nil, []string{"xn--bcher-kva.example.org"}},
		{"in upper case, with the root's dot", "--domain EXAMPLE.org. --acme-agree-tos=on", nil, []string{"example.org"}},
		{"a name of one's own network, with a CA of one's own", "--domain git.internal --acme-agree-tos --acme-directory https://ca.internal/dir", nil, []string{"git.internal"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := configured(t, testEnvironment(t, c.env...), strings.Fields(c.args)...)
			if !reflect.DeepEqual(s.ACME.Domains, c.want) || !s.ACME.TermsAgreed {
				t.Errorf("domains %q, agreed %t", s.ACME.Domains, s.ACME.TermsAgreed)
			}
		})
	}
}

func TestListenersOfADomain(t *testing.T) {
	for _, c := range []struct {
		name, args  string
		env         []string
		https, http string
	}{
		{"they are the public's", "", nil, ":443", ":80"},
		{"one that is named stays", "--https :8443", nil, ":8443", ":80"},
		{"so does one of the environment", "", []string{"HOLDFAST_HTTP=off"}, ":443", ""},
		{"in Kubernetes a Service has the public's", "", []string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, ":8443", ":8080"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"--domain", "example.org", "--acme-agree-tos"}, strings.Fields(c.args)...)
			s := configured(t, testEnvironment(t, c.env...), args...)
			if s.HTTPS != c.https || s.HTTP != c.http {
				t.Errorf("https %q, http %q", s.HTTPS, s.HTTP)
			}
		})
	}
	t.Run("without a plain one, only TLS-ALPN-01 can be met", func(t *testing.T) {
		s := configured(t, testEnvironment(t), "--domain", "example.org", "--acme-agree-tos", "--http", "off")
		if s.ACME.Challenge != acme.TLSALPN01 {
			t.Errorf("challenge %q", s.ACME.Challenge)
		}
	})
	t.Run("a file may name the domain", func(t *testing.T) {
		file := writeFile(t, "holdfast.toml", "domain = 'example.org'\nacme-agree-tos = true\n")
		if s := configured(t, testEnvironment(t), "--config", file); s.HTTPS != ":443" {
			t.Errorf("https %q", s.HTTPS)
		}
	})
}

func TestFaultsOfADomain(t *testing.T) {
	t.Parallel()
	const agreed = " --acme-agree-tos --http :8080 --https :8443"
	for _, c := range []faultRow{
		{"a wildcard", "--domain *.example.org" + agreed, nil, `domain "*.example.org" is a wildcard (--domain): a CA issues for it by a record in the DNS alone`, 2},
		{"an address", "--domain 192.0.2.1" + agreed, nil, `domain "192.0.2.1" is no host name (--domain): `, 2},
		{"an address of IPv6", "--domain 2001:db8::1" + agreed, nil, `domain "2001:db8::1" is no host name (--domain): `, 2},
		{"a URL", "--domain https://example.org" + agreed, nil, `domain "https://example.org" is no host name (--domain): a certificate knows neither scheme nor port nor path`, 2},
		{"one with a port", "--domain example.org:443" + agreed, nil, `domain "example.org:443" is no host name (--domain): `, 2},
		{"one with a blank", "", []string{"HOLDFAST_DOMAIN=a b.org", "HOLDFAST_ACME_AGREE_TOS=on"}, `domain "a b.org" is no host name (HOLDFAST_DOMAIN): `, 2},
		{"localhost", "--domain localhost" + agreed, nil, `domain "localhost" is a local name (--domain): no public CA issues for it`, 2},
		{"one below localhost", "--domain app.localhost" + agreed, nil, `domain "app.localhost" is a local name (--domain): no public CA`, 2},
		{"one of the own network", "--domain printer.local" + agreed, nil, `domain "printer.local" is a local name (--domain): Let's Encrypt does not issue for it`, 2},
		{"the same twice", "--domain example.org --domain EXAMPLE.org" + agreed, nil, `domain "EXAMPLE.org" is there twice (--domain); name it once`, 2},
		{"an empty one", "--domain=" + agreed, nil, `domain "" is empty (--domain); `, 2},
		{"nobody agreed", "--domain example.org", nil, `nobody agreed to the terms of service of the CA (--domain): it issues to nobody else (` + acme.ProductionURL + `); read https://letsencrypt.org/repository/ and add --acme-agree-tos, or start once on a terminal`, 2},
		{"nobody agreed to another CA's", "--domain example.org --acme-directory https://ca.test/dir", nil, `nobody agreed to the terms of service of the CA (--domain): it issues to nobody else (https://ca.test/dir); read the terms that its directory names`, 2},
		{"no HTTPS", "--domain example.org --https off --http :80 --acme-agree-tos", nil, `domain without an https listener (--domain, --https): certificates are for HTTPS`, 2},
		{"HTTP-01 and no plain listener", "--domain example.org --acme-agree-tos --http off --acme-challenge http-01", nil, `acme-challenge http-01 without a plain listener (--acme-challenge, --http): the CA asks at port 80`, 2},
		{"a challenge that is none", "--domain example.org --acme-challenge dns-01" + agreed, nil, `acme-challenge "dns-01" is none of auto, tls-alpn-01, http-01`, 2},
		{"a directory that is none", "--domain example.org --acme-directory ca.test" + agreed, nil, `acme-directory "ca.test" is no directory of a CA (--acme-directory); write its https URL, or staging`, 2},
		{"an e-mail address that is none", "--domain example.org --acme-email ops" + agreed, nil, `acme-email "ops" is no e-mail address (--acme-email)`, 2},
		{"two e-mail addresses", "--domain example.org --acme-email a@a.org,b@b.org" + agreed, nil, `acme-email "a@a.org,b@b.org" is no e-mail address`, 2},
		{"half of an account", "--domain example.org --acme-eab-kid one" + agreed, nil, `half of an external account (--acme-eab-kid): a key ID and its key belong together; add --acme-eab-key-file`, 2},
		{"the other half", "--domain example.org --acme-eab-key-file /k" + agreed, nil, `half of an external account (--acme-eab-key-file): a key ID and its key belong together; add --acme-eab-kid`, 2},
		{"a store that is none", "--domain example.org --cert-store /var/certs" + agreed, nil, `the store of certificates cannot be used (--cert-store): it has no scheme; write dir:PATH`, 2},
		{"a store of another kind", "--domain example.org --cert-store s3:bucket" + agreed, nil, `the store of certificates cannot be used (--cert-store): there is no store of this kind`, 2},
		{"an empty store", "--cert-store=", nil, `cert-store "" is empty (--cert-store)`, 2},
		{"agreement in words", "--acme-agree-tos=maybe", nil, `acme-agree-tos "maybe" is neither on nor off (--acme-agree-tos)`, 2},
		{"an option of the store", "--cert-store-ephemeral on", nil, `cert-store-ephemeral "on" is none of refuse, allow`, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t, c.env...), append([]string{"serve"}, strings.Fields(c.args)...)...)
			if r.settings != nil || r.exit != c.exit {
				t.Errorf("exit %d, want %d", r.exit, c.exit)
			}
			if !strings.Contains(r.err, "holdfast: "+c.want) {
				t.Errorf("got  %q\nwant %q", r.err, c.want)
			}
		})
	}
	t.Run("all of them come at once", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "serve", "--domain", "*.a.org", "--domain", "b.org", "--acme-directory", "x", "--acme-email", "y", "--acme-root", "/nowhere.pem", "--https", "127.0.0.1:0", "--http", "off")
		for _, want := range []string{`"*.a.org" is a wildcard`, `"x" is no directory`, `"y" is no e-mail`, "nobody agreed"} {
			if !strings.Contains(r.err, want) {
				t.Errorf("without %q:\n%s", want, r.err)
			}
		}
	})
	t.Run("none repeats the store's password", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "serve", "--cert-store", "redis://user:hunter2@host:port/x")
		if r.exit != 2 || strings.Contains(r.err, "hunter2") {
			t.Errorf("exit %d: %s", r.exit, r.err)
		}
	})
}

func TestFilesOfADomain(t *testing.T) {
	r := holdfast(t, testEnvironment(t), "check", "--domain", "example.org", "--acme-agree-tos", "--https", "127.0.0.1:0", "--http", "off",
		"--acme-root", "/nowhere.pem", "--acme-eab-kid", "one", "--acme-eab-key-file", writeFile(t, "key", "?hunter2?"), "--cert-store", "dir:/dev/shm/holdfast-never-made")
	for _, want := range []string{
		`cannot read the CA's roots in "/nowhere.pem" (--acme-root): no such file or directory`,
		`(--acme-eab-key-file): the key of the external account is not base64url`,
		`the certificates in "/dev/shm/holdfast-never-made" would not last (--cert-store): it is on tmpfs: each start would order anew`,
	} {
		if r.exit != 1 || !strings.Contains(r.err, want) || strings.Contains(r.err, "hunter2") {
			t.Errorf("exit %d, without %q\n%s", r.exit, want, r.err)
		}
	}
	if _, err := os.Stat("/dev/shm/holdfast-never-made"); !os.IsNotExist(err) {
		t.Errorf("check made the store: %v", err)
	}
}

func TestAgreementThatWasKept(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"serve", "--domain", "example.org", "--state", state, "--https", "127.0.0.1:0", "--http", "off"}
	if r := holdfast(t, testEnvironment(t), args...); !strings.Contains(r.err, "nobody agreed") {
		t.Fatal(r.err)
	}
	s := &settings{StateDir: state, ACME: acmeSettings{Directory: acme.ProductionURL}}
	if f := keepTerms(s, "https://terms.test/", nil); f != nil || !s.ACME.TermsAgreed {
		t.Fatal(f)
	}
	t.Run("the next start has it", func(t *testing.T) {
		if r := holdfast(t, testEnvironment(t), args...); strings.Contains(r.err, "nobody agreed") {
			t.Error(r.err)
		}
	})
	t.Run("it was to one CA", func(t *testing.T) {
		if r := holdfast(t, testEnvironment(t), append(args, "--acme-directory", "staging")...); !strings.Contains(r.err, "nobody agreed") {
			t.Error(r.err)
		}
	})
	t.Run("another CA's is added", func(t *testing.T) {
		s := &settings{StateDir: state, ACME: acmeSettings{Directory: acme.StagingURL}}
		if f := keepTerms(s, "none", nil); f != nil || !s.agreedBefore() {
			t.Error(f)
		}
		s.ACME.Directory = acme.ProductionURL
		if !s.agreedBefore() {
			t.Error("the first was forgotten")
		}
	})
}
