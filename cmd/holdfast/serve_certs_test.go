package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// opened are the certificates of a server with these settings, which is not started.
func opened(t *testing.T, s *settings) *certificates {
	t.Helper()
	s.StateDir = t.TempDir() + "/state"
	h := &house{log: slog.New(slog.DiscardHandler)}
	if faults := h.openCertificates(s, nil); len(faults) > 0 {
		t.Fatal(faults)
	}
	h.readAgain()
	return &h.certificates
}

func pairFor(t *testing.T, a *authority, names ...string) certs.Pair {
	t.Helper()
	text := a.namedPEM(names...)
	file := writeFile(t, strings.ReplaceAll(names[0], "*", "any")+".pem", text)
	return certs.Pair{CertFile: file, KeyFile: file}
}

// sourceFor is where the certificate comes from that a client gets who asks for name.
func sourceFor(t *testing.T, c *certificates, name string) string {
	t.Helper()
	got, err := c.config.GetCertificate(&tls.ClientHelloInfo{
		ServerName: name, SupportedVersions: []uint16{tls.VersionTLS13}, CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got == nil {
		return "none"
	}
	for _, known := range c.selector.Certificates() {
		if known.TLS() == got {
			return known.Source[strings.LastIndexByte(known.Source, '/')+1:]
		}
	}
	return "unknown"
}

func TestCertificatesOfSeveralSources(t *testing.T) {
	a := newAuthority(t)
	exact, wild := pairFor(t, a, "www.dev.test", "localhost"), pairFor(t, a, "*.dev.test")
	c := opened(t, &settings{HTTPS: ":0", Pairs: []certs.Pair{wild, exact}, LocalNames: []string{"new.dev.test", "www.dev.test", "other.test"}})
	for name, want := range map[string]string{
		"www.dev.test":   "www.dev.test.pem", // its own file goes before the wildcard, the local CA and their order
		"any.dev.test":   "any.dev.test.pem",
		"new.dev.test":   "local CA", // which was asked for this very name
		"other.test":     "local CA",
		"localhost":      "www.dev.test.pem", // a file's goes before the local CA's
		"a.localhost":    "local CA",
		"":               "any.dev.test.pem", // the default is the first pair's
		"a.b.dev.test":   "none",
		"elsewhere.test": "none",
	} {
		if got := sourceFor(t, c, name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	t.Run("the machine's own name is not the local CA's to take from a wildcard", func(t *testing.T) {
		for _, known := range c.selector.Certificates() {
			if known.Source == "local CA" && len(known.Names) != 7 { // localhost, *.localhost, two addresses, three names
				t.Errorf("the local certificate is for %q", known.Names)
			}
		}
	})
	t.Run("with --sni-unknown default the default is served", func(t *testing.T) {
		c := opened(t, &settings{HTTPS: ":0", Pairs: []certs.Pair{exact}, LocalNames: []string{"other.test"}, SNIUnknown: certs.DefaultForUnknown})
		if got := sourceFor(t, c, "elsewhere.test"); got != "www.dev.test.pem" {
			t.Error(got)
		}
	})
	t.Run("a reload of the pairs goes on beside the local CA", func(t *testing.T) {
		if len(c.keepers) != 3 || c.renew == nil || c.reload == nil { // the pairs', the CA's, and that of reloads
			t.Fatalf("%d keepers", len(c.keepers))
		}
		replace(t, exact.CertFile, a.namedPEM("fresh.test"))
		if err := c.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := sourceFor(t, c, "fresh.test"); got != "www.dev.test.pem" {
			t.Error(got)
		}
		if got := sourceFor(t, c, "other.test"); got != "local CA" {
			t.Error(got)
		}
	})
}

func TestCertificatesOfOneSource(t *testing.T) {
	t.Run("pairs alone make no local CA", func(t *testing.T) {
		s := &settings{HTTPS: ":0", Pairs: []certs.Pair{pairFor(t, newAuthority(t), "www.dev.test")}}
		c := opened(t, s)
		if len(c.sources) != 1 || c.caPath != "" || sourceFor(t, c, "localhost") != "none" {
			t.Errorf("%d sources, CA %q", len(c.sources), c.caPath)
		}
		if _, err := os.Stat(s.StateDir); !os.IsNotExist(err) {
			t.Errorf("they made a state directory: %v", err)
		}
	})
	t.Run("nothing at all makes one, which has nothing to reload", func(t *testing.T) {
		c := opened(t, &settings{HTTPS: ":0"})
		if len(c.sources) != 1 || c.caPath == "" || sourceFor(t, c, "localhost") != "local CA" || c.renew != nil || c.reload != nil {
			t.Errorf("%d sources, CA %q", len(c.sources), c.caPath)
		}
	})
	t.Run("and so do local names alone", func(t *testing.T) {
		if got := sourceFor(t, opened(t, &settings{HTTPS: ":0", LocalNames: []string{"dev.test"}}), "dev.test"); got != "local CA" {
			t.Error(got)
		}
	})
}

func TestFaultsOfSeveralSources(t *testing.T) {
	s := &settings{
		HTTPS: ":0", StateDir: t.TempDir() + "/state", LocalNames: []string{"dev.test"},
		Pairs: []certs.Pair{{CertFile: "/nowhere.pem", KeyFile: "/nowhere.pem"}}, ClientCAs: []string{"/nowhere.ca"}, ClusterSecretFile: "/nowhere.secret",
	}
	faults := (&house{log: slog.New(slog.DiscardHandler)}).openCertificates(s, nil)
	all := ""
	for _, f := range faults {
		all += f.line() + "\n"
	}
	for _, want := range []string{"/nowhere.pem", "/nowhere.ca", "/nowhere.secret"} {
		if !strings.Contains(all, want) {
			t.Errorf("without %s:\n%s", want, all)
		}
	}
	state, err := certs.OpenState(s.StateDir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(state.CAPath()); !os.IsNotExist(err) {
		t.Errorf("a start that fails made a CA: %v", err)
	}
}

func TestReloadReadsEverything(t *testing.T) {
	a := newAuthority(t)
	caFile, secretFile := writeFile(t, "ca.pem", a.caPEM()), writeFile(t, "secret", strings.Repeat("0f1e", 16))
	pair := pairFor(t, a, "www.dev.test")
	c := opened(t, &settings{HTTPS: ":0", Pairs: []certs.Pair{pair}, ClientCAs: []string{caFile}, ClusterSecretFile: secretFile})
	if err := c.renew(t.Context()); err != nil {
		t.Error(err)
	}
	for _, file := range []string{pair.CertFile, caFile, secretFile} {
		replace(t, file, "broken")
	}
	err := c.renew(t.Context())
	for _, want := range []string{pair.CertFile, caFile, secretFile} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", want, err)
		}
	}
	if until := c.selector.Certificates()[0].NotAfter; time.Until(until) < 0 || sourceFor(t, c, "www.dev.test") != "www.dev.test.pem" {
		t.Error("what was served before is not served any more")
	}
}
