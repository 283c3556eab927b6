package conn_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/conntest"
)

const tenMegabytes = 10_000_000

// readSlowly reads n bytes of the pattern from p at a rate per second.
func readSlowly(p *peer, n, rate int) error {
	r := &throttled{p.Conn, rate}
	return readPattern(r, n)
}

// throttled reads at most a second's worth of bytes, and then waits a second.
type throttled struct {
	r    io.Reader
	rate int
}

func (s *throttled) Read(b []byte) (int, error) {
	n, err := io.ReadFull(s.r, b[:min(len(b), s.rate)])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	time.Sleep(time.Second)
	return n, err
}

func TestWriteClock(t *testing.T) {
	for name, o := range map[string]options{"plain": {}, "TLS": {tls: true}} {
		for _, verb := range []string{"send", "both", "copy"} {
			t.Run(fmt.Sprintf("a 5 KB/s reader gets all of 10 MB/%s/%s", name, verb), func(t *testing.T) {
				inWorld(t, o, func(t *testing.T, w *world) {
					p := w.dial()
					p.send(fmt.Sprintf("%s %d\n", verb, tenMegabytes))
					if err := readSlowly(p, tenMegabytes, 5000); err != nil {
						t.Fatal(err)
					}
					p.ask("echo a", "a")
				})
			})
			t.Run(fmt.Sprintf("a reader that stops is cut after 30 s/%s/%s", name, verb), func(t *testing.T) {
				inWorld(t, o, func(t *testing.T, w *world) { stops(t, w, verb) })
			})
			t.Run(fmt.Sprintf("a 100 B/s reader is cut/%s/%s", name, verb), func(t *testing.T) {
				inWorld(t, o, func(t *testing.T, w *world) { crawls(t, w, verb) })
			})
		}
	}
	t.Run("one event a minute harms nobody", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("events 120 1m\n")
			for range 120 {
				p.want("event")
			}
			p.wantTime(2 * time.Hour)
		})
	})
	t.Run("what was written while the peer kept up excuses no stall", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("send 1000000\nsend 1000000\n")
			if err := readPattern(p.r, 1000000); err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * time.Second)
			w.wantEnd(conn.ErrStalled)
		})
	})
	t.Run("a negative rate lets a crawling reader crawl", func(t *testing.T) {
		inWorld(t, options{limits: conn.Limits{MinBytesPerSecond: -1}}, func(t *testing.T, w *world) {
			const n = conntest.BufferBytes + 10000
			p := w.dial()
			p.send(fmt.Sprintf("send %d\n", n))
			if err := readSlowly(p, n, 50); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// stops asks for 10 MB, reads none, and wants to be cut.
func stops(t *testing.T, w *world, verb string) {
	p := w.dial()
	p.send(fmt.Sprintf("%s %d\n", verb, tenMegabytes))
	// The look that finds the last progress comes up to 5 s after it.
	time.Sleep(30*time.Second - 1)
	synctest.Wait()
	if ends := w.lines.ended(); len(ends) > 0 {
		t.Fatalf("cut before the stall timeout: %v", ends)
	}
	time.Sleep(5*time.Second + 1)
	w.wantEnd(conn.ErrStalled)
	// A reset: the peer must not take what it has for the whole, nor we keep the rest.
	if _, err := io.Copy(io.Discard, p.r); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer sees %v, want a reset", err)
	}
	w.end()
	w.wantLedger(conn.Ledger{Accepted: 1, PeerLeft: 1})
}

// crawls asks for 10 MB, reads 100 B/s from the raw connection, and wants to be cut: not
// at the first look, which finds that a buffer was filled, but soon after.
func crawls(t *testing.T, w *world, verb string) {
	p := w.dial()
	p.send(fmt.Sprintf("%s %d\n", verb, tenMegabytes))
	for n := int64(100); n == 100; time.Sleep(time.Second) {
		n, _ = io.CopyN(io.Discard, p.raw, 100)
	}
	// Each look is 2.5 to 5 s after the one before; it takes three where writes are short.
	if d := time.Since(p.began); d < 7*time.Second || d > 20*time.Second {
		t.Errorf("cut after %v, want between 7 and 20 s", d)
	}
	w.wantEnd(conn.ErrTooSlow)
}

func TestDetached(t *testing.T) {
	t.Run("no clock runs for reading", func(t *testing.T) {
		echo := func(s *session, _ []string) (bool, error) {
			s.Detach()
			n, err := s.Read(s.buf[:])
			_, _ = s.Write(s.buf[:n])
			return false, err
		}
		inWorld(t, options{more: map[string]verb{"upgrade": echo}}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("upgrade\n")
			synctest.Wait()
			if got := w.lines.newest().State(); got != conn.Detached {
				t.Errorf("state %v, want detached", got)
			}
			time.Sleep(24 * time.Hour)
			p.send("late\n")
			p.want("late")
		})
	})
	t.Run("it is written to and read from by as many goroutines as like to", func(t *testing.T) {
		crowd := func(s *session, _ []string) (bool, error) {
			s.Detach()
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _, _ = s.Write([]byte("word\n")) })
				all.Go(func() {
					var own [5]byte
					_, _ = s.Read(own[:])
				})
			}
			all.Wait()
			return false, nil
		}
		s := newStation(t, options{more: map[string]verb{"upgrade": crowd}})
		c := s.dial()
		c.ask("upgrade\n", "word")
		if _, err := io.WriteString(c.Conn, strings.Repeat("word\n", 4)); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c.r); string(got) != strings.Repeat("word\n", 3) || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	})
	t.Run("no clock runs for writing", func(t *testing.T) {
		const n = 4 * conntest.BufferBytes
		flood := func(s *session, _ []string) (bool, error) {
			s.Detach()
			_, err := s.Write(pattern(n))
			return false, err
		}
		inWorld(t, options{more: map[string]verb{"upgrade": flood}}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("upgrade\n")
			time.Sleep(24 * time.Hour)
			if err := readPattern(p.r, n); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("its deadlines are the handler's", func(t *testing.T) {
		var readErr, writeErr error
		deadlines := func(s *session, _ []string) (bool, error) {
			s.Detach()
			_ = s.SetReadDeadline(time.Now().Add(3 * time.Minute))
			_, readErr = s.Read(s.buf[:])
			_ = s.SetWriteDeadline(time.Now().Add(4 * time.Minute))
			_, writeErr = s.Write(pattern(2 * conntest.BufferBytes))
			return false, nil
		}
		inWorld(t, options{more: map[string]verb{"upgrade": deadlines}}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("upgrade\n")
			_, _ = io.CopyN(io.Discard, neverYet{p.r, 8 * time.Minute}, 1)
			if !errors.Is(readErr, os.ErrDeadlineExceeded) || !errors.Is(writeErr, os.ErrDeadlineExceeded) {
				t.Errorf("read %v, write %v, want deadlines", readErr, writeErr)
			}
		})
	})
}

func TestDetachedEnds(t *testing.T) {
	t.Run("StopReading reaches it, and its deadlines do not undo that", func(t *testing.T) {
		var first, second error
		stopped := func(s *session, _ []string) (bool, error) {
			s.Detach()
			_ = s.SetReadDeadline(time.Now().Add(time.Hour))
			_, first = s.Read(s.buf[:])
			_ = s.SetReadDeadline(time.Time{})
			_, second = s.Read(s.buf[:])
			return false, nil
		}
		inWorld(t, options{more: map[string]verb{"upgrade": stopped}}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("upgrade\n")
			time.Sleep(time.Second)
			w.lines.newest().StopReading()
			p.wantEOF(time.Second)
			if first != conn.ErrStopped || second != conn.ErrStopped {
				t.Errorf("reads ended with %v and %v, want ErrStopped", first, second)
			}
		})
	})
	t.Run("it hears of the drain and is waited for", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.ask("detach", "detached")
			time.Sleep(time.Hour)
			w.drain()
			p.want("told")
			p.wantEOF(time.Hour + 20*time.Millisecond)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
		})
	})
}

// neverYet reads only after a pause.
type neverYet struct {
	r     io.Reader
	pause time.Duration
}

func (n neverYet) Read(b []byte) (int, error) {
	time.Sleep(n.pause)
	return n.r.Read(b)
}
