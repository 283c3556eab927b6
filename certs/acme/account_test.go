package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

func testAccount(s *mapStore, log *bytes.Buffer) *account {
	return newAccount(&Options{Directory: ProductionURL, Email: "a@example.org", Store: s, Log: slog.New(slog.NewTextHandler(log, nil))})
}

func encodedKey(t *testing.T, curve elliptic.Curve) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestAccountKey(t *testing.T) {
	signer := func(t *testing.T, a *account) *ecdsa.PrivateKey {
		t.Helper()
		key, err := a.signer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	t.Run("a new one is kept and found again", func(t *testing.T) {
		s, log := newMapStore(), new(bytes.Buffer)
		first := signer(t, testAccount(s, log))
		if !first.Equal(signer(t, testAccount(s, log))) {
			t.Error("a restart has another key")
		}
		if log.Len() > 0 {
			t.Errorf("logged %q", log)
		}
	})
	t.Run("its name differs by CA and by e-mail", func(t *testing.T) {
		names := map[string]bool{}
		for _, o := range []Options{{Directory: ProductionURL}, {Directory: StagingURL}, {Directory: StagingURL, Email: "a@example.org"}} {
			names[newAccount(&o).name] = true
		}
		if len(names) != 3 {
			t.Errorf("names %v", names)
		}
	})
	t.Run("one that was written as PKCS #8 is read", func(t *testing.T) {
		if _, ok := parseAccountKey([]byte(encodedKey(t, elliptic.P256()))); !ok {
			t.Error("not read")
		}
	})
	for name, bad := range map[string]string{
		"nothing": "", "text": "hello", "a cut key": encodedKey(t, elliptic.P256())[:80],
		"PEM around nothing": string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("nothing")})),
		"another curve":      encodedKey(t, elliptic.P384()),
		"two keys":           encodedKey(t, elliptic.P256()) + encodedKey(t, elliptic.P256()),
	} {
		t.Run("a bad one is set aside and replaced: "+name, func(t *testing.T) {
			s, log := newMapStore(), new(bytes.Buffer)
			a := testAccount(s, log)
			s.values[a.name] = bad
			key := signer(t, a)
			if s.value("aside/"+a.name) != bad {
				t.Error("not set aside")
			}
			if stored, ok := parseAccountKey([]byte(s.value(a.name))); !ok || !stored.Equal(key) {
				t.Error("not replaced")
			}
			if !strings.Contains(log.String(), "set aside") || strings.Contains(log.String(), "BEGIN") {
				t.Errorf("logged %q", log)
			}
		})
	}
	t.Run("while the store is broken the key is this process's and replaces nothing", func(t *testing.T) {
		s, log := newMapStore(), new(bytes.Buffer)
		a := testAccount(s, log)
		s.values[a.name] = encodedKey(t, elliptic.P256())
		s.broken = errBroken
		own := signer(t, a)
		if !own.Equal(signer(t, a)) {
			t.Error("another key at each attempt")
		}
		s.broken = nil
		stored, _ := parseAccountKey([]byte(s.value(a.name)))
		if !stored.Equal(signer(t, a)) {
			t.Error("the store's key is not used once it can be read")
		}
	})
	t.Run("a key made while the store was broken is kept once it is back and empty", func(t *testing.T) {
		s, log := newMapStore(), new(bytes.Buffer)
		a := testAccount(s, log)
		s.broken = errBroken
		own := signer(t, a)
		s.broken = nil
		signer(t, a)
		if stored, ok := parseAccountKey([]byte(s.value(a.name))); !ok || !stored.Equal(own) {
			t.Error("not kept")
		}
	})
	t.Run("a store that hangs is a broken one after seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s, log := newMapStore(), new(bytes.Buffer)
			s.hang = true
			began := time.Now()
			if key := signer(t, testAccount(s, log)); key == nil || time.Since(began) != storeTimeout {
				t.Errorf("after %v", time.Since(began))
			}
		})
	})
	t.Run("a store that hangs ends with the context", func(t *testing.T) {
		s, log := newMapStore(), new(bytes.Buffer)
		s.hang = true
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := testAccount(s, log).signer(ctx); err == nil {
			t.Error("a key came")
		}
	})
}

func TestBadAccountKeyInStore(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "example.org")
	issuer := s.issuer(t, nil)
	s.store.set(func(s *mapStore) {
		s.values[issuer.account.name] = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
	})
	s.issue(t, issuer, "example.org")
	if _, ok := parseAccountKey([]byte(s.store.value(issuer.account.name))); !ok {
		t.Error("the account's key was not replaced")
	}
}
