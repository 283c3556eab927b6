package acme

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

func TestIssue(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "example.org", "a.example.org", "b.example.org", "c.example.org", "d.example.org")

	t.Run("by TLS-ALPN-01, one order, ECDSA P-256", func(t *testing.T) {
		before := s.Gate.Orders()
		leaf := s.issue(t, s.issuer(t, nil), "example.org").Leaf()
		if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
			t.Errorf("the key is %T", leaf.PublicKey)
		}
		if n := s.Gate.Orders() - before; n != 1 {
			t.Errorf("%d orders, want 1", n)
		}
		if s.TLS.Passed() == 0 || s.HTTP.Passed() != 0 {
			t.Errorf("validated %d times by TLS and %d by HTTP", s.TLS.Passed(), s.HTTP.Passed())
		}
		s.nothingPresented(t)
	})
	t.Run("by HTTP-01, one order", func(t *testing.T) {
		orders, byTLS, byHTTP := s.Gate.Orders(), s.TLS.Passed(), s.HTTP.Passed()
		s.issue(t, s.issuer(t, func(o *Options) { o.Challenge = HTTP01 }), "a.example.org")
		if n := s.Gate.Orders() - orders; n != 1 {
			t.Errorf("%d orders, want 1", n)
		}
		if s.TLS.Passed() != byTLS || s.HTTP.Passed() == byHTTP {
			t.Error("not validated by HTTP alone")
		}
		s.nothingPresented(t)
	})
	t.Run("auto begins with TLS-ALPN-01", func(t *testing.T) {
		orders, byHTTP := s.Gate.Orders(), s.HTTP.Passed()
		s.issue(t, s.issuer(t, func(o *Options) { o.Challenge = Auto }), "b.example.org")
		if n := s.Gate.Orders() - orders; n != 1 || s.HTTP.Passed() != byHTTP {
			t.Errorf("%d orders, want 1; %d validations by HTTP, want none", n, s.HTTP.Passed()-byHTTP)
		}
	})
	t.Run("auto falls back to HTTP-01 with a second order", func(t *testing.T) {
		s.TLS.To()
		defer s.TLS.To(s.front.tls)
		for profile, host := range map[string]string{"": "c.example.org", acmetest.DefaultProfile: "d.example.org"} { // by autocert, and without
			orders := s.Gate.Orders()
			s.issue(t, s.issuer(t, func(o *Options) { o.Challenge, o.Profile = Auto, profile }), host)
			if n := s.Gate.Orders() - orders; n != 2 {
				t.Errorf("profile %q: %d orders, want 2", profile, n)
			}
			s.nothingPresented(t)
		}
	})
	t.Run("the key is fresh and the account the same", func(t *testing.T) {
		account := s.store.list("account/")
		if len(account) != 1 {
			t.Fatalf("accounts in the store: %q", account)
		}
		stored := s.store.value(account[0])
		first := s.issue(t, s.issuer(t, nil), "example.org").Leaf().PublicKey.(*ecdsa.PublicKey)
		again := s.issue(t, s.issuer(t, nil), "example.org").Leaf().PublicKey.(*ecdsa.PublicKey)
		if first.Equal(again) {
			t.Error("two certificates have one key")
		}
		if s.store.value(account[0]) != stored {
			t.Error("the account's key was replaced")
		}
	})
	t.Run("a name that the CA may not be asked for is refused without it", func(t *testing.T) {
		requests := s.Gate.Requests()
		for _, host := range []string{"*.example.org", "192.0.2.1", "2001:db8::1", "localhost", ""} {
			if r := refused(t, s.issuer(t, nil), host); r.Kind() != "rejected-identifier" || !strings.Contains(r.Error(), host) {
				t.Errorf("%q: %s: %s", host, r.Kind(), r)
			}
		}
		if s.Gate.Requests() != requests {
			t.Error("the CA was asked")
		}
	})
}

