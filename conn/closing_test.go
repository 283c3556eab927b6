package conn_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// wantOpen checks that the server still holds the connection, or no more.
func (w *world) wantOpen(want int64) {
	w.t.Helper()
	synctest.Wait()
	if got := w.server.Ledger().Open; got != want {
		w.t.Errorf("%d connections open, want %d", got, want)
	}
}

func TestLinger(t *testing.T) {
	for name, o := range map[string]options{"plain": {}, "TLS": {tls: true}} {
		t.Run("a peer that closes is let go at once/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				p.ask("bye", "bye")
				p.wantEOF(0)
				w.wantOpen(0)
			})
		})
		t.Run("a silent peer is waited for 1 s/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				w.dial().ask("bye", "bye")
				time.Sleep(time.Second - 1)
				synctest.Wait()
				w.wantOpen(1)
				if got := w.lines.newest().State(); got != conn.Closed {
					t.Errorf("state %v, want closed", got)
				}
				time.Sleep(time.Nanosecond)
				w.wantOpen(0)
			})
		})
		t.Run("a peer that goes on sending is waited for 5 s in all/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				p.ask("bye", "bye")
				p.trickle([]byte("x"), 300*time.Millisecond, forever)
				time.Sleep(5*time.Second - 1)
				w.wantOpen(1)
				time.Sleep(time.Nanosecond)
				w.wantOpen(0)
			})
		})
		t.Run("a peer that sends much is read for 256 KiB, and its answer survives/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				p.send("bye\n" + strings.Repeat("x", 256<<10)) // more than a pipe holds: it is read, or this hangs
				p.want("bye")
				p.wantEOF(0)
				w.end()
				w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
			})
		})
		t.Run("and for no more/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				p.send("bye\n")
				if n, err := io.Copy(p.Conn, io.LimitReader(zeros{}, 1<<20)); err == nil {
					t.Errorf("the server took all %d bytes", n)
				}
				p.wantTime(0)
				w.wantOpen(0)
			})
		})
	}
	t.Run("a handler that broke off with an error lingers too", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("fail\n")
			p.wantEOF(0)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, PeerLeft: 1})
		})
	})
}

// zeros is an endless source.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBreak(t *testing.T) {
	t.Run("the peer sees a cut, not an end", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("half\n")
			synctest.Wait()
			p.wantReset(0)
			w.wantOpen(0)
		})
	})
	t.Run("over TLS no close_notify is sent", func(t *testing.T) {
		inWorld(t, options{tls: true}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("half\n")
			synctest.Wait()
			if _, err := io.ReadAll(p.r); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer sees %v, want a reset", err)
			}
		})
	})
}

func TestStopReading(t *testing.T) {
	var errs []error
	read := func(s *session, _ []string) (bool, error) {
		s.BeginBody()
		for range 2 {
			_, err := s.Read(s.buf[:])
			errs = append(errs, err)
		}
		_, err := s.say("stopped")
		return true, err
	}
	for name, isTLS := range map[string]bool{"plain": false, "TLS": true} {
		t.Run("a read under way and the next end at once, and another clock undoes it/"+name, func(t *testing.T) {
			errs = nil
			inWorld(t, options{tls: isTLS, more: map[string]verb{"read": read}}, func(t *testing.T, w *world) {
				p := w.dial()
				p.send("read\n")
				time.Sleep(2 * time.Second)
				w.lines.newest().StopReading()
				p.want("stopped")
				p.wantTime(2 * time.Second)
				p.ask("echo a", "a")
				p.wantEOF(62 * time.Second)
				w.wantEnd(conn.ErrIdleTimeout)
			})
			for _, err := range errs {
				if err != conn.ErrStopped {
					t.Errorf("a stopped read ended with %v", err)
				}
			}
		})
	}
}

func TestConn(t *testing.T) {
	t.Run("it is numbered, and knows its time and addresses", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			w.dial().ask("echo a", "a")
			time.Sleep(time.Minute / 2)
			w.dialFrom("[::ffff:192.0.2.9]:77").ask("echo a", "a")
			c := w.lines.newest()
			if c.ID() != 2 || time.Since(c.Accepted()) != 0 || c.TLS() != nil {
				t.Errorf("id %d, accepted %v ago, TLS %v", c.ID(), time.Since(c.Accepted()), c.TLS())
			}
			if c.Remote().String() != "192.0.2.9:77" || c.Local().String() != "192.0.2.80:443" {
				t.Errorf("remote %v, local %v", c.Remote(), c.Local())
			}
		})
	})
	t.Run("its context ends with its handler", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.ask("echo a", "a")
			c := w.lines.newest()
			if err := c.Context().Err(); err != nil {
				t.Errorf("while it is served: %v", err)
			}
			p.ask("bye", "bye")
			synctest.Wait()
			if err := c.Context().Err(); err != context.Canceled {
				t.Errorf("while it lingers: %v", err)
			}
		})
	})
	t.Run("Ended tells of a peer that closed its half", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.ask("echo a", "a")
			c := w.lines.newest()
			if c.Ended() {
				t.Error("ended before its end")
			}
			p.halfClose()
			synctest.Wait()
			if !c.Ended() {
				t.Error("not ended after the peer's FIN")
			}
		})
	})
	t.Run("the states have names", func(t *testing.T) {
		for state, want := range map[conn.State]string{
			conn.New: "new", conn.Idle: "idle", conn.Active: "active", conn.Detached: "detached", conn.Closed: "closed",
		} {
			if got := state.String(); got != want {
				t.Errorf("state %d is called %q, want %q", state, got, want)
			}
		}
	})
}
