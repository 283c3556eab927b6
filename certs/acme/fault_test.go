package acme

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
	"github.com/holdfast-server/holdfast/certs/renewal"
)

var errBroken = errors.New("the store is broken")

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{Blocked: []string{"blocked.example"}}, "example.org", "blocked.example")
	soon := time.Now().Add(2 * time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		name       string
		host       string
		fault      acmetest.Fault
		kind       string
		words      string
		retryAfter time.Duration // from now, 0 without
		at         time.Time     // instead of retryAfter
	}{
		{name: "every connection is reset", fault: acmetest.Fault{Manner: acmetest.Refuse}, kind: "unreachable", words: "cannot be reached"},
		{name: "503 with a time", fault: acmetest.Fault{Manner: acmetest.Answer, Status: 503, RetryAfter: "120", Problem: "serverInternal", Detail: "down for the night"},
			kind: "server", words: "down for the night", retryAfter: 2 * time.Minute},
		{name: "503 without a time is tried again first", fault: acmetest.Fault{Manner: acmetest.Answer, Status: 503}, kind: "server", words: "a fault of its own"},
		{name: "429 for orders", fault: acmetest.Fault{Manner: acmetest.Answer, Only: acmetest.NewOrder, Status: 429, RetryAfter: "3600", Problem: "rateLimited", Detail: "too many certificates"},
			kind: "rate-limited", words: "too many certificates", retryAfter: time.Hour},
		{name: "429 with a date", fault: acmetest.Fault{Manner: acmetest.Answer, Only: acmetest.NewOrder, Status: 429, RetryAfter: soon.Format(http.TimeFormat), Problem: "rateLimited"},
			kind: "rate-limited", words: "too many requests", at: soon},
		{name: "429 for a year is a day", fault: acmetest.Fault{Manner: acmetest.Answer, Only: acmetest.NewOrder, Status: 429, RetryAfter: "31536000", Problem: "rateLimited"},
			kind: "rate-limited", words: "too many requests", retryAfter: retryAfterLimit},
		{name: "new terms", fault: acmetest.Fault{Manner: acmetest.Answer, Only: acmetest.NewAccount, Status: 403, Problem: "userActionRequired"}, kind: "user-action", words: "agree to new terms"},
		{name: "no acceptance of the challenge", fault: acmetest.Fault{Manner: acmetest.Answer, Only: "/chalZ/", Status: 400, Problem: "malformed", Detail: "no such challenge"}, kind: "malformed", words: "no such challenge"},
		{name: "CAA at the end", fault: acmetest.Fault{Manner: acmetest.Answer, Only: acmetest.Finalize, Status: 403, Problem: "caa", Detail: "issue \"other.example\""}, kind: "caa", words: "CAA record"},
		{name: "a forged line in the detail", fault: acmetest.Fault{Manner: acmetest.Answer, Status: 400, Problem: "malformed", Detail: "a\r\nlevel=ERROR \x1b[31m"}, kind: "malformed", words: "a level=ERROR [31m"},
		{name: "a blocked name", host: "blocked.example", kind: "rejected-identifier", words: "does not issue for this host"},
	} {
		for _, way := range []string{TLSALPN01, HTTP01} {
			t.Run(c.name+", "+way, func(t *testing.T) {
				s.Gate.Set(c.fault)
				defer s.Gate.Set(acmetest.Fault{})
				host := c.host
				if host == "" {
					host = "example.org"
				}
				asked, orders, now := s.Gate.OrderRequests(), s.Gate.Orders(), time.Now()
				r := refused(t, s.issuer(t, func(o *Options) { o.Challenge = way }), host)
				if r.Kind() != c.kind || !strings.Contains(r.Error(), c.words) || strings.ContainsAny(r.Error(), "\r\n\x1b") {
					t.Errorf("%s: %q, want %s: …%s…", r.Kind(), r, c.kind, c.words)
				}
				first, last := now.Add(c.retryAfter), time.Now().Add(c.retryAfter)
				switch {
				case !c.at.IsZero():
					first, last = c.at, c.at
				case c.retryAfter == 0:
					first, last = time.Time{}, time.Time{}
				}
				if got := r.RetryAfter().Round(0); got.Before(first.Round(0)) || got.After(last.Round(0)) {
					t.Errorf("retry after %v, want between %v and %v", got, first, last)
				}
				if n, m := s.Gate.Orders()-orders, s.Gate.OrderRequests()-asked; n > 1 || m > 1 {
					t.Errorf("%d orders placed of %d asked for, want at most one", n, m)
				}
				s.nothingPresented(t)
			})
		}
	}
	t.Run("and when all is mended it is issued", func(t *testing.T) {
		s.issue(t, s.issuer(t, nil), "example.org")
	})
}

