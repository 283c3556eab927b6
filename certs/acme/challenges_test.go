package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	someToken = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
	someAuth  = someToken + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
)

// testChallenges answers for example.org, or for other hosts.
func testChallenges(s *mapStore, hosts ...string) *Challenges {
	if len(hosts) == 0 {
		hosts = []string{"example.org"}
	}
	return NewChallenges(hosts, s, slog.New(slog.DiscardHandler), time.Now)
}

func TestKeyAuthorization(t *testing.T) {
	s := newMapStore()
	c := testChallenges(s)
	c.present(t.Context(), httpName("example.org"), someAuth)
	replica := testChallenges(s)
	for _, host := range []string{"example.org", "EXAMPLE.org", "example.org.", "example.org:80", "Example.ORG:8080"} {
		t.Run("the answer is given for the host "+host, func(t *testing.T) {
			for name, c := range map[string]*Challenges{"own": c, "a replica's": replica} {
				if got, ok := c.KeyAuthorization(t.Context(), host, someToken); !ok || got != someAuth {
					t.Errorf("%s: %q, %t", name, got, ok)
				}
			}
		})
	}
	t.Run("the case of a token counts", func(t *testing.T) {
		if got, ok := c.KeyAuthorization(t.Context(), "example.org", strings.ToLower(someToken)); ok {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("unknown hosts and impossible tokens never reach the store", func(t *testing.T) {
		before := len(s.asked())
		for _, host := range []string{"", "example.com", "www.example.org", "192.0.2.1", "[2001:db8::1]:80", "example.org:80:80", strings.Repeat("a", 1000)} {
			if got, ok := replica.KeyAuthorization(t.Context(), host, someToken); ok {
				t.Errorf("host %q: %q", host, got)
			}
		}
		for _, token := range []string{"", ".", "..", "a/b", "a.b", "a%2f", "ä", strings.Repeat("a", tokenLimitBytes+1)} {
			if got, ok := replica.KeyAuthorization(t.Context(), "example.org", token); ok {
				t.Errorf("token %q: %q", token, got)
			}
		}
		if asked := s.asked()[before:]; len(asked) > 0 {
			t.Errorf("the store was asked for %q", asked)
		}
	})
	t.Run("a value of the store that belongs to another token is not given out", func(t *testing.T) {
		replica.present(t.Context(), httpName("example.org"), "secret")
		if got, ok := replica.KeyAuthorization(t.Context(), "example.org", "other"); ok {
			t.Errorf("answered %q", got)
		}
	})
	t.Run("junk in the store is no answer", func(t *testing.T) {
		for _, junk := range []string{"", "null", "[]", "{", `{"response":7}`, "\x00\xff"} {
			s.values[httpName("example.org")] = junk
			if got, ok := replica.KeyAuthorization(t.Context(), "example.org", "junk"); ok {
				t.Errorf("%q: answered %q", junk, got)
			}
		}
	})
	t.Run("without a store only this process answers", func(t *testing.T) {
		alone := NewChallenges([]string{"example.org"}, nil, slog.New(slog.DiscardHandler), time.Now)
		if _, ok := alone.KeyAuthorization(t.Context(), "example.org", someToken); ok {
			t.Error("answered for another")
		}
		alone.present(t.Context(), httpName("example.org"), someAuth)
		if got, _ := alone.KeyAuthorization(t.Context(), "example.org", someToken); got != someAuth {
			t.Errorf("answered %q", got)
		}
		alone.withdraw(t.Context(), httpName("example.org"))
		if _, ok := alone.KeyAuthorization(t.Context(), "example.org", someToken); ok {
			t.Error("answered after the end")
		}
	})
}

func TestAnswersEnd(t *testing.T) {
	name := httpName("example.org")
	answered := func(t *testing.T, c *Challenges) bool {
		_, ok := c.KeyAuthorization(t.Context(), "example.org", someToken)
		return ok
	}
	t.Run("withdrawn, here and in the store", func(t *testing.T) {
		s := newMapStore()
		c := testChallenges(s)
		c.present(t.Context(), name, someAuth)
		c.withdraw(t.Context(), name)
		if answered(t, c) || len(s.values) > 0 {
			t.Errorf("the store has %v", s.values)
		}
	})
	t.Run("withdrawn although the attempt's context has ended", func(t *testing.T) {
		s := newMapStore()
		c := testChallenges(s)
		c.present(t.Context(), name, someAuth)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c.withdraw(ctx, name)
		if len(s.values) > 0 {
			t.Errorf("the store has %v", s.values)
		}
	})
	t.Run("another replica's answer stays", func(t *testing.T) {
		s := newMapStore()
		c, other := testChallenges(s), testChallenges(s)
		c.present(t.Context(), name, someAuth)
		other.present(t.Context(), name, someToken+".other")
		c.withdraw(t.Context(), name)
		if !answered(t, other) || s.value(name) == "" {
			t.Error("it is gone")
		}
	})
	t.Run("by themselves", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			died, replica := testChallenges(s), testChallenges(s)
			died.present(t.Context(), name, someAuth)
			time.Sleep(challengeLife - time.Second)
			if !answered(t, died) || !answered(t, replica) {
				t.Error("not answered until the end")
			}
			time.Sleep(time.Second)
			if answered(t, died) || answered(t, replica) {
				t.Error("answered after the end")
			}
		})
	})
	t.Run("a hanging store delays an attempt by seconds at most", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			s.hang = true
			c, began := testChallenges(s), time.Now()
			c.present(t.Context(), name, someAuth)
			if !answered(t, c) {
				t.Error("this process does not answer")
			}
			c.withdraw(t.Context(), name)
			if took := time.Since(began); took > 4*storeTimeout {
				t.Errorf("took %v", took)
			}
		})
	})
}

