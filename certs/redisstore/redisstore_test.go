package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/certs/store/storetest"
)

func copyAll(dst, src net.Conn) (int64, error) { return io.Copy(dst, src) }

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eventually asks until the call is done without an error, and returns the last error
// before that.
func eventually(t *testing.T, call func(ctx context.Context) error) (last error) {
	t.Helper()
	ctx := within(t)
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		err := call(ctx)
		if err == nil {
			return last
		}
		last = err
		select {
		case <-ctx.Done():
			t.Fatalf("it never came back: %v", last)
		case <-pause.C:
		}
	}
}

func mustPut(t *testing.T, s *Store, name, value string, under store.Lease) {
	t.Helper()
	if err := s.Put(within(t), name, []byte(value), under); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, s *Store, name, want string) {
	t.Helper()
	if got, err := s.Get(within(t), name); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v, want %q", name, got, err, want)
	}
}

func TestConformance(t *testing.T) {
	r := startRedis(t)
	var mu sync.Mutex
	number := 0
	storetest.Run(t, func(*testing.T) storetest.Peer {
		mu.Lock()
		defer mu.Unlock()
		number++
		address := fmt.Sprintf("%s/%d?prefix=test%%5B*%%5D%d:", r.url(), number%16, number) // "[*]" is no pattern
		return storetest.Peer{Open: func(t *testing.T) store.Store { return open(t, address) }, TTL: 30 * time.Millisecond}
	})
}

