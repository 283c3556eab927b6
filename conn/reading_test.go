package conn_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// forever is longer than any clock.
const forever = 1 << 20

func TestHandshakeClock(t *testing.T) {
	encrypted := options{tls: true, notTLS: "speak TLS here\n"}

	t.Run("a silent client is gone at 10 s", func(t *testing.T) {
		inWorld(t, encrypted, func(t *testing.T, w *world) {
			w.dialRaw().wantEOF(10 * time.Second)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, HandshakeFailed: 1})
		})
	})
	t.Run("one byte and silence changes nothing", func(t *testing.T) {
		inWorld(t, encrypted, func(t *testing.T, w *world) {
			p := w.dialRaw()
			p.send("\x16")
			p.wantEOF(10 * time.Second)
		})
	})
	t.Run("a byte every second does not extend it", func(t *testing.T) {
		inWorld(t, encrypted, func(t *testing.T, w *world) {
			p := w.dialRaw()
			p.send("\x16\x03\x01\x01\x00")
			p.trickle([]byte{1}, time.Second, 9)
			p.wantEOF(10 * time.Second)
		})
	})
	t.Run("a client that reads nothing is gone too", func(t *testing.T) {
		inWorld(t, encrypted, func(t *testing.T, w *world) {
			p := w.dialRaw()
			if err := tls.Client(deaf{p.Conn}, clientTLS()).Handshake(); err == nil {
				t.Fatal("a deaf client shook hands")
			}
			time.Sleep(11*time.Second + time.Millisecond)
			synctest.Wait()
			if l := w.server.Ledger(); l.HandshakeFailed != 1 {
				t.Errorf("ledger %+v, want the handshake failed", l)
			}
		})
	})
	t.Run("its success ends it, and the head clock is the next", func(t *testing.T) {
		inWorld(t, encrypted, func(t *testing.T, w *world) {
			p := w.dial()
			p.wantEOF(10 * time.Second)
			w.wantEnd(conn.ErrHeadTimeout)
		})
	})
	t.Run("its deadlines bind nothing afterwards", func(t *testing.T) {
		inWorld(t, encrypted, func(t *testing.T, w *world) {
			p := w.dial()
			p.ask("echo a", "a")
			time.Sleep(30 * time.Second)
			p.ask("echo b", "b")
		})
	})
	t.Run("the session is described to the handler", func(t *testing.T) {
		inWorld(t, encrypted, func(t *testing.T, w *world) {
			w.dial().ask("echo a", "a")
			if got := w.lines.newest().TLS(); got == nil || !got.HandshakeComplete || got.ServerName != "server.test" {
				t.Errorf("TLS() is %+v", got)
			}
		})
	})
}

// deaf reads nothing of what the server says.
type deaf struct{ net.Conn }

func (deaf) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestNotTLS(t *testing.T) {
	const answer = "speak TLS here\n"
	for name, row := range map[string]struct{ sent, want string }{
		"a clear-text request is answered in clear": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", answer},
		"noise is not":                           {"\x00\xff\x80\x01\x02\x03\x04", ""},
		"nor is text that begins with a control": {"\tGET /", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, options{tls: true, notTLS: answer}, func(t *testing.T, w *world) {
				p := w.dialRaw()
				p.send(row.sent)
				got, err := io.ReadAll(p.r)
				if err != nil {
					t.Fatal(err)
				}
				if (row.want != "" || strings.Contains(string(got), answer)) && string(got) != row.want {
					t.Errorf("answered %q, want %q", got, row.want)
				}
				p.wantTime(0)
				_ = p.raw.Close()
				w.end()
				w.wantLedger(conn.Ledger{Accepted: 1, HandshakeFailed: 1})
			})
		})
	}
}

func TestHeadClock(t *testing.T) {
	t.Run("a new connection that asks nothing is gone at 10 s", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			synctest.Wait()
			if got := w.lines.newest().State(); got != conn.New {
				t.Errorf("state %v, want new", got)
			}
			p.wantEOF(10 * time.Second)
			w.wantEnd(conn.ErrHeadTimeout)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
		})
	})
	t.Run("a byte every second is cut at 10 s in all", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("e")
			p.trickle([]byte("e"), time.Second, forever)
			p.wantEOF(10 * time.Second)
			w.wantEnd(conn.ErrHeadTimeout)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, PeerLeft: 1})
		})
	})
	t.Run("it begins with the first byte, also of a new connection", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			time.Sleep(9 * time.Second)
			p.send("e")
			synctest.Wait()
			if got := w.lines.newest().State(); got != conn.Active {
				t.Errorf("state %v, want active", got)
			}
			p.wantEOF(19 * time.Second)
		})
	})
	t.Run("it begins anew for a request that came with the one before", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			time.Sleep(5 * time.Second)
			p.send("echo a\nech")
			p.want("a")
			p.wantEOF(15 * time.Second)
			w.wantEnd(conn.ErrHeadTimeout)
		})
	})
	t.Run("it is the same over TLS", func(t *testing.T) {
		inWorld(t, options{tls: true}, func(t *testing.T, w *world) {
			p := w.dial()
			p.ask("echo a", "a")
			time.Sleep(20 * time.Second)
			p.trickle([]byte("e"), time.Second, forever)
			p.wantEOF(31 * time.Second)
			w.wantEnd(conn.ErrHeadTimeout)
		})
	})
}