func TestConfigForClient(t *testing.T) {
	s := newMapStore()
	c := testChallenges(s)
	for _, protocols := range [][]string{nil, {"http/1.1"}, {"h2", "http/1.1"}, {Protocol, "http/1.1"}, {"http/1.1", Protocol}, {""}, {"ACME-TLS/1"}} {
		t.Run("a hello that offers "+strings.Join(protocols, " and ")+" is the listener's", func(t *testing.T) {
			config, err := c.ConfigForClient(&tls.ClientHelloInfo{ServerName: "example.org", SupportedProtos: protocols})
			if config != nil || err != nil {
				t.Errorf("%v, %v", config, err)
			}
		})
	}
	digest := keyAuthorizationDigest(someAuth)
	c.present(t.Context(), alpnName("example.org"), hex.EncodeToString(digest))
	for name, answers := range map[string]*Challenges{"of this process": c, "of another replica": testChallenges(s)} {
		t.Run("a challenge "+name+" is answered as RFC 8737 has it", func(t *testing.T) {
			state, err := validate(t, answers, "eXample.org")
			if err != nil {
				t.Fatal(err)
			}
			if state.NegotiatedProtocol != Protocol {
				t.Errorf("negotiated %q", state.NegotiatedProtocol)
			}
			checkValidation(t, state.PeerCertificates[0], digest)
		})
	}
	t.Run("unknown hosts get unrecognized_name and no look at the store", func(t *testing.T) {
		before := len(s.asked())
		for _, host := range []string{"example.com", "a.example.org", ""} {
			_, err := validate(t, c, host)
			if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
				t.Errorf("%q: %v", host, err)
			}
		}
		if asked := s.asked()[before:]; len(asked) > 0 {
			t.Errorf("the store was asked for %q", asked)
		}
	})
	t.Run("a configured host without a challenge gets it too", func(t *testing.T) {
		_, err := validate(t, testChallenges(newMapStore()), "example.org")
		if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Error(err)
		}
	})
	t.Run("a digest that is none is not shown", func(t *testing.T) {
		for _, bad := range []string{"", "00", strings.Repeat("zz", 32), strings.Repeat("00", 33)} {
			junk := testChallenges(newMapStore())
			junk.present(t.Context(), alpnName("example.org"), bad)
			if _, err := validate(t, junk, "example.org"); err == nil {
				t.Errorf("%q is shown", bad)
			}
		}
	})
}

