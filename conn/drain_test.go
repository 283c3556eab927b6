package conn_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// Emptying a quiet accept queue takes one look at it, of 20 ms; an idle connection then
// has a last look of 5 ms.
const (
	emptied = 20 * time.Millisecond
	looked  = emptied + 5*time.Millisecond
)

// both runs a test on plain connections and on TLS.
func both(t *testing.T, name string, test func(t *testing.T, w *world)) {
	for suffix, isTLS := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name+"/"+suffix, func(t *testing.T) { inWorld(t, options{tls: isTLS}, test) })
	}
}

func TestAnnounce(t *testing.T) {
	both(t, "idle connections stay, and each is answered once more", func(t *testing.T, w *world) {
		p, q := w.dial(), w.dial()
		p.ask("echo a", "a")
		q.ask("echo a", "a")
		synctest.Wait()
		w.server.Announce()
		w.server.Announce() // again is nothing
		time.Sleep(15 * time.Second)
		p.ask("echo b", "b")
		p.wantEOF(15 * time.Second)
		w.wantOpen(1)
	})
	both(t, "accepting goes on", func(t *testing.T, w *world) {
		w.server.Announce()
		p := w.dial()
		p.ask("echo a", "a")
		p.wantEOF(0)
	})
}

func TestDrainIdle(t *testing.T) {
	both(t, "with nothing pending it leaves at once", func(t *testing.T, w *world) {
		p := w.dial()
		p.ask("echo a", "a")
		gone := w.drain()
		p.wantEOF(looked)
		<-gone
		w.wantEnd(conn.ErrDrained)
		w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
	})
	both(t, "a request that was sent before is answered", func(t *testing.T, w *world) {
		p := w.dial()
		p.ask("echo a", "a")
		w.closeListeners()
		p.send("echo b\n")
		w.server.Drain()
		p.want("b")
		p.wantEOF(emptied)
	})
	both(t, "so is one that arrives during the last look", func(t *testing.T, w *world) {
		p := w.dial()
		p.ask("echo a", "a")
		w.drain()
		time.Sleep(4 * time.Millisecond)
		p.send("echo b\n")
		p.want("b")
		p.wantEOF(emptied + 4*time.Millisecond)
	})
	both(t, "a head that began before gets a second to end", func(t *testing.T, w *world) {
		p := w.dial()
		p.ask("echo a", "a")
		w.closeListeners()
		p.send("ech")
		w.server.Drain()
		p.wantEOF(emptied + time.Second)
		w.wantEnd(conn.ErrHeadTimeout)
	})
	// Its last response was under way at the announcement and could not repeat it.
	untold := func(w *world) *peer {
		p := w.dial()
		p.send("late 3s\n")
		synctest.Wait()
		w.server.Announce()
		p.want("late")
		time.Sleep(400 * time.Millisecond)
		w.drain()
		return p
	}
	both(t, "one that was told nothing has a second from its last response", func(t *testing.T, w *world) {
		p := untold(w)
		time.Sleep(500 * time.Millisecond)
		p.send("echo b\n")
		p.want("b")
	})
	both(t, "and no more", func(t *testing.T, w *world) {
		p := untold(w)
		p.wantEOF(4 * time.Second)
		w.wantEnd(conn.ErrDrained)
	})
	both(t, "what it sends after our FIN is counted as late", func(t *testing.T, w *world) {
		p := w.dial()
		p.ask("echo a", "a")
		w.drain()
		if _, err := p.r.ReadByte(); err != io.EOF {
			t.Fatalf("read ended with %v, want EOF", err)
		}
		p.send("echo b\n")
		_ = p.Close() // over TLS an alert too, which is not counted
		w.end()
		if got := w.server.Ledger().LateBytes; got != 7 {
			t.Errorf("%d late bytes, want 7", got)
		}
	})
}