// sent is how many bytes Redis has sent to its clients.
func sent(t *testing.T, r *redisServer) (n int) {
	t.Helper()
	text, _ := r.ask(t, "INFO", "stats").(string)
	_, rest, _ := strings.Cut(text, "total_net_output_bytes:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return n
}

func TestKeys(t *testing.T) {
	r := startRedis(t)
	a, b := open(t, r.url()), open(t, r.url()+"?prefix=holdfast:other:")
	mustPut(t, a, "cert/example.org", "of a", nil)
	mustPut(t, b, "cert/example.org", "of b", nil)
	if _, err := a.Acquire(within(t), "order/example.org", "host 1", time.Hour); err != nil {
		t.Fatal(err)
	}
	t.Run("a longer prefix and leases are not in the list", func(t *testing.T) {
		if got, err := a.List(within(t), ""); err != nil || !slices.Equal(got, []string{"cert/example.org"}) {
			t.Errorf("List is %q, %v", got, err)
		}
		holds(t, a, "cert/example.org", "of a")
	})
	t.Run("whoever waits is told the holder", func(t *testing.T) {
		_, err := a.Acquire(within(t), "order/example.org", "host 2", time.Hour)
		if !errors.Is(err, store.ErrHeld) || !strings.Contains(err.Error(), "host 1") {
			t.Errorf("%v", err)
		}
	})
	t.Run("Redis itself ends a lease", func(t *testing.T) {
		if left := r.ask(t, "PTTL", "holdfast:lease:order/example.org"); left.(int64) <= 0 {
			t.Errorf("the lease lives for %v ms", left)
		}
	})
	t.Run("a foreign value that is too large is refused", func(t *testing.T) {
		r.ask(t, "SET", "holdfast:cert/large", strings.Repeat("x", store.MaxValueBytes+1))
		if _, err := a.Get(within(t), "cert/large"); err == nil || !strings.Contains(err.Error(), "65536") {
			t.Errorf("%v", err)
		}
	})
	t.Run("one that is huge is not even read", func(t *testing.T) {
		const size = 64 << 20
		r.ask(t, "SETRANGE", "holdfast:cert/huge", fmt.Sprint(size), "x")
		before := sent(t, r)
		if _, err := a.Get(within(t), "cert/huge"); err == nil || !strings.Contains(err.Error(), "65536") {
			t.Errorf("%v", err)
		}
		if n := sent(t, r) - before; n > size/100 {
			t.Errorf("Redis sent %d bytes", n)
		}
	})
}

func TestPassword(t *testing.T) {
	r := startRedis(t, "--requirepass", "right", "--user", "limited", "on", ">right", "~holdfast:*", "+get")
	t.Run("the right one", func(t *testing.T) {
		mustPut(t, open(t, withPassword(t, r.url(), "", "right")), "cert/example.org", "value", nil)
	})
	for name, c := range map[string]struct{ user, password, want string }{
		"a wrong one is named and not shown":    {"", "hunter2", "the user or the password was refused"},
		"a wrong user":                          {"nobody", "hunter2", "the user or the password was refused"},
		"a user who may not says what to allow": {"limited", "right", "the user may not do this"},
		"a missing one is asked for":            {"", "", "a password is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			address := r.url()
			if c.password != "" {
				address = withPassword(t, r.url(), c.user, c.password)
			}
			s := open(t, address)
			err := s.Put(within(t), "cert/example.org", nil, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error()+s.String(), "hunter2") {
				t.Errorf("it shows the password: %v", err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Run("killed: an error each, and back as soon as it is", func(t *testing.T) {
		t.Parallel()
		r := startRedis(t)
		s := open(t, r.url())
		mustPut(t, s, "cert/example.org", "value", nil)
		r.kill(t)
		_, getErr := s.Get(within(t), "cert/example.org")
		_, acquireErr := s.Acquire(within(t), "secret", "a test", time.Hour)
		for what, err := range map[string]error{"Get": getErr, "Acquire": acquireErr, "Put": s.Put(within(t), "cert/example.org", nil, nil)} {
			if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrHeld) || !strings.Contains(err.Error(), r.addr) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if !r.start(t) {
			t.Fatalf("no restart:\n%s", r.output)
		}
		eventually(t, func(ctx context.Context) error { return s.Put(ctx, "cert/example.org", []byte("again"), nil) })
		holds(t, s, "cert/example.org", "again")
	})
	t.Run("paused: every call ends, and the connections heal", func(t *testing.T) {
		t.Parallel()
		r := startRedis(t)
		s := open(t, r.url())
		mustPut(t, s, "cert/example.org", "value", nil)
		r.ask(t, "CLIENT", "PAUSE", 8000, "ALL")
		if _, err := s.Get(within(t), "cert/example.org"); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
		eventually(t, func(ctx context.Context) error { _, err := s.Get(ctx, "cert/example.org"); return err })
		holds(t, s, "cert/example.org", "value")
	})
	t.Run("a black hole: every call ends", func(t *testing.T) {
		t.Parallel()
		f := startFront(t, "")
		s := open(t, f.url())
		var wg sync.WaitGroup
		for i := range 3 * connectionsLimit {
			wg.Go(func() {
				if _, err := s.Get(within(t), fmt.Sprintf("cert/%d", i)); err == nil || errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
	})
	t.Run("loading: says so, and answers when it has loaded", func(t *testing.T) {
		t.Parallel()
		r := startRedis(t)
		s := open(t, r.url())
		for i := range 300 {
			mustPut(t, s, fmt.Sprintf("cert/%d.example", i), strings.Repeat("x", 2000), nil)
		}
		r.ask(t, "SAVE")
		r.kill(t)
		r.args = []string{"--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"}
		if !r.start(t) {
			t.Fatalf("no restart:\n%s", r.output)
		}
		said := false
		last := eventually(t, func(ctx context.Context) error {
			_, err := s.Get(ctx, "cert/99.example")
			said = said || err != nil && strings.Contains(err.Error(), "still loading")
			return err
		})
		if !said {
			t.Errorf("before it had loaded: %v", last)
		}
	})
	t.Run("restarted without its memory: who had the lease goes on, unless another came", func(t *testing.T) {
		t.Parallel()
		r := startRedis(t)
		a, b := open(t, r.url()), open(t, r.url())
		lease, err := a.Acquire(within(t), "order/example.org", "a", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		r.ask(t, "FLUSHALL")
		mustPut(t, a, "cert/example.org", "the order was paid for", lease)
		if err := lease.Renew(within(t)); err != nil {
			t.Errorf("Renew: %v", err)
		}
		if _, err := b.Acquire(within(t), "order/example.org", "b", time.Hour); !errors.Is(err, store.ErrHeld) {
			t.Errorf("Acquire of a lease that was renewed: %v", err)
		}
		r.ask(t, "FLUSHALL")
		if _, err := b.Acquire(within(t), "order/example.org", "b", time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(lease.Renew(within(t))); !errors.Is(err, store.ErrLost) {
			t.Errorf("Renew: %v", err)
		}
		if err := a.Put(within(t), "cert/example.org", nil, lease); !errors.Is(err, store.ErrLost) {
			t.Errorf("Put: %v", err)
		}
	})
	t.Run("refused writes name the reason", func(t *testing.T) {
		t.Parallel()
		r := startRedis(t)
		s := open(t, r.url())
		r.ask(t, "REPLICAOF", "127.0.0.1", "1")
		if err := s.Put(within(t), "cert/example.org", nil, nil); err == nil || !strings.Contains(err.Error(), "name the primary") {
			t.Errorf("a replica: %v", err)
		}
		r.ask(t, "REPLICAOF", "NO", "ONE")
		r.ask(t, "CONFIG", "SET", "maxmemory", "1")
		if err := s.Put(within(t), "cert/example.org", nil, nil); err == nil || !strings.Contains(err.Error(), "maxmemory") {
			t.Errorf("out of memory: %v", err)
		}
	})
}

func TestFailover(t *testing.T) {
	primary, replica := startRedis(t), startRedis(t)
	host, port, _ := net.SplitHostPort(primary.addr)
	f := startFront(t, primary.addr)
	a, b := open(t, f.url()), open(t, f.url())
	lease, err := a.Acquire(within(t), "order/example.org", "a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, a, "cert/example.org", "value", lease)
	replica.ask(t, "REPLICAOF", host, port)
	eventually(t, func(context.Context) error { // until it has all
		if n, _ := replica.ask(t, "EXISTS", "holdfast:cert/example.org", "holdfast:lease:order/example.org", "holdfast:fence:order/example.org").(int64); n != 3 {
			return errors.New("not yet")
		}
		return nil
	})
	primary.kill(t)
	replica.ask(t, "REPLICAOF", "NO", "ONE")
	f.point(replica.addr)
	t.Run("the lease and the values go along", func(t *testing.T) {
		eventually(t, lease.Renew)
		holds(t, b, "cert/example.org", "value")
		if _, err := b.Acquire(within(t), "order/example.org", "b", time.Hour); !errors.Is(err, store.ErrHeld) {
			t.Errorf("%v", err)
		}
		mustPut(t, a, "cert/example.org", "renewed", lease)
	})
	t.Run("a lease that the failover forgot is lost to whoever takes it", func(t *testing.T) {
		replica.ask(t, "DEL", "holdfast:lease:order/example.org")
		next, err := b.Acquire(within(t), "order/example.org", "b", time.Hour)
		if err != nil || next.Fence() <= lease.Fence() {
			t.Fatalf("%v", err)
		}
		if err := a.Put(within(t), "cert/example.org", nil, lease); !errors.Is(err, store.ErrLost) {
			t.Errorf("%v", err)
		}
	})
}

func TestConnectionsAreFew(t *testing.T) {
	r := startRedis(t)
	s := open(t, r.url())
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if err := s.Put(within(t), fmt.Sprintf("cert/%d", i), nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	clients := strings.Count(r.ask(t, "CLIENT", "LIST").(string), "addr=") / 2 // addr= and laddr=
	if clients == 0 || clients > connectionsLimit+1 {
		t.Errorf("%d connections, the limit is %d", clients-1, connectionsLimit)
	}
}