// validate shakes hands as a CA does.
func validate(t *testing.T, c *Challenges, host string) (tls.ConnectionState, error) {
	t.Helper()
	near, far := net.Pipe()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer near.Close()
	wg.Go(func() {
		defer far.Close()
		server := tls.Server(far, &tls.Config{GetConfigForClient: c.ConfigForClient})
		_ = server.HandshakeContext(t.Context())
		_, _ = io.Copy(io.Discard, far)
	})
	client := tls.Client(near, &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: []string{Protocol}})
	err := client.HandshakeContext(t.Context())
	return client.ConnectionState(), err
}

func checkValidation(t *testing.T, leaf *x509.Certificate, digest []byte) {
	t.Helper()
	if !slices.Equal(leaf.DNSNames, []string{"example.org"}) || len(leaf.IPAddresses) > 0 {
		t.Errorf("names %q and %v", leaf.DNSNames, leaf.IPAddresses)
	}
	for _, extension := range leaf.Extensions {
		if extension.Id.Equal(acmeIdentifier) {
			want := append([]byte{0x04, 0x20}, digest...) // an OCTET STRING of 32
			if !extension.Critical || !slices.Equal(extension.Value, want) {
				t.Errorf("critical %t, value %x", extension.Critical, extension.Value)
			}
			return
		}
	}
	t.Error("no acmeIdentifier")
}

func TestDigestOf(t *testing.T) {
	t.Run("autocert's certificate has the digest of ours", func(t *testing.T) {
		key, err := newKey()
		if err != nil {
			t.Fatal(err)
		}
		client := &acme.Client{Key: key}
		certificate, err := client.TLSALPN01ChallengeCert(someToken, "example.org")
		if err != nil {
			t.Fatal(err)
		}
		auth, err := client.HTTP01ChallengeResponse(someToken)
		if err != nil {
			t.Fatal(err)
		}
		got, err := digestOf(encodeChain(certificate.Certificate))
		if err != nil || !slices.Equal(got, keyAuthorizationDigest(auth)) {
			t.Errorf("%x, %v", got, err)
		}
	})
	t.Run("anything else is an error", func(t *testing.T) {
		for _, text := range []string{"", "junk", string(encodeChain([][]byte{{1, 2, 3}}))} {
			if got, err := digestOf([]byte(text)); err == nil {
				t.Errorf("%q: %x", text, got)
			}
		}
	})
}

func TestToken(t *testing.T) {
	for path, want := range map[string]string{
		PathPrefix + someToken:           someToken,
		PathPrefix + "a":                 "a",
		PathPrefix:                       "",
		PathPrefix + "a/":                "",
		PathPrefix + "a/b":               "",
		PathPrefix + "../a":              "",
		PathPrefix + "a%41":              "",
		PathPrefix + "a?b":               "",
		PathPrefix + "a b":               "",
		"/.well-known/acme-challengea":   "",
		"/.WELL-KNOWN/acme-challenge/a":  "",
		"//.well-known/acme-challenge/a": "",
		"":                               "",
		PathPrefix + strings.Repeat("a", tokenLimitBytes):   strings.Repeat("a", tokenLimitBytes),
		PathPrefix + strings.Repeat("a", tokenLimitBytes+1): "",
	} {
		if got, ok := Token(path); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t", path, got, ok)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add("example.org:80", PathPrefix+someToken)
	f.Add("[::1]:80", PathPrefix+"a/../b")
	f.Add("example.org.", "/x")
	f.Add("EXAMPLE.ORG:", PathPrefix+"%2e")
	s := newMapStore()
	c := testChallenges(s)
	c.present(f.Context(), httpName("example.org"), someAuth)
	f.Fuzz(func(t *testing.T, host, path string) {
		s.set(func(s *mapStore) { s.names = nil })
		token, ok := Token(path)
		if ok && path != PathPrefix+token {
			t.Errorf("path %q has the token %q", path, token)
		}
		body, found := c.KeyAuthorization(t.Context(), host, token)
		if found && (body != someAuth || token != someToken || bareHost(host) != "example.org") {
			t.Errorf("host %q, token %q: %q", host, token, body)
		}
		for _, name := range s.asked() {
			if !ok || bareHost(host) != "example.org" || name != httpName("example.org") {
				t.Errorf("host %q, path %q: the store was asked for %q", host, path, name)
			}
		}
	})
}
