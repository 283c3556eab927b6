package acme

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
	"github.com/holdfast-server/holdfast/certs/renewal"
)

// What ends before the CA was asked to issue is in TestContextEndsAttempt.
func TestBrokenOffWhileTheCAIssues(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "alpn.example.org", "http.example.org")
	for host, way := range map[string]string{"alpn.example.org": TLSALPN01, "http.example.org": HTTP01} {
		t.Run("the error does not say that nothing was issued, "+way, func(t *testing.T) {
			s.Gate.Set(acmetest.Fault{Only: acmetest.Finalize, Latency: time.Hour})
			defer s.Gate.Set(acmetest.Fault{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			before, done := s.Gate.To(acmetest.Finalize), make(chan error, 1)
			issuer := s.issuer(t, func(o *Options) { o.Challenge = way })
			go func() {
				_, err := issuer.Issue(ctx, host)
				done <- err
			}()
			until(t, "asked to issue", func() bool { return s.Gate.To(acmetest.Finalize) > before || len(done) > 0 })
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, renewal.ErrUnissued) {
				t.Errorf("%v, want the context's error only", err)
			}
		})
	}
}
