package conn_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// tuned is a listener whose connections have a send buffer of a given size, and count
// how often their write deadline is set.
type tuned struct {
	*net.TCPListener
	sendBufferBytes int
	armed           atomic.Int64
}

type tunedConn struct {
	*net.TCPConn
	listener *tuned
}

func (l *tuned) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	_ = c.SetWriteBuffer(l.sendBufferBytes)
	return tunedConn{c, l}, nil
}

func (c tunedConn) SetWriteDeadline(t time.Time) error {
	c.listener.armed.Add(1)
	return c.TCPConn.SetWriteDeadline(t)
}

// tune makes options wrap their listener.
func tune(o *options, sendBufferBytes int) *tuned {
	tl := &tuned{sendBufferBytes: sendBufferBytes}
	o.listener = func(l net.Listener) net.Listener {
		tl.TCPListener = l.(*net.TCPListener)
		return tl
	}
	return tl
}

// sip reads from c a piece at a time, one each interval.
type sip struct {
	r     io.Reader
	piece int
	every *time.Ticker
}

func (s sip) Read(p []byte) (int, error) {
	<-s.every.C
	return s.r.Read(p[:min(len(p), s.piece)])
}

// TestSlowReader is about real sockets' readers: what they take shows late, in the kernel's
// own portions, and the clocks must neither cut a steady one nor wait for one that is gone.
func TestSlowReader(t *testing.T) {
	const stall = 3 * time.Second
	for _, row := range []struct {
		name string
		tls  bool
		verb string
	}{{"plain", false, "send"}, {"TLS", true, "send"}, {"gathered", false, "both"}, {"sendfile", false, "file"}} {
		t.Run("a steady one gets everything/"+row.name, func(t *testing.T) {
			t.Parallel()
			const n = 1_000_000
			o := options{tls: row.tls, limits: conn.Limits{StallTimeout: stall, MinBytesPerSecond: -1}}
			o.more = map[string]verb{"file": sendFile(t, n)}
			tune(&o, 64<<10)
			c := newStation(t, o).dialSmall(64 << 10)
			if _, err := fmt.Fprintf(c.Conn, "%s %d\n", row.verb, n); err != nil {
				t.Fatal(err)
			}
			every := time.NewTicker(20 * time.Millisecond)
			defer every.Stop()
			if err := readPattern(sip{c.Conn, 4 << 10, every}, n); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("one that stops is cut/"+row.name, func(t *testing.T) {
			t.Parallel()
			const n = 12_000_000
			o := options{tls: row.tls, limits: conn.Limits{StallTimeout: stall / 10, MinBytesPerSecond: -1}}
			o.more = map[string]verb{"file": sendFile(t, n)}
			s := newStation(t, o)
			c := s.dial()
			if _, err := fmt.Fprintf(c.Conn, "%s %d\n", row.verb, n); err != nil {
				t.Fatal(err)
			}
			s.wantEnd(1, func(err error) bool { return is(err, conn.ErrStalled) })
			if _, err := io.Copy(io.Discard, c.r); err == nil {
				t.Error("the client saw an end, not a cut")
			}
		})
		t.Run("one that crawls is cut/"+row.name, func(t *testing.T) {
			t.Parallel()
			const n = 12_000_000
			o := options{tls: row.tls, limits: conn.Limits{
				StallTimeout: patience, MinBytesPerSecond: 1 << 20, RateGrace: 100 * time.Millisecond,
			}}
			o.more = map[string]verb{"file": sendFile(t, n)}
			s := newStation(t, o)
			c := s.dialSmall(64 << 10)
			if _, err := fmt.Fprintf(c.Conn, "%s %d\n", row.verb, n); err != nil {
				t.Fatal(err)
			}
			every := time.NewTicker(20 * time.Millisecond)
			defer every.Stop()
			_, _ = io.Copy(io.Discard, sip{c.raw, 1 << 10, every})
			s.wantEnd(1, func(err error) bool { return is(err, conn.ErrTooSlow) })
		})
	}
}

func is(err, want error) bool { return errors.Is(err, want) }

// sendFile is a verb that sends a file of n bytes of the pattern: "file BYTES" says how
// many are promised, which may be more.
func sendFile(t *testing.T, n int) verb {
	t.Helper()
	path := filepath.Join(t.TempDir(), "content")
	if err := os.WriteFile(path, pattern(n), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(s *session, args []string) (bool, error) {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		defer f.Close()
		sent, err := s.ReadFrom(&io.LimitedReader{R: f, N: int64(number(args[0]))})
		if err == nil && sent != int64(min(n, number(args[0]))) {
			err = fmt.Errorf("%d bytes reported as sent", sent)
		}
		return true, err
	}
}

func TestSendfile(t *testing.T) {
	onLoopback(t, "a file arrives byte for byte", func(t *testing.T, o options) {
		const n = 5_000_000 // not a multiple of a piece
		o.more = map[string]verb{"file": sendFile(t, n)}
		c := newStation(t, o).dial()
		if _, err := fmt.Fprintf(c.Conn, "file %d\n", n); err != nil {
			t.Fatal(err)
		}
		if err := readPattern(c.r, n); err != nil {
			t.Fatal(err)
		}
		c.ask("echo a\n", "a")
	})
	onLoopback(t, "also when every piece takes many deadlines", func(t *testing.T, o options) {
		const n = 4_000_000
		o.limits = conn.Limits{StallTimeout: patience, RateGrace: 10 * time.Millisecond, MinBytesPerSecond: -1}
		o.more = map[string]verb{"file": sendFile(t, n)}
		l := tune(&o, 32<<10)
		c := newStation(t, o).dialSmall(64 << 10)
		if _, err := fmt.Fprintf(c.Conn, "file %d\n", n); err != nil {
			t.Fatal(err)
		}
		every := time.NewTicker(time.Millisecond)
		defer every.Stop()
		if err := readPattern(sip{c.Conn, 4 << 10, every}, n); err != nil {
			t.Fatal(err)
		}
		if got := l.armed.Load(); got < 20 {
			t.Errorf("the write deadline was set %d times: no write was interrupted", got)
		}
	})
}

func TestSendfileShort(t *testing.T) {
	onLoopback(t, "a file shorter than promised ends where it ends", func(t *testing.T, o options) {
		const n = 3_000_000
		o.more = map[string]verb{"file": sendFile(t, n)}
		c := newStation(t, o).dial()
		if _, err := fmt.Fprintf(c.Conn, "file %d\n", n+100_000); err != nil {
			t.Fatal(err)
		}
		if err := readPattern(c.r, n); err != nil {
			t.Fatal(err)
		}
		c.ask("echo a\n", "a") // the connection is whole: it is the handler's to break
	})
	onLoopback(t, "no more of a file is sent than was promised", func(t *testing.T, o options) {
		const n = 2_000_000
		o.more = map[string]verb{"file": sendFile(t, n)}
		c := newStation(t, o).dial()
		if _, err := fmt.Fprintf(c.Conn, "file %d\n", n/2); err != nil {
			t.Fatal(err)
		}
		if err := readPattern(c.r, n/2); err != nil {
			t.Fatal(err)
		}
		c.ask("echo a\n", "a")
	})
	onLoopback(t, "a file that cannot be read leaves the connection whole", func(t *testing.T, o options) {
		closed := func(s *session, _ []string) (bool, error) {
			f, err := os.Open(os.DevNull)
			if err != nil {
				return false, err
			}
			_ = f.Close()
			if _, err := s.ReadFrom(&io.LimitedReader{R: f, N: 100}); err == nil || s.Ended() {
				return false, fmt.Errorf("ReadFrom of a closed file: %v, ended %v", err, s.Ended())
			}
			return s.say("unread")
		}
		o.more = map[string]verb{"closed": closed}
		newStation(t, o).dial().ask("closed\n", "unread")
	})
}