// gate holds back what is written behind the first bytes, until it is opened.
type gate struct {
	net.Conn
	mu   sync.Mutex
	let  int // how many more bytes go through; negative for all
	held []byte
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := p
	if g.let >= 0 {
		now = p[:min(g.let, len(p))]
		g.let -= len(now)
		g.held = append(g.held, p[len(now):]...)
	}
	if _, err := g.Conn.Write(now); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (g *gate) shut(after int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.let = after
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = g.Conn.Write(g.held)
	g.let, g.held = -1, nil
}

// TestDrainHalfRecord: a request in a TLS record of several segments can be half received
// when the drain comes. It shows to nobody above TLS.
func TestDrainHalfRecord(t *testing.T) {
	begin := func(t *testing.T, w *world) (*peer, *gate) {
		p := w.dialRaw()
		g := &gate{Conn: p.Conn, let: -1}
		c := tls.Client(g, clientTLS())
		p.Conn = c
		p.r.Reset(c)
		p.ask("echo a", "a")
		g.shut(10)
		w.closeListeners()
		p.send("echo b\n")
		w.server.Drain()
		return p, g
	}
	t.Run("it gets a second to come", func(t *testing.T) {
		inWorld(t, options{tls: true}, func(t *testing.T, w *world) {
			p, g := begin(t, w)
			time.Sleep(900 * time.Millisecond)
			g.open()
			p.want("b")
			p.wantEOF(emptied + 900*time.Millisecond)
		})
	})
	t.Run("and no more", func(t *testing.T) {
		inWorld(t, options{tls: true}, func(t *testing.T, w *world) {
			p, _ := begin(t, w)
			p.wantEOF(looked + time.Second)
			w.wantEnd(conn.ErrDrained)
		})
	})
}

func TestDrainBeginnings(t *testing.T) {
	for _, row := range []struct {
		name     string
		sent     string
		tls      bool
		before   time.Duration // the drain comes this long after the dial
		wantAt   time.Duration
		wantBook conn.Ledger
	}{
		{"a silent new connection gets a second", "", false, 3 * time.Second, 4 * time.Second, conn.Ledger{Accepted: 1, Quiet: 1}},
		{"or what is left, when that is less", "", false, 9500 * time.Millisecond, 10 * time.Second, conn.Ledger{Accepted: 1, Quiet: 1}},
		{"half a head gets a second", "ech", false, 3 * time.Second, 4 * time.Second, conn.Ledger{Accepted: 1, PeerLeft: 1}},
		{"or what is left of its 10", "ech", false, 9500 * time.Millisecond, 10 * time.Second, conn.Ledger{Accepted: 1, PeerLeft: 1}},
		{"a handshake gets a second", "\x16", true, 3 * time.Second, 4 * time.Second, conn.Ledger{Accepted: 1, HandshakeFailed: 1}},
		{"or what is left of the handshake's time", "\x16", true, 9500 * time.Millisecond, 10 * time.Second, conn.Ledger{Accepted: 1, HandshakeFailed: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			inWorld(t, options{tls: row.tls}, func(t *testing.T, w *world) {
				p := w.dialRaw()
				p.send(row.sent)
				time.Sleep(row.before - emptied)
				gone := w.drain()
				p.wantEOF(row.wantAt)
				<-gone
				w.wantLedger(row.wantBook)
			})
		})
	}
	both(t, "a new connection that speaks within the second is answered", func(t *testing.T, w *world) {
		p := w.dial()
		w.drain()
		time.Sleep(900 * time.Millisecond)
		p.ask("echo a", "a")
		p.wantEOF(emptied + 900*time.Millisecond)
	})
	t.Run("so is one whose handshake was under way", func(t *testing.T) {
		inWorld(t, options{tls: true}, func(t *testing.T, w *world) {
			p := w.dialRaw()
			synctest.Wait()
			w.drain()
			time.Sleep(900 * time.Millisecond)
			c := tls.Client(p.Conn, clientTLS())
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			q := newPeer(t, c)
			time.Sleep(900 * time.Millisecond) // the head has a second of its own
			q.ask("echo a", "a")
			q.wantEOF(900 * time.Millisecond)
		})
	})
}

func TestDrainActive(t *testing.T) {
	both(t, "content that flows is read to its end", func(t *testing.T, w *world) {
		p := w.dial()
		p.send("body 100000\n")
		p.trickle(pattern(1000), time.Second, 100)
		time.Sleep(10 * time.Second)
		gone := w.drain()
		p.want("got 100000")
		p.wantEOF(100 * time.Second)
		<-gone
		w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
	})
	both(t, "a response that flows is written to its end", func(t *testing.T, w *world) {
		p := w.dial()
		p.send("send 1000000\n")
		if err := readPattern(p.r, 1000); err != nil {
			t.Fatal(err)
		}
		w.drain()
		if _, err := io.CopyN(io.Discard, &throttled{p.r, 5000}, 999000); err != nil {
			t.Fatal(err)
		}
		_ = p.Close()
		w.end()
		w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
	})
	both(t, "a handler that is at work finishes, however long it takes", func(t *testing.T, w *world) {
		p := w.dial()
		p.send("events 3 1m\n")
		synctest.Wait()
		w.drain()
		for range 3 {
			p.want("event")
		}
		p.wantEOF(3 * time.Minute)
	})
}

func TestCut(t *testing.T) {
	both(t, "every connection that is left is reset, and its context ends", func(t *testing.T, w *world) {
		p, q := w.dial(), w.dial()
		p.send("wait\n")
		q.send("body 10000\n")
		synctest.Wait()
		gone := w.drain()
		time.Sleep(10 * time.Second)
		if n := w.server.Cut(); n != 2 {
			t.Errorf("cut %d connections, want 2", n)
		}
		p.wantReset(emptied + 10*time.Second)
		q.wantReset(emptied + 10*time.Second)
		<-gone
		if !w.lines.newest().Forced() {
			t.Error("a cut connection does not know")
		}
		w.wantLedger(conn.Ledger{Accepted: 2, Forced: 2})
	})
	both(t, "a write to a peer that does not read is ended", func(t *testing.T, w *world) {
		w.dial().send("send 1000000\n")
		gone := w.drain()
		w.server.Cut()
		<-gone
		w.wantLedger(conn.Ledger{Accepted: 1, Forced: 1})
	})
	t.Run("so is a handshake", func(t *testing.T) {
		inWorld(t, options{tls: true}, func(t *testing.T, w *world) {
			p := w.dialRaw()
			gone := w.drain()
			w.server.Cut()
			<-gone
			p.wantReset(emptied)
			w.wantLedger(conn.Ledger{Accepted: 1, Forced: 1})
		})
	})
	t.Run("and a detached stream", func(t *testing.T) {
		hang := func(s *session, _ []string) (bool, error) {
			s.Detach()
			_, err := s.Read(s.buf[:])
			return false, err
		}
		inWorld(t, options{more: map[string]verb{"upgrade": hang}}, func(t *testing.T, w *world) {
			w.dial().send("upgrade\n")
			gone := w.drain()
			time.Sleep(time.Hour)
			w.server.Cut()
			<-gone
			w.wantLedger(conn.Ledger{Accepted: 1, Forced: 1})
		})
	})
}

func TestLedger(t *testing.T) {
	both(t, "a mixed crowd adds up", func(t *testing.T, w *world) {
		for i, request := range strings.Fields("bye fail panic goexit half bye") {
			p := w.dialFrom(fmt.Sprintf("192.0.2.%d:1", i+1))
			if w.tls {
				p.Conn = tls.Client(p.Conn, clientTLS())
			}
			p.send(request + "\n")
			synctest.Wait()
			_ = p.raw.Close()
		}
		w.end()
		w.wantLedger(conn.Ledger{Accepted: 6, Quiet: 3, PeerLeft: 1, Forced: 2})
	})
	t.Run("a handler that panics cuts its connection, and says why in the log", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p, q := w.dial(), w.dial()
			q.ask("echo a", "a")
			p.send("panic\n")
			synctest.Wait()
			p.wantReset(0)
			q.ask("echo b", "b")
			if log := w.log.String(); !strings.Contains(log, "told to panic") || !strings.Contains(log, "lines_test.go") {
				t.Errorf("the log lacks the panic or its stack:\n%s", log)
			}
		})
	})
	t.Run("a handler that ends its goroutine cuts its connection too", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("goexit\n")
			synctest.Wait()
			p.wantReset(0)
		})
	})
	t.Run("books that do not balance say so", func(t *testing.T) {
		l := conn.Ledger{Accepted: 7, Quiet: 1, Refused: 1, HandshakeFailed: 1, PeerLeft: 1, Forced: 1, Open: 1}
		if err := l.Balance(); err == nil || !strings.Contains(err.Error(), "7 connections accepted, but 6") {
			t.Errorf("Balance says %v", err)
		}
		l.Open++
		if err := l.Balance(); err != nil {
			t.Errorf("Balance says %v of balanced books", err)
		}
	})
}
