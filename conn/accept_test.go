package conn_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/conntest"
)

func newSource() *conntest.Listener { return conntest.Listen() }

// faulty is a listener whose accepts fail while it has a fault.
type faulty struct {
	*conntest.Listener
	fault   atomic.Pointer[error]
	accepts atomic.Int64
}

func (f *faulty) Accept() (net.Conn, error) {
	f.accepts.Add(1)
	if err := f.fault.Load(); err != nil {
		return nil, *err
	}
	return f.Listener.Accept()
}

// fail makes accepts fail as the system call of that name does; 0 mends them.
func (f *faulty) fail(errno syscall.Errno) {
	if errno == 0 {
		f.fault.Store(nil)
		return
	}
	err := acceptError(errno)
	f.fault.Store(&err)
}

func acceptError(errno syscall.Errno) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)}
}

// inFaultyWorld is inWorld with a listener that can fail.
func inFaultyWorld(t *testing.T, test func(t *testing.T, w *world, f *faulty)) {
	t.Helper()
	var f *faulty
	wrap := func(l net.Listener) net.Listener {
		f = &faulty{Listener: l.(*conntest.Listener)}
		return f
	}
	inWorld(t, options{listener: wrap}, func(t *testing.T, w *world) { test(t, w, f) })
}

func TestAcceptWithoutResources(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		t.Run(fmt.Sprintf("%v does not spin, and is recovered from within 1 s", errno), func(t *testing.T) {
			inFaultyWorld(t, func(t *testing.T, w *world, f *faulty) {
				f.fail(errno)
				w.dial().ask("echo a", "a") // the accept that waited when the fault began
				p := w.dial()
				f.accepts.Store(0)
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := f.accepts.Load(); n < 60 || n > 140 {
					t.Errorf("%d accepts in a minute of %v, want about two a second", n, errno)
				}
				f.fail(0)
				mended := time.Now()
				p.ask("echo a", "a")
				if d := time.Since(mended); d > time.Second {
					t.Errorf("recovered after %v", d)
				}
				if n := strings.Count(w.log.String(), "accept failed"); n != 1 {
					t.Errorf("%d log lines about one outbreak, want 1", n)
				}
			})
		})
	}
	t.Run("a success begins the next pause anew", func(t *testing.T) {
		inFaultyWorld(t, func(t *testing.T, w *world, f *faulty) {
			for range 3 {
				f.fail(syscall.EMFILE)
				w.dial().ask("echo a", "a")
				time.Sleep(time.Minute)
				f.fail(0)
				w.dial().ask("echo a", "a")
			}
			w.source.Fail(acceptError(syscall.EMFILE))
			p := w.dial()
			p.ask("echo a", "a")
			if d := time.Since(p.began); d > 5*time.Millisecond {
				t.Errorf("the first pause was %v, want 5ms", d)
			}
		})
	})
}

func TestClosingWithoutResources(t *testing.T) {
	t.Run("the closing does not wait for the pause", func(t *testing.T) {
		inFaultyWorld(t, func(t *testing.T, w *world, f *faulty) {
			f.fail(syscall.EMFILE)
			w.dial().ask("echo a", "a")
			p := w.dial()
			time.Sleep(time.Minute + time.Millisecond) // in the middle of half a second
			f.fail(0)
			begun := time.Now()
			w.closeListeners()
			if d := time.Since(begun); d != emptied {
				t.Errorf("took %v, want %v", d, emptied)
			}
			p.ask("echo a", "a")
		})
	})
	t.Run("a fault that stays ends the closing at 2 s, without a spin", func(t *testing.T) {
		inFaultyWorld(t, func(t *testing.T, w *world, f *faulty) {
			f.fail(syscall.EMFILE)
			w.dial().ask("echo a", "a")
			time.Sleep(time.Minute)
			f.accepts.Store(0)
			begun := time.Now()
			w.closeListeners()
			if d := time.Since(begun); d > 2*time.Second+emptied {
				t.Errorf("took %v, want 2 s", d)
			}
			if n := f.accepts.Load(); n > 110 {
				t.Errorf("%d accepts in 2 s", n)
			}
		})
	})
	t.Run("nor does it hold a closing whose context ended", func(t *testing.T) {
		inFaultyWorld(t, func(t *testing.T, w *world, f *faulty) {
			f.fail(syscall.EMFILE)
			w.dial().ask("echo a", "a")
			time.Sleep(time.Minute)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			begun := time.Now()
			w.server.CloseListeners(ctx)
			if d := time.Since(begun); d > 2*emptied {
				t.Errorf("took %v", d)
			}
		})
	})
}

func TestAcceptPassingErrors(t *testing.T) {
	for _, errno := range []syscall.Errno{
		syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO, syscall.EAGAIN, syscall.EPERM, syscall.ENETDOWN,
		syscall.EHOSTUNREACH, syscall.ETIMEDOUT, syscall.ECONNRESET,
	} {
		t.Run(fmt.Sprintf("%v is survived", errno), func(t *testing.T) {
			inWorld(t, options{}, func(t *testing.T, w *world) {
				w.source.Fail(acceptError(errno))
				p := w.dial()
				p.ask("echo a", "a")
				if d := time.Since(p.began); d > 10*time.Millisecond {
					t.Errorf("it cost %v", d)
				}
			})
		})
	}
}

