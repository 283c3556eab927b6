package conn_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

func TestCloseListeners(t *testing.T) {
	both(t, "what waits in the accept queue is served: 200 of 200", func(t *testing.T, w *world) {
		var clients sync.WaitGroup
		for range 200 {
			p := w.dialRaw()
			clients.Go(func() {
				if w.tls {
					p.Conn = tls.Client(p.Conn, clientTLS())
					p.r.Reset(p.Conn)
				}
				p.ask("echo a", "a")
				_ = p.Close()
			})
		}
		<-w.drain()
		clients.Wait()
		w.wantLedger(conn.Ledger{Accepted: 200, Quiet: 200})
	})
	t.Run("a quiet queue takes 20 ms", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			begun := time.Now()
			w.closeListeners()
			if d := time.Since(begun); d != emptied {
				t.Errorf("took %v, want %v", d, emptied)
			}
			if _, err := w.source.Dial(); err == nil {
				t.Error("the listener still takes connections")
			}
		})
	})
	t.Run("a flood of new connections does not prolong it beyond 2 s", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			stop := w.flood(time.Millisecond)
			begun := time.Now()
			w.closeListeners()
			if d := time.Since(begun); d < 2*time.Second || d > 2*time.Second+emptied {
				t.Errorf("took %v, want 2 s", d)
			}
			stop()
		})
	})
}

func TestCloseListenersEnds(t *testing.T) {
	t.Run("it ends at once when its context does", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			stop := w.flood(time.Millisecond)
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			begun := time.Now()
			w.server.CloseListeners(ctx)
			if d := time.Since(begun); d != 300*time.Millisecond {
				t.Errorf("took %v, want 300ms", d)
			}
			stop()
		})
	})
	t.Run("a second call finds nothing to do", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			w.closeListeners()
			begun := time.Now()
			w.server.CloseListeners(context.Background())
			if d := time.Since(begun); d != 0 {
				t.Errorf("took %v", d)
			}
		})
	})
	t.Run("a listener without deadlines is closed at once", func(t *testing.T) {
		hide := func(l net.Listener) net.Listener { return struct{ net.Listener }{l} }
		inWorld(t, options{listener: hide}, func(t *testing.T, w *world) {
			begun := time.Now()
			w.closeListeners()
			if d := time.Since(begun); d != 0 {
				t.Errorf("took %v", d)
			}
		})
	})
	t.Run("a Serve that comes after it closes its listener", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			w.closeListeners()
			late := &conn.Listener{Listener: newSource(), Handler: w.lines}
			if err := w.server.Serve(late); err != net.ErrClosed {
				t.Errorf("Serve returned %v", err)
			}
			if _, err := late.Accept(); err != net.ErrClosed {
				t.Errorf("the late listener is open: %v", err)
			}
		})
	})
	t.Run("every listener is emptied and closed", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			second := newSource()
			served := make(chan error, 1)
			go func() { served <- w.server.Serve(&conn.Listener{Listener: second, Handler: w.lines}) }()
			synctest.Wait()
			w.dial().ask("echo a", "a")
			w.closeListeners()
			if err := <-served; err != net.ErrClosed {
				t.Errorf("the second Serve returned %v", err)
			}
		})
	})
	t.Run("a server that never served has nothing to close", func(t *testing.T) {
		var s conn.Server
		s.Announce()
		s.CloseListeners(context.Background())
		<-s.Drain()
		if n := s.Cut(); n != 0 || s.Ledger() != (conn.Ledger{}) {
			t.Errorf("cut %d, ledger %+v", n, s.Ledger())
		}
	})
}

// flood connects again and again until it is stopped or refused.
func (w *world) flood(every time.Duration) (stop func()) {
	done := make(chan struct{})
	var flood sync.WaitGroup
	flood.Go(func() {
		for {
			c, err := w.source.Dial()
			if err != nil {
				return
			}
			w.dialed++
			_ = c.Close()
			select {
			case <-done:
				return
			case <-time.After(every):
			}
		}
	})
	return func() { close(done); flood.Wait() }
}
