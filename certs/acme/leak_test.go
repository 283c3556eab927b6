package acme

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

// working are the goroutines that have something of an attempt on their stack: ACME, or
// a connection of an HTTP client.
func working() (stacks []string) {
	buf := make([]byte, 4<<20)
	for _, stack := range bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
		text := string(stack)
		own := strings.Contains(text, "acme.(*Issuer)") || strings.Contains(text, "certs/acme.(*line)") || strings.Contains(text, "certs/acme.(*view)")
		if own || strings.Contains(text, "x/crypto/acme") || strings.Contains(text, "net/http.(*persistConn)") {
			stacks = append(stacks, text)
		}
	}
	return stacks
}

// until waits for a condition that comes about by itself.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not after 30 s", what)
		case <-ticker.C:
		}
	}
}

func TestNoGoroutineStays(t *testing.T) {
	ways := []string{TLSALPN01, Auto, HTTP01}
	paths := []string{acmetest.NewAccount, acmetest.NewOrder, "/authZ/", "/chalZ/", acmetest.Finalize}
	hosts := []string{"example.org", "lost.example.org"}
	for n := range len(ways) * len(paths) {
		hosts = append(hosts, fmt.Sprintf("h%d.example.org", n))
	}
	s := newSite(t, acmetest.Config{}, hosts...)
	until(t, "quiet at first", func() bool { return len(working()) == 0 })
	// A connection's goroutines end by themselves once both sides have closed, and
	// autocert's have a few instructions left when they are seen to end.
	left := func(t *testing.T) {
		t.Helper()
		until(t, "quiet again", func() bool { return len(working()) == 0 })
	}
	for i, way := range ways {
		t.Run("after a certificate, "+way, func(t *testing.T) {
			if _, err := s.issuer(t, func(o *Options) { o.Challenge = way }).Issue(t.Context(), "example.org"); err != nil {
				t.Error(err)
			}
			left(t)
		})
		t.Run("after a refused order, "+way, func(t *testing.T) {
			s.Gate.Set(acmetest.Fault{Manner: acmetest.Answer, Only: acmetest.NewOrder, Status: 429})
			defer s.Gate.Set(acmetest.Fault{})
			refused(t, s.issuer(t, func(o *Options) { o.Challenge = way }), "example.org")
			left(t)
		})
		t.Run("after a lost challenge, "+way, func(t *testing.T) {
			s.TLS.To()
			s.HTTP.To()
			defer s.TLS.To(s.front.tls)
			defer s.HTTP.To(s.front.http)
			refused(t, s.issuer(t, func(o *Options) { o.Challenge = way }), "lost.example.org")
			left(t)
		})
		for j, path := range paths {
			t.Run("after the context ended in the middle, "+way+path, func(t *testing.T) {
				before := s.Gate.To(path)
				s.Gate.Set(acmetest.Fault{Only: path, Latency: time.Hour})
				defer s.Gate.Set(acmetest.Fault{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan error)
				issuer := s.issuer(t, func(o *Options) { o.Challenge = way })
				go func() {
					_, err := issuer.Issue(ctx, hosts[2+i*len(paths)+j])
					ended <- err
				}()
				until(t, "the request arrives", func() bool { return s.Gate.To(path) > before })
				cancel()
				if err := <-ended; err == nil {
					t.Error("issued all the same")
				}
				s.nothingPresented(t)
				left(t)
			})
		}
	}
}

func TestAutocertIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "example.org")
	for name, fault := range map[string]acmetest.Fault{
		"when all went well":             {},
		"when the order failed":          {Manner: acmetest.Answer, Only: acmetest.Finalize, Status: 403},
		"when the CA is slow to tidy up": {Only: "/authZ/", Latency: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s.Gate.Set(fault)
			defer s.Gate.Set(acmetest.Fault{})
			a := s.issuer(t, nil).begin(t.Context(), "example.org")
			defer a.line.close()
			_, err := a.run(t.Context())
			if (err != nil) != (fault.Manner == acmetest.Answer) {
				t.Error(err)
			}
			// GetCertificate, and the goroutine that gives the authorization back.
			if running, seen := a.line.running(); running != nil || seen != 2 {
				t.Errorf("%d callers seen, one still running: %t", seen, running != nil)
			}
		})
	}
}

// A Manager arms a timer when it gets a certificate, which goes off after two thirds of
// its life. What it holds is in memory until then, and must go afterwards.
func TestRenewalTimerEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{Profiles: map[string]time.Duration{"brief": 12 * time.Second}}, "example.org")
	attempt := func() weak.Pointer[line] {
		a := s.issuer(t, nil).begin(t.Context(), "example.org")
		defer a.line.close()
		if _, err := a.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return weak.Make(a.line)
	}
	l := attempt()
	runtime.GC()
	if l.Value() == nil {
		t.Fatal("nothing holds the line: this test watches the wrong thing")
	}
	requests := s.Gate.Requests()
	until(t, "the timer lets go of the Manager", func() bool {
		runtime.GC()
		return l.Value() == nil
	})
	if n := s.Gate.Requests() - requests; n != 0 {
		t.Errorf("the timer made %d requests", n)
	}
}

func TestManyHostsAtOnce(t *testing.T) {
	t.Parallel()
	var hosts []string
	for n := range 8 {
		hosts = append(hosts, fmt.Sprintf("h%d.example.org", n))
	}
	s := newSite(t, acmetest.Config{}, hosts...)
	issuer := s.issuer(t, func(o *Options) { o.Challenge = Auto })
	errs := make(chan error, len(hosts))
	for _, host := range hosts {
		go func() {
			_, err := issuer.Issue(t.Context(), host)
			errs <- err
		}()
	}
	for range hosts {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := s.Gate.Orders(); n != len(hosts) {
		t.Errorf("%d orders for %d hosts", n, len(hosts))
	}
	if accounts := s.store.list("account/"); len(accounts) != 1 {
		t.Errorf("accounts %q, want one", accounts)
	}
	s.nothingPresented(t)
}
