package redisstore

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/holdfast-server/holdfast/http1/session"
)

// startRouter passes connections on to Redis. What it forgot it swallows.
func startRouter(t *testing.T, to string) (address string, forget func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var age atomic.Int64
	var work sync.WaitGroup
	pipe := func(to, from net.Conn, mine int64) {
		defer func() { _ = to.Close() }() // its other half may have
		for b := make([]byte, 4096); ; {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			if mine != age.Load() {
				continue
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
	}
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mine := age.Load()
			d, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close() // as a router does
				continue
			}
			work.Go(func() { pipe(d, c, mine) })
			work.Go(func() { pipe(c, d, mine) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close() // Accept ends; the store, closed before, ends the rest
		work.Wait()
	})
	return l.Addr().String(), func() { age.Add(1) }
}

// Connections that hang for ever, all at once, cost one timeout and not one each.
func TestHalfOpen(t *testing.T) {
	r := startRedis(t)
	address, forget := startRouter(t, r.addr)
	s := open(t, "redis://"+address)
	const some = connectionsLimit / 2 // the dial gate lets as many pass again
	for s.client.PoolStats().TotalConns < some {
		var all sync.WaitGroup
		for range some {
			all.Go(func() { _, _ = s.Changes(t.Context(), "") }) // only the connections count
		}
		all.Wait()
	}
	forget()
	write := func() error { return s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("b")}) }
	if err := write(); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Fatalf("%v; want that it hangs", err)
	}
	if err := write(); err != nil {
		t.Errorf("%v; want a new connection", err)
	}
}

func TestGeneration(t *testing.T) {
	var g generation
	of := func(t *testing.T, c net.Conn) interface{ check() error } {
		t.Helper()
		return g.join(c).(interface{ check() error })
	}
	then := g.current.Load()
	old := of(t, unmade{})
	g.retire(then)
	made := of(t, unmade{})
	g.retire(then) // another that timed out with the first
	if old.check() == nil || made.check() != nil {
		t.Error("what was made since is retired, or what was made before is not")
	}
}
