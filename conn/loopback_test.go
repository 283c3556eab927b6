package conn_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// station is a server on a loopback socket, in real time.
type station struct {
	t      testing.TB
	server *conn.Server
	lines  *lines
	source net.Listener
	tls    bool
	served chan error
	stop   sync.Once
}

// patience is how long a test waits for what must come. It measures nothing.
const patience = time.Minute

// newStation listens and serves, and stops and balances the books when the test ends.
func newStation(t testing.TB, o options) *station {
	t.Helper()
	return newStationOn(t, o, listen(t))
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := conn.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newStationOn(t testing.TB, o options, source net.Listener) *station {
	s := &station{
		t: t, lines: &lines{more: o.more}, source: source, tls: o.tls, served: make(chan error, 1),
		server: &conn.Server{Limits: o.limits, Log: slog.New(slog.DiscardHandler)},
	}
	l := &conn.Listener{Listener: source, Handler: s.lines, Trusts: o.trusts, Preface: o.preface}
	if o.listener != nil {
		l.Listener = o.listener(source)
	}
	if o.tls {
		l.TLS = o.serverTLS()
	}
	go func() { s.served <- s.server.Serve(l) }()
	t.Cleanup(s.end)
	return s
}

func (s *station) closeListeners() {
	s.t.Helper()
	s.server.Announce()
	s.server.CloseListeners(context.Background())
}

// end drains, cuts what does not leave, and checks the books.
func (s *station) end() {
	s.t.Helper()
	s.stop.Do(func() {
		s.closeListeners()
		if err := <-s.served; err != net.ErrClosed {
			s.t.Errorf("Serve returned %v, want net.ErrClosed", err)
		}
		gone := s.server.Drain()
		select {
		case <-gone:
		case <-time.After(patience):
			s.server.Cut()
			<-gone
			s.t.Errorf("connections did not leave within %v", patience)
		}
		l := s.server.Ledger()
		if err := l.Balance(); err != nil || l.Open != 0 {
			s.t.Errorf("after the end: %+v, %v", l, err)
		}
	})
}

// dial connects, with TLS where the station has it. The connection ends with the test.
func (s *station) dial() *client {
	s.t.Helper()
	return s.dialBy(&net.Dialer{})
}

// dialSmall connects with a receive buffer of this size and an Ethernet's segments: in the
// loopback's, of 64 KiB, a small window opens only now and then.
func (s *station) dialSmall(receiveBytes int) *client {
	s.t.Helper()
	return s.dialBy(&net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBytes),
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400))
		})
		return errors.Join(cerr, err)
	}})
}

func (s *station) dialBy(d *net.Dialer) *client {
	s.t.Helper()
	raw, err := d.Dial(s.source.Addr().Network(), s.source.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(patience))
	c := &client{Conn: raw, raw: raw, t: s.t}
	if s.tls {
		t := tls.Client(raw, clientTLS())
		if err := t.Handshake(); err != nil {
			s.t.Fatalf("handshake: %v", err)
		}
		c.Conn = t
	}
	c.r = bufio.NewReader(c.Conn)
	return c
}

// client is one end of a connection to a station.
type client struct {
	net.Conn
	raw net.Conn
	r   *bufio.Reader
	t   testing.TB
}