func TestIdleClock(t *testing.T) {
	for name, o := range map[string]options{"plain": {}, "TLS": {tls: true}} {
		t.Run("an idle connection is gone 60 s after its last response/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				// None of these may shorten or stretch the last wait, though deadlines
				// are set lazily.
				for range 20 {
					p.ask("echo a", "a")
					time.Sleep(7 * time.Second)
				}
				p.ask("echo b", "b")
				synctest.Wait()
				if got := w.lines.newest().State(); got != conn.Idle {
					t.Errorf("state %v, want idle", got)
				}
				p.wantEOF(140*time.Second + 60*time.Second)
				w.wantEnd(conn.ErrIdleTimeout)
			})
		})
		t.Run("the last moment is not too late/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				p.ask("echo a", "a")
				time.Sleep(60*time.Second - 1)
				p.ask("echo b", "b")
			})
		})
		t.Run("a client that half-closes while idle ends quietly/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				p.ask("echo a", "a")
				p.halfClose()
				p.wantEOF(0)
				w.wantEnd(io.EOF)
				w.end()
				w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
			})
		})
		t.Run("a client that half-closes behind its request is answered/"+name, func(t *testing.T) {
			inWorld(t, o, func(t *testing.T, w *world) {
				p := w.dial()
				p.send("echo a\n")
				p.halfClose()
				p.want("a")
				p.wantEOF(0)
			})
		})
	}
}

func TestBodyClock(t *testing.T) {
	t.Run("content that stops is given up after 30 s", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 1000\n")
			time.Sleep(4 * time.Second)
			p.send(strings.Repeat("x", 900))
			p.wantEOF(34 * time.Second)
			w.wantEnd(conn.ErrStalled)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, PeerLeft: 1})
		})
	})
	t.Run("progress renews the stall clock, whatever the head's was", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 80000\n")
			p.trickle(pattern(8000), 29*time.Second, 10) // 276 B/s, though most of the time nothing comes
			p.want("got 80000")
			p.wantTime(290 * time.Second)
		})
	})
}

func TestBodyRate(t *testing.T) {
	t.Run("300 B/s lives for minutes", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 90000\n")
			p.trickle(pattern(300), time.Second, 300)
			p.want("got 90000")
			p.wantTime(300 * time.Second)
		})
	})
	t.Run("less than the rate on the average is cut, also in bursts", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 80000\n")
			p.trickle(pattern(6000), 29*time.Second, forever)
			p.wantEOF(58 * time.Second)
			w.wantEnd(conn.ErrTooSlow)
		})
	})
	t.Run("100 B/s is cut when the grace is over", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 90000\n")
			p.trickle(pattern(100), time.Second, forever)
			p.wantEOF(6 * time.Second) // 5 s of grace, judged by the next wait
			w.wantEnd(conn.ErrTooSlow)
		})
	})
	t.Run("a burst does not buy a long trickle", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 900000\n" + string(pattern(500000)))
			p.trickle(pattern(100), time.Second, forever)
			p.wantEOF(11 * time.Second) // the burst is forgotten with the first 5 s
			w.wantEnd(conn.ErrTooSlow)
		})
	})
	t.Run("the grace is of waiting, so a slow handler is no fault of the client", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 40960 1m\n" + string(pattern(40960)))
			p.want("got 40960")
		})
	})
	t.Run("a negative rate asks for none", func(t *testing.T) {
		inWorld(t, options{limits: conn.Limits{MinBytesPerSecond: -1}}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 20\n")
			p.trickle([]byte{1}, 29*time.Second, 20)
			p.want("got 20")
		})
	})
}

func TestBodyEnd(t *testing.T) {
	t.Run("the end of the stream inside content is the client's leaving", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("body 1000\nabc")
			p.halfClose()
			p.wantEOF(0)
			w.wantEnd(io.EOF)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, PeerLeft: 1})
		})
	})
	t.Run("the next request has the head clock again", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.ask("body 3\nabc", "got 3")
			time.Sleep(time.Second)
			p.send("e")
			p.wantEOF(11 * time.Second)
			w.wantEnd(conn.ErrHeadTimeout)
		})
	})
}

// TestTooSlowComesAgain holds Read to its word: a caller may use the bytes that came with
// the error and look at the error of the next read only.
func TestTooSlowComesAgain(t *testing.T) {
	type read struct {
		n   int
		err error
	}
	var reads []read
	slowly := func(s *session, _ []string) (bool, error) {
		s.BeginBody()
		for range 4 {
			n, err := s.Read(s.buf[:])
			reads = append(reads, read{n, err})
		}
		s.BeginBody() // other content: a new judgement
		n, err := s.Read(s.buf[:])
		reads = append(reads, read{n, err})
		return false, nil
	}
	inWorld(t, options{more: map[string]verb{"slow-reads": slowly}}, func(t *testing.T, w *world) {
		p := w.dial()
		p.send("slow-reads\n")
		time.Sleep(6 * time.Second)
		p.send("abc")
		time.Sleep(time.Second)
		p.send("de")
		time.Sleep(time.Second)
		p.send("f")
		p.wantEOF(8 * time.Second)
	})
	want := []read{{3, nil}, {2, conn.ErrTooSlow}, {0, conn.ErrTooSlow}, {0, conn.ErrTooSlow}, {1, nil}}
	for i, r := range reads {
		if r.n != want[i].n || !errors.Is(r.err, want[i].err) {
			t.Errorf("read %d gave %d, %v, want %d, %v", i, r.n, r.err, want[i].n, want[i].err)
		}
	}
}
