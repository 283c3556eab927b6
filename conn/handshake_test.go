package conn_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// turnstile counts the handshakes that compute at a time, and holds them there until it is
// let go: what a signature does to a core, it does to the clock of a test.
type turnstile struct {
	now, most, all atomic.Int64
	hold           chan struct{} // nil lets everybody through
}

func (g *turnstile) install(c *tls.Config) {
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		n := g.now.Add(1)
		defer g.now.Add(-1)
		g.all.Add(1)
		for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
		}
		if g.hold != nil {
			<-g.hold
		}
		return nil, nil
	}
}

// handshakers are options of a world with so many slots, and its turnstile.
func handshakers(slots int, limits conn.Limits) (options, *turnstile) {
	limits.Handshakes = slots
	g := new(turnstile)
	return options{tls: true, limits: limits, config: g.install}, g
}

// greet makes a handshake in a goroutine of its own and tells how it went.
func (w *world) greet() <-chan error {
	p, done := w.dialRaw(), make(chan error, 1)
	p.busy.Go(func() { done <- tls.Client(p.raw, clientTLS()).Handshake() })
	return done
}

// mute is a client that says its hello and then nothing, and hears nothing.
type mute struct{ net.Conn }

func (mute) Read([]byte) (int, error) { return 0, io.EOF }

// hello is a client's first flight, to be replayed.
func hello(t testing.TB) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	said := make(chan []byte, 1)
	go func() {
		buf := make([]byte, 8<<10)
		n, _ := theirs.Read(buf)
		said <- buf[:n]
		_ = theirs.Close()
	}()
	_ = tls.Client(mute{ours}, clientTLS()).Handshake() // fails: nothing answers
	return <-said
}

func TestHandshakesAtOnce(t *testing.T) {
	t.Run("no more compute than there are slots, and all come to their turn", func(t *testing.T) {
		o, g := handshakers(3, conn.Limits{})
		inWorld(t, o, func(t *testing.T, w *world) {
			g.hold = make(chan struct{})
			var ends []<-chan error
			for range 20 {
				ends = append(ends, w.greet())
			}
			synctest.Wait()
			if n := g.now.Load(); n != 3 {
				t.Errorf("%d compute, want 3", n)
			}
			close(g.hold)
			for _, end := range ends {
				if err := <-end; err != nil {
					t.Error(err)
				}
			}
			if most := g.most.Load(); most != 3 {
				t.Errorf("%d computed at once, want 3", most)
			}
		})
	})
	t.Run("a session that is established holds none", func(t *testing.T) {
		o, _ := handshakers(1, conn.Limits{})
		inWorld(t, o, func(t *testing.T, w *world) {
			peers := []*peer{w.dial(), w.dial(), w.dial()}
			for range 2 {
				for _, p := range peers {
					p.ask("echo a", "a")
				}
			}
		})
	})
	t.Run("who says nothing, half a hello, or a hello and no more, keeps nobody out", func(t *testing.T) {
		flight := hello(t)
		o, g := handshakers(1, conn.Limits{})
		inWorld(t, o, func(t *testing.T, w *world) {
			for range 10 {
				w.dialRaw()
				w.dialRaw().send(string(flight[:5]))
				w.dialRaw().send(string(flight[:len(flight)/2]))
				w.dialRaw().send(string(flight))
			}
			synctest.Wait()
			if n := g.all.Load(); n != 10 {
				t.Fatalf("%d hellos were heard, want 10", n)
			}
			p := w.dial()
			p.ask("echo a", "a")
			p.wantTime(0)
			_ = p.Close()
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 41, Quiet: 1, HandshakeFailed: 40})
		})
	})
	t.Run("one that fails, and one that panics, gives its slot back", func(t *testing.T) {
		o, _ := handshakers(1, conn.Limits{})
		o.config = func(c *tls.Config) {
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				switch h.ServerName {
				case "panic.test":
					panic("told to")
				case "fail.test":
					return nil, errors.New("told to")
				}
				return nil, nil
			}
		}
		inWorld(t, o, func(t *testing.T, w *world) {
			for _, name := range []string{"panic.test", "fail.test", "panic.test", "fail.test"} {
				config := clientTLS()
				config.ServerName = name
				if err := tls.Client(w.dialRaw().raw, config).Handshake(); err == nil {
					t.Errorf("%s shook hands", name)
				}
			}
			w.dialRaw().send("GET / HTTP/1.1\r\n")
			w.dial().ask("echo a", "a")
		})
	})
}