func TestReplicaAnswers(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "example.org")
	other := newFront(t, s.store, "example.org")
	s.TLS.To(other.tls)
	s.HTTP.To(other.http)
	for _, kind := range []string{TLSALPN01, HTTP01} {
		t.Run("a replica answers the "+kind+" challenge of another", func(t *testing.T) {
			s.issue(t, s.issuer(t, func(o *Options) { o.Challenge = kind }), "example.org")
			s.nothingPresented(t)
		})
	}
	t.Run("without the store this process still proves what it can", func(t *testing.T) {
		s.TLS.To(s.front.tls)
		s.store.set(func(s *mapStore) { s.broken = errBroken })
		s.issue(t, s.issuer(t, nil), "example.org")
	})
}

func TestProfile(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{Profiles: map[string]time.Duration{"long": 90 * 24 * time.Hour, "short": 6 * 24 * time.Hour}}, "example.org")
	for profile, days := range map[string]int{"long": 90, "short": 6} {
		t.Run("the certificate is of the profile "+profile, func(t *testing.T) {
			leaf := s.issue(t, s.issuer(t, func(o *Options) { o.Profile = profile }), "example.org").Leaf()
			if life := leaf.NotAfter.Sub(leaf.NotBefore).Round(time.Hour); life != time.Duration(days)*24*time.Hour {
				t.Errorf("it lives for %v", life)
			}
		})
	}
	t.Run("a profile that is not on offer is refused before the order", func(t *testing.T) {
		orders := s.Gate.OrderRequests()
		r := refused(t, s.issuer(t, func(o *Options) { o.Profile = "tlsserver" }), "example.org")
		if r.Kind() != "profile" || !strings.Contains(r.Error(), `"tlsserver"`) || !strings.Contains(r.Error(), `["long" "short"]`) {
			t.Errorf("%s: %s", r.Kind(), r)
		}
		if s.Gate.OrderRequests() != orders {
			t.Error("it was ordered")
		}
	})
}

func TestExternalAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{RequireEAB: true}, "example.org")
	external, err := ParseExternalAccount(acmetest.AnyKeyID, acmetest.AnyKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("without one the refusal says how to name it", func(t *testing.T) {
		r := refused(t, s.issuer(t, nil), "example.org")
		if r.Kind() != "external-account" || !strings.Contains(r.Error(), "--acme-eab-kid") {
			t.Errorf("%s: %s", r.Kind(), r)
		}
	})
	t.Run("a wrong key is refused and not repeated", func(t *testing.T) {
		wrong, err := ParseExternalAccount(acmetest.AnyKeyID, strings.Repeat("QUJD", 10))
		if err != nil {
			t.Fatal(err)
		}
		r := refused(t, s.issuer(t, func(o *Options) { o.ExternalAccount = wrong }), "example.org")
		if strings.Contains(r.Error(), "QUJD") || strings.Contains(r.Error(), "ABCABC") {
			t.Errorf("%s", r)
		}
		if s.Gate.OrderRequests() != 0 {
			t.Error("it was ordered")
		}
	})
	for name, change := range map[string]func(*Options){
		"autocert": func(o *Options) { o.ExternalAccount = external },
		"direct":   func(o *Options) { o.ExternalAccount, o.Challenge = external, HTTP01 },
	} {
		t.Run("with one it is issued, the second time too, "+name, func(t *testing.T) {
			s.issue(t, s.issuer(t, change), "example.org")
			s.issue(t, s.issuer(t, change), "example.org")
		})
	}
}

func TestBadNonces(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{NonceRejectPercent: 50}, "example.org")
	for _, kind := range []string{Auto, HTTP01} {
		t.Run("half of all nonces are refused, "+kind, func(t *testing.T) {
			orders := s.Gate.Orders()
			s.issue(t, s.issuer(t, func(o *Options) { o.Challenge = kind }), "example.org")
			if n := s.Gate.Orders() - orders; n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
		})
	}
}

func TestAuthorizationReuse(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{AuthzReusePercent: 100}, "example.org")
	s.issue(t, s.issuer(t, nil), "example.org")
	s.TLS.To()
	s.HTTP.To()
	for _, kind := range []string{TLSALPN01, HTTP01, Auto} {
		t.Run("what is proven already is not proven again, "+kind, func(t *testing.T) {
			s.issue(t, s.issuer(t, func(o *Options) { o.Challenge = kind }), "example.org")
			s.nothingPresented(t)
		})
	}
}