func TestFailedChallenge(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "example.org")
	s.TLS.To()
	s.HTTP.To()
	for _, c := range []struct {
		challenge, profile string
		orders             int
		words              []string
	}{
		{TLSALPN01, "", 1, []string{"tls-alpn-01: ", "Failed to connect"}},
		{TLSALPN01, acmetest.DefaultProfile, 1, []string{"tls-alpn-01: ", "Failed to connect"}},
		{HTTP01, "", 1, []string{"http-01: the CA cannot connect to this host"}},
		{Auto, "", 2, []string{"tls-alpn-01: ", "; http-01: the CA cannot connect to this host"}},
		{Auto, acmetest.DefaultProfile, 2, []string{"tls-alpn-01: ", "; http-01: the CA cannot connect to this host"}},
	} {
		t.Run("the refusal tells why, "+c.challenge+c.profile, func(t *testing.T) {
			orders := s.Gate.Orders()
			r := refused(t, s.issuer(t, func(o *Options) { o.Challenge, o.Profile = c.challenge, c.profile }), "example.org")
			for _, words := range c.words {
				if !strings.Contains(r.Error(), words) {
					t.Errorf("%q does not say %q", r, words)
				}
			}
			if want := map[bool]string{true: "unauthorized", false: "connection"}[c.challenge == TLSALPN01]; r.Kind() != want {
				t.Errorf("kind %q, want %q", r.Kind(), want)
			}
			if n := s.Gate.Orders() - orders; n != c.orders {
				t.Errorf("%d orders, want %d", n, c.orders)
			}
			s.nothingPresented(t)
		})
	}
}

func TestContextEndsAttempt(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "example.org")
	for _, way := range []string{TLSALPN01, HTTP01} {
		t.Run("a CA that never answers is left at once, "+way, func(t *testing.T) {
			s.Gate.Set(acmetest.Fault{Manner: acmetest.BlackHole})
			defer s.Gate.Set(acmetest.Fault{})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			if _, err := s.issuer(t, func(o *Options) { o.Challenge = way }).Issue(ctx, "example.org"); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want the context's error", err)
			}
		})
		t.Run("a deadline is the CA's slowness, "+way, func(t *testing.T) {
			s.Gate.Set(acmetest.Fault{Only: acmetest.NewOrder, Latency: time.Hour})
			defer s.Gate.Set(acmetest.Fault{})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // with what goes before the order
			defer cancel()
			_, err := s.issuer(t, func(o *Options) { o.Challenge = way }).Issue(ctx, "example.org")
			var r *refusal
			if !errors.As(err, &r) || r.Kind() != "unreachable" || !strings.Contains(r.Error(), "does not answer in time") {
				t.Errorf("%v", err)
			}
		})
		t.Run("an attempt that waits for validation ends too, "+way, func(t *testing.T) {
			hang := listen(t) // the CA connects, and nobody answers
			defer hang.Close()
			s.TLS.To(hang.Addr().String())
			s.HTTP.To(hang.Addr().String())
			defer s.TLS.To(s.front.tls)
			defer s.HTTP.To(s.front.http)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				if c, err := hang.Accept(); err == nil {
					defer c.Close()
				}
				cancel()
			}()
			if _, err := s.issuer(t, func(o *Options) { o.Challenge = way }).Issue(ctx, "example.org"); !errors.Is(err, context.Canceled) || !errors.Is(err, renewal.ErrUnissued) {
				t.Errorf("%v, want the context's error, with nothing issued", err)
			}
			s.nothingPresented(t)
		})
	}
}