func TestAcceptFatalErrors(t *testing.T) {
	for name, row := range map[string]struct {
		fault error
		want  string
	}{
		"a descriptor that is none":                {acceptError(syscall.EBADF), "bad file descriptor"},
		"an error that nobody knows":               {errors.New("strange"), "strange"},
		"a deadline that somebody else set":        {os.ErrDeadlineExceeded, "i/o timeout"},
		"a listener that somebody else closed":     {net.ErrClosed, "somebody else closed"},
		"the same, as the net package words it":    {&net.OpError{Op: "accept", Err: net.ErrClosed}, "somebody else closed"},
		"a socket that does not listen (any more)": {acceptError(syscall.EINVAL), "invalid argument"},
		"a socket that is none":                    {acceptError(syscall.ENOTSOCK), "non-socket"},
	} {
		t.Run(name+" ends Serve, and what it accepted is served on", func(t *testing.T) {
			inWorld(t, options{}, func(t *testing.T, w *world) {
				p := w.dial()
				p.ask("echo a", "a")
				w.source.Fail(row.fault)
				err := <-w.served
				if err == nil || errors.Is(err, net.ErrClosed) && strings.Contains(row.want, "else") || !strings.Contains(err.Error(), row.want) {
					t.Errorf("Serve returned %v, want %q", err, row.want)
				}
				p.ask("echo b", "b")
				w.served <- net.ErrClosed // what closeListeners waits for
			})
		})
	}
	t.Run("the address is logged", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			w.source.Fail(acceptError(syscall.EBADF))
			<-w.served
			if log := w.log.String(); !strings.Contains(log, "192.0.2.80:443") {
				t.Errorf("log: %s", log)
			}
			w.served <- net.ErrClosed
		})
	})
}

func TestConnectionLimits(t *testing.T) {
	refused := func(w *world, p *peer) {
		w.t.Helper()
		synctest.Wait()
		p.wantReset(0)
	}
	t.Run("one connection over the limit is refused, and one that leaves makes room", func(t *testing.T) {
		inWorld(t, options{limits: conn.Limits{Connections: 2}}, func(t *testing.T, w *world) {
			p, q := w.dial(), w.dial()
			p.ask("echo a", "a")
			q.ask("echo a", "a")
			refused(w, w.dial())
			_ = p.Close()
			synctest.Wait()
			w.dial().ask("echo a", "a")
			q.ask("echo b", "b")
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 4, Quiet: 3, Refused: 1})
		})
	})
	t.Run("one address over its limit is refused, others are not", func(t *testing.T) {
		inWorld(t, options{limits: conn.Limits{ConnectionsPerIP: 2}}, func(t *testing.T, w *world) {
			p := w.dialFrom("192.0.2.1:1")
			p.ask("echo a", "a")
			w.dialFrom("[::ffff:192.0.2.1]:2").ask("echo a", "a") // the same host
			refused(w, w.dialFrom("192.0.2.1:3"))
			w.dialFrom("192.0.2.2:4").ask("echo a", "a")
			_ = p.Close()
			synctest.Wait()
			w.dialFrom("192.0.2.1:5").ask("echo a", "a")
			refused(w, w.dialFrom("192.0.2.1:6"))
		})
	})
	t.Run("an IPv6 /64 is one host", func(t *testing.T) {
		inWorld(t, options{limits: conn.Limits{ConnectionsPerIP: 1}}, func(t *testing.T, w *world) {
			w.dialFrom("[2001:db8:0:7::1]:1").ask("echo a", "a")
			refused(w, w.dialFrom("[2001:db8:0:7:ffff::2]:1"))
			w.dialFrom("[2001:db8:0:8::1]:1").ask("echo a", "a")
			w.dialFrom("[fe80::1%eth0]:1").ask("echo a", "a")
			refused(w, w.dialFrom("[fe80::2%eth1]:1"))
		})
	})
	t.Run("a panicking handler gives its place back", func(t *testing.T) {
		inWorld(t, options{limits: conn.Limits{Connections: 1, ConnectionsPerIP: 1}}, func(t *testing.T, w *world) {
			for range 3 {
				p := w.dial()
				p.send("panic\n")
				synctest.Wait()
				p.wantReset(0)
			}
			w.dial().ask("echo a", "a")
		})
	})
	t.Run("a refused flood in the closing is counted and resets quickly", func(t *testing.T) {
		inWorld(t, options{limits: conn.Limits{Connections: 10}}, func(t *testing.T, w *world) {
			for range 100 {
				w.dial()
			}
			gone := w.drain()
			<-gone
			w.wantLedger(conn.Ledger{Accepted: 100, Quiet: 10, Refused: 90})
		})
	})
}