func TestHandshakeWaiting(t *testing.T) {
	limits := conn.Limits{HandshakeTimeout: 10 * time.Second}
	// crowd has the one slot taken, for as long as the turnstile holds, and one waiting.
	crowd := func(w *world, g *turnstile) (waiting *peer) {
		g.hold = make(chan struct{})
		w.greet()
		synctest.Wait()
		waiting = w.dialRaw()
		waiting.send(string(hello(w.t)))
		synctest.Wait()
		return waiting
	}
	t.Run("is under the handshake clock", func(t *testing.T) {
		o, g := handshakers(1, limits)
		inWorld(t, o, func(t *testing.T, w *world) {
			waiting := crowd(w, g)
			waiting.wantEOF(10 * time.Second)
			if n := g.all.Load(); n != 1 {
				t.Errorf("%d hellos were computed on, want 1", n)
			}
			close(g.hold)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 2, HandshakeFailed: 2})
		})
	})
	t.Run("has a second in a drain", func(t *testing.T) {
		o, g := handshakers(1, limits)
		inWorld(t, o, func(t *testing.T, w *world) {
			waiting := crowd(w, g)
			w.drain()
			waiting.wantEOF(emptied + time.Second)
			close(g.hold)
		})
	})
	t.Run("goes on in a drain when its turn comes within it", func(t *testing.T) {
		o, g := handshakers(1, limits)
		inWorld(t, o, func(t *testing.T, w *world) {
			g.hold = make(chan struct{})
			first, second := w.greet(), w.greet()
			synctest.Wait()
			w.drain()
			time.Sleep(time.Second / 2)
			close(g.hold)
			for _, end := range []<-chan error{first, second} {
				if err := <-end; err != nil {
					t.Error(err)
				}
			}
		})
	})
	t.Run("ends with a cut", func(t *testing.T) {
		o, g := handshakers(1, limits)
		inWorld(t, o, func(t *testing.T, w *world) {
			waiting := crowd(w, g)
			w.closeListeners()
			w.server.Cut()
			waiting.wantReset(emptied)
			close(g.hold)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 2, Forced: 2})
		})
	})
}

// A flood of one recorded hello: what it makes compute is bounded, and whoever has a session
// or wants one is served meanwhile.
func TestHandshakeFlood(t *testing.T) {
	const floods, hellos = 4, 100
	// On a machine as busy as it likes: what counts is that nobody is left out.
	o, g := handshakers(2, conn.Limits{HandshakeTimeout: patience})
	s := newStation(t, o)
	flight := hello(t)
	kept := s.dial()
	kept.ask("echo a\n", "a")
	var flood sync.WaitGroup
	var mu sync.Mutex
	var silent []net.Conn
	for range floods {
		flood.Go(func() {
			for range hellos {
				c, err := net.Dial("tcp", s.source.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				silent = append(silent, c)
				mu.Unlock()
				if _, err := c.Write(flight); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		kept.ask("echo b\n", "b")
		s.dial().ask("echo c\n", "c")
	}
	flood.Wait()
	until(t, "every hello to be heard", func() bool { return g.all.Load() == floods*hellos+21 })
	kept.ask("echo d\n", "d")
	s.dial().ask("echo e\n", "e")
	if most := g.most.Load(); most > 2 {
		t.Errorf("%d handshakes computed at once, want 2 at most", most)
	}
	for _, c := range silent {
		_ = c.Close()
	}
	s.end()
	if l := s.server.Ledger(); l.HandshakeFailed != floods*hellos {
		t.Errorf("ledger %+v, want %d failed handshakes", l, floods*hellos)
	}
}
