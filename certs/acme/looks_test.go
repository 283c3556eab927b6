package acme

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is peers that ask for a host's tokens, each time another one, until ctx ends.
func crowd(ctx context.Context, c *Challenges, host string, n int) (wait func()) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				c.KeyAuthorization(ctx, host, fmt.Sprintf("t%d-%d", i, n))
			}
		})
	}
	return all.Wait
}

func TestLooks(t *testing.T) {
	name := httpName("example.org")
	ask := func(t *testing.T, c *Challenges) (found bool, took time.Duration) {
		began := time.Now()
		_, found = c.KeyAuthorization(t.Context(), "example.org", someToken)
		return found, time.Since(began)
	}
	t.Run("a peer is told off after two seconds of a store that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			s.hang = true
			if found, took := ask(t, testChallenges(s)); found || took != lookTimeout {
				t.Errorf("%t after %v", found, took)
			}
		})
	})
	t.Run("a thousand are told off together, by one look", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			s.hang = true
			c, began := testChallenges(s), time.Now()
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() { ask(t, c) })
			}
			all.Wait()
			if n, took := len(s.asked()), time.Since(began); n != 1 || took != lookTimeout {
				t.Errorf("%d looks, the last one waited for %v", n, took)
			}
		})
	})
	t.Run("what was stored before the question is found, a moment after a look that missed it too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			orders, answers := testChallenges(s), testChallenges(s)
			if found, _ := ask(t, answers); found {
				t.Error("found what is not there")
			}
			orders.present(t.Context(), name, someAuth)
			if found, took := ask(t, answers); !found || took > lookPause {
				t.Errorf("found %t after %v", found, took)
			}
		})
	})
	t.Run("a crowd with tokens of its own costs a look a second, and keeps no CA from its answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			orders, answers := testChallenges(s), testChallenges(s)
			ctx, cancel := context.WithCancel(t.Context())
			wait := crowd(ctx, answers, "example.org", 300)
			time.Sleep(9500 * time.Millisecond)
			orders.present(t.Context(), name, someAuth)
			for range 5 {
				if found, took := ask(t, answers); !found || took > lookPause {
					t.Errorf("found %t after %v", found, took)
				}
			}
			cancel()
			wait()
			if n := len(s.asked()); n > 15 {
				t.Errorf("%d looks in 15 seconds", n)
			}
		})
	})
	t.Run("who leaves while it looks takes nothing from the others", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			s.hang = true
			c := testChallenges(s)
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			all.Go(func() { c.KeyAuthorization(ctx, "example.org", someToken) })
			synctest.Wait()
			cancel()
			synctest.Wait()
			if _, took := ask(t, c); took != lookTimeout || len(s.asked()) != 1 {
				t.Errorf("the other waited for %v, %d looks", took, len(s.asked()))
			}
			all.Wait()
		})
	})
	t.Run("who waits for another's look can leave", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			s.hang = true
			c, began := testChallenges(s), time.Now()
			var all sync.WaitGroup
			all.Go(func() { ask(t, c) })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c.KeyAuthorization(ctx, "example.org", someToken)
			if took := time.Since(began); took != time.Second {
				t.Errorf("left after %v", took)
			}
			all.Wait()
		})
	})
	t.Run("eight hosts are looked for at once, and those of HTTP-01 leave TLS-ALPN-01 its turns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			s.hang = true
			hosts := make([]string, 50)
			for i := range hosts {
				hosts[i] = fmt.Sprintf("h%d.example.org", i)
			}
			c := testChallenges(s, hosts...)
			var all sync.WaitGroup
			for _, host := range hosts {
				all.Go(func() { c.KeyAuthorization(t.Context(), host, someToken) })
			}
			synctest.Wait()
			if n := len(s.asked()); n != lookLimit {
				t.Errorf("%d looks at once, want %d", n, lookLimit)
			}
			all.Go(func() { c.find(t.Context(), alpnName(hosts[0]), func(answer) bool { return true }) })
			synctest.Wait()
			if n := len(s.asked()); n != lookLimit+1 {
				t.Errorf("%d looks at once, want %d", n, lookLimit+1)
			}
			all.Wait()
		})
	})
	t.Run("a store that works again is asked again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newMapStore()
			s.broken = errBroken
			c := testChallenges(s)
			if found, took := ask(t, c); found || took != 0 {
				t.Errorf("found %t after %v", found, took)
			}
			s.set(func(s *mapStore) { s.broken = nil })
			testChallenges(s).present(t.Context(), name, someAuth)
			if found, took := ask(t, c); !found || took != lookPause {
				t.Errorf("found %t after %v", found, took)
			}
		})
	})
}

// gated is a connection whose server limits handshakes.
type gated struct {
	net.Conn
	aside atomic.Int64 // how often something waited
	err   error
}

func (g *gated) Aside(wait func(context.Context)) error {
	g.aside.Add(1)
	wait(context.Background())
	return g.err
}

func TestLooksAreTakenAside(t *testing.T) {
	s := newMapStore()
	c := testChallenges(s)
	c.present(t.Context(), alpnName("example.org"), hex.EncodeToString(keyAuthorizationDigest(someAuth)))
	replica := testChallenges(s)
	t.Run("of the slots for handshakes", func(t *testing.T) {
		g := new(gated)
		got, err := replica.certificate(&tls.ClientHelloInfo{ServerName: "example.org", Conn: g})
		if err != nil || got == nil || g.aside.Load() != 1 {
			t.Errorf("%v, %v, %d times aside", got, err, g.aside.Load())
		}
	})
	t.Run("and a slot that is not to be had again ends the handshake", func(t *testing.T) {
		g := &gated{err: errBroken}
		if got, err := replica.certificate(&tls.ClientHelloInfo{ServerName: "example.org", Conn: g}); err != errBroken || got != nil {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("but not for a host that is none of ours", func(t *testing.T) {
		g := new(gated)
		if got, err := replica.certificate(&tls.ClientHelloInfo{ServerName: "example.com", Conn: g}); err != nil || got != nil || g.aside.Load() != 0 {
			t.Errorf("%v, %v, %d times aside", got, err, g.aside.Load())
		}
	})
}
