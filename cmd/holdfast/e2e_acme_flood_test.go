package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
)

// askers are how many ask at a time in a flood: several times as many as there are slots for
// handshakes, and for looks at the store.
const askers = 60

// flood has every asker ask again and again until stop is called, which waits for them. It
// returns once each kind of question had an end.
func flood(t testing.TB, kinds ...func(asker, n int)) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	ended := make([]chan struct{}, len(kinds))
	var all sync.WaitGroup
	for k, ask := range kinds {
		ended[k] = make(chan struct{}, 1)
		for asker := range askers {
			all.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					default:
					}
					ask(asker, n)
					select {
					case ended[k] <- struct{}{}:
					default:
					}
				}
			})
		}
	}
	for _, end := range ended {
		<-end
	}
	return func() { close(done); all.Wait() }
}

// Whoever wants a certificate of a validation, or the answer to a token, leads to looks at the
// store. While that hangs they wait, and nobody else does.
func TestFloodOfValidationsWhileTheStoreHangs(t *testing.T) {
	ca, redis := startCA(t, acmetest.Config{}), startRedis(t)
	s := launchPublic(t, ca, []string{publicHost}, "--cert-store", redis.url())
	certified(t, ca, s, publicHost)
	redis.hang(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	stop := flood(t, func(int, int) {
		// Refused, once the store was waited for: it is the others that count.
		_, _ = shake(s.https, publicHost, func(c *tls.Config) { c.NextProtos = []string{acme.Protocol} })
	}, func(asker, n int) {
		req, err := http.NewRequest(http.MethodGet, "http://"+s.http+acme.PathPrefix+fmt.Sprintf("t%d-%d", asker, n), nil)
		if err != nil {
			t.Error(err)
			return
		}
		req.Host = publicHost
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
		}
	})
	took := handshakes(s.https, publicHost, 50, func(err error) {
		if err != nil {
			t.Errorf("in the flood: %v", err)
		}
	})
	stop()
	t.Logf("handshakes in the flood: median %v, worst %v", middle(took), longest(took))
	if n := over(took, answerLimit); n > frozen {
		t.Errorf("%d took over %v", n, answerLimit)
	}
	redis.wake(t)
	t.Run("and the host is validated again, once the store answers", func(t *testing.T) {
		stop := flood(t, func(asker, n int) {
			_, _ = shake(s.https, publicHost, func(c *tls.Config) { c.NextProtos = []string{acme.Protocol} })
		})
		defer stop()
		if said := s.command("certs", "renew", publicHost); said.exit != 0 || !strings.Contains(said.out, publicHost) {
			t.Errorf("%s%s", said.out, said.stderr)
		}
		eventually(t, "a second order", func() bool { return ca.Gate.Orders() == 2 })
	})
	s.stop()
}
