package conntest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn/conntest"
)

// source is what both listeners are, and how one connects to them.
type source struct {
	listener interface {
		net.Listener
		SetDeadline(time.Time) error
	}
	dial func() (net.Conn, error)
}

// acceptSemantics is what package conn's accept loop relies on, on both listeners.
var acceptSemantics = []struct {
	name string
	test func(t *testing.T, s source)
}{
	{"a connection waits in the queue until it is accepted", func(t *testing.T, s source) {
		c, err := s.dial()
		must(t, err)
		defer c.Close()
		write(t, c, "early")
		nc, err := s.listener.Accept()
		must(t, err)
		defer nc.Close()
		wantRead(t, nc, "early")
		if nc.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("accepted from %v, dialled from %v", nc.RemoteAddr(), c.LocalAddr())
		}
	}},
	{"a deadline in the past hides the queue", func(t *testing.T, s source) {
		c, err := s.dial()
		must(t, err)
		defer c.Close()
		must(t, s.listener.SetDeadline(past))
		_, err = s.listener.Accept()
		wantError(t, err, os.ErrDeadlineExceeded)
		must(t, s.listener.SetDeadline(time.Now().Add(10*time.Second)))
		nc, err := s.listener.Accept()
		must(t, err)
		must(t, nc.Close())
	}},
	{"a deadline passes by itself over an empty queue", func(t *testing.T, s source) {
		must(t, s.listener.SetDeadline(time.Now().Add(soon)))
		_, err := s.listener.Accept()
		wantError(t, err, os.ErrDeadlineExceeded)
	}},
	{"a deadline pulled in wakes Accept", func(t *testing.T, s source) {
		err := during(func() error { _, err := s.listener.Accept(); return err },
			func() { must(t, s.listener.SetDeadline(past)) })
		wantError(t, err, os.ErrDeadlineExceeded)
	}},
	{"a close wakes Accept and refuses the next", func(t *testing.T, s source) {
		err := during(func() error { _, err := s.listener.Accept(); return err },
			func() { must(t, s.listener.Close()) })
		wantError(t, err, net.ErrClosed)
		_, err = s.dial()
		wantError(t, err, syscall.ECONNREFUSED)
		wantError(t, s.listener.SetDeadline(past), net.ErrClosed)
		wantError(t, s.listener.Close(), net.ErrClosed)
	}},
	{"a close resets what is in the queue", func(t *testing.T, s source) {
		c, err := s.dial()
		must(t, err)
		defer c.Close()
		must(t, s.listener.Close())
		wantReadError(t, c, syscall.ECONNRESET)
	}},
}

func TestListenerBehavesAsTCP(t *testing.T) {
	for _, row := range acceptSemantics {
		t.Run(row.name+"/pipe", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := conntest.Listen()
				defer l.Close()
				row.test(t, source{l, func() (net.Conn, error) {
					c, err := l.Dial()
					if err != nil {
						return nil, err
					}
					return c, nil
				}})
			})
		})
		t.Run(row.name+"/TCP", func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			defer l.Close()
			row.test(t, source{l.(*net.TCPListener), func() (net.Conn, error) {
				return net.Dial("tcp", l.Addr().String())
			}})
		})
	}
}

func TestListener(t *testing.T) {
	t.Run("a fault comes before the queue and then is over", func(t *testing.T) {
		l := conntest.Listen()
		c, err := l.Dial()
		must(t, err)
		defer c.Close()
		l.Fail(syscall.EMFILE)
		_, err = l.Accept()
		wantError(t, err, syscall.EMFILE)
		nc, err := l.Accept()
		must(t, err)
		must(t, nc.Close())
	})
	t.Run("a fault wakes an Accept under way", func(t *testing.T) {
		l := conntest.Listen()
		err := during(func() error { _, err := l.Accept(); return err }, func() { l.Fail(io.ErrNoProgress) })
		wantError(t, err, io.ErrNoProgress)
	})
	t.Run("DialFrom chooses the address that the server sees", func(t *testing.T) {
		l := conntest.Listen()
		c, err := l.DialFrom("[2001:db8::7]:4321")
		must(t, err)
		defer c.Close()
		nc, err := l.Accept()
		must(t, err)
		defer nc.Close()
		if got := nc.RemoteAddr().String(); got != "[2001:db8::7]:4321" {
			t.Errorf("remote address %s", got)
		}
		if nc.LocalAddr().String() != l.Addr().String() {
			t.Errorf("local address %v, the listener's is %v", nc.LocalAddr(), l.Addr())
		}
	})
}

func TestPipeTime(t *testing.T) {
	t.Run("a deadline passes at its virtual instant", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := conntest.Pipe()
			defer a.Close()
			defer b.Close()
			begun := time.Now()
			must(t, a.SetDeadline(begun.Add(time.Hour)))
			wantReadError(t, a, os.ErrDeadlineExceeded)
			if d := time.Since(begun); d != time.Hour {
				t.Errorf("passed after %v, want 1h", d)
			}
			_, err := a.Write([]byte("x"))
			wantError(t, err, os.ErrDeadlineExceeded)
		})
	})
	t.Run("a direction holds BufferBytes and no more", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := conntest.Pipe()
			defer a.Close()
			defer b.Close()
			must(t, a.SetWriteDeadline(time.Now().Add(time.Second)))
			n, err := a.Write(make([]byte, 2*conntest.BufferBytes))
			if n != conntest.BufferBytes || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("wrote %d, %v, want %d and a deadline", n, err, conntest.BufferBytes)
			}
		})
	})
}