// ask sends a request and wants its answer.
func (c *client) ask(request, answer string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, request); err != nil {
		c.t.Fatalf("send: %v", err)
	}
	if got, err := c.r.ReadString('\n'); got != answer+"\n" {
		c.t.Fatalf("got %q, %v, want %q", got, err, answer)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

// wantEnd waits for the n-th session to end, and checks how.
func (s *station) wantEnd(n int, ok func(error) bool) {
	s.t.Helper()
	until(s.t, "the end of the session", func() bool { return len(s.lines.ended()) >= n })
	if err := s.lines.ended()[n-1]; !ok(err) {
		s.t.Errorf("the session ended with %v", err)
	}
}

// onLoopback runs a test over plain TCP and over TLS.
func onLoopback(t *testing.T, name string, test func(t *testing.T, o options)) {
	t.Run(name+"/plain", func(t *testing.T) { test(t, options{}) })
	t.Run(name+"/TLS", func(t *testing.T) { test(t, options{tls: true}) })
}

func TestLoopback(t *testing.T) {
	onLoopback(t, "requests are answered, one after another and at once", func(t *testing.T, o options) {
		c := newStation(t, o).dial()
		c.ask("echo a\n", "a")
		c.ask("echo b\necho c\nech", "b")
		c.ask("o d\n", "c")
		c.ask("", "d")
	})
	onLoopback(t, "a client that half-closes behind its request is answered, and then let go", func(t *testing.T, o options) {
		c := newStation(t, o).dial()
		if _, err := io.WriteString(c.Conn, "echo a\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c.r); string(got) != "a\n" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	})
	onLoopback(t, "an early error is readable with 512 KiB of content unread, 100 times of 100", func(t *testing.T, o options) {
		s := newStation(t, o)
		content := make([]byte, 512<<10)
		for i := range 100 {
			c := s.dial()
			_, _ = io.WriteString(c.Conn, "bye\n")
			_, _ = c.Write(content) // may fail half-way: what counts is whether the answer is there
			if got, err := c.r.ReadString('\n'); got != "bye\n" {
				t.Fatalf("trial %d: got %q, %v", i, got, err)
			}
			_ = c.raw.Close()
		}
	})
}

func TestLoopbackResets(t *testing.T) {
	onLoopback(t, "a reset in the middle of a response ends the handler's writing", func(t *testing.T, o options) {
		s := newStation(t, o)
		c := s.dial()
		if _, err := io.WriteString(c.Conn, "send 12000000\n"); err != nil {
			t.Fatal(err)
		}
		if err := readPattern(c.r, 1000); err != nil {
			t.Fatal(err)
		}
		_ = c.raw.(*net.TCPConn).SetLinger(0)
		_ = c.raw.Close()
		s.wantEnd(1, func(err error) bool { return err != nil })
		if !s.lines.newest().Ended() {
			t.Error("the connection does not know that its peer is gone")
		}
		s.end()
		if l := s.server.Ledger(); l.PeerLeft != 1 {
			t.Errorf("ledger %+v", l)
		}
	})
	onLoopback(t, "a reset while content is read ends the reading", func(t *testing.T, o options) {
		s := newStation(t, o)
		c := s.dial()
		if _, err := io.WriteString(c.Conn, "body 1000\nabc"); err != nil {
			t.Fatal(err)
		}
		until(t, "the request", func() bool { return s.lines.inState(conn.Active) == 1 })
		_ = c.raw.(*net.TCPConn).SetLinger(0)
		_ = c.raw.Close()
		s.wantEnd(1, func(err error) bool { return err != nil && !errors.Is(err, conn.ErrStalled) })
	})
	onLoopback(t, "a reading goroutine and a writing one may fail at the same time", func(t *testing.T, o options) {
		duplex := func(s *session, _ []string) (bool, error) {
			s.BeginBody()
			read := make(chan struct{})
			go func() {
				defer close(read)
				for {
					if _, err := s.Read(s.buf[:]); err != nil {
						return
					}
				}
			}()
			for {
				if _, err := s.Write(make([]byte, 1000)); err != nil {
					<-read
					return false, err
				}
			}
		}
		o.more = map[string]verb{"duplex": duplex}
		s := newStation(t, o)
		for i := range 20 {
			c := s.dial()
			if _, err := io.WriteString(c.Conn, "duplex\n"); err != nil {
				t.Fatal(err)
			}
			if _, err := c.r.ReadByte(); err != nil {
				t.Fatal(err)
			}
			_ = c.raw.(*net.TCPConn).SetLinger(0)
			_ = c.raw.Close()
			s.wantEnd(i+1, func(err error) bool { return err != nil })
		}
	})
}

func TestLoopbackListeners(t *testing.T) {
	t.Run("a unix socket has halves too, and no address", func(t *testing.T) {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		s := newStationOn(t, options{}, l)
		s.dial().ask("echo a\n", "a")
		if c := s.lines.newest(); c.Remote().IsValid() || c.Local().IsValid() {
			t.Errorf("addresses %v, %v", c.Remote(), c.Local())
		}
	})
	t.Run("Listen says why it cannot", func(t *testing.T) {
		s := newStation(t, options{})
		_, err := conn.Listen(context.Background(), s.source.Addr().String())
		if err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second Listen on the same port: %v", err)
		}
	})
}
