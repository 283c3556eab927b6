package conntest_test

import (
	"bytes"
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

// end is what both a pipe and a TCP connection are.
type end interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

var (
	_ end = (*conntest.Conn)(nil)
	_ end = (*net.TCPConn)(nil)
)

// past is a deadline that has passed; soon is how long a test waits for one to pass.
var past = time.Unix(1, 0)

const soon = 20 * time.Millisecond

// semantics is what package conn relies on. Each row runs on a pipe and on loopback TCP:
// where they differ, the pipe is wrong.
var semantics = []struct {
	name string
	test func(t *testing.T, a, b end)
}{
	{"bytes arrive in order", func(t *testing.T, a, b end) {
		write(t, a, "one ")
		write(t, a, "two")
		wantRead(t, b, "one two")
	}},
	{"the directions are independent", func(t *testing.T, a, b end) {
		write(t, a, "up")
		write(t, b, "down")
		wantRead(t, a, "down")
		wantRead(t, b, "up")
	}},
	{"a half-close is EOF after what was sent, and the other way goes on", func(t *testing.T, a, b end) {
		write(t, a, "last")
		must(t, a.CloseWrite())
		wantRead(t, b, "last")
		wantReadError(t, b, io.EOF)
		write(t, b, "answer")
		wantRead(t, a, "answer")
	}},
	{"a write after the own half-close fails", func(t *testing.T, a, _ end) {
		must(t, a.CloseWrite())
		_, err := a.Write([]byte("x"))
		wantError(t, err, syscall.EPIPE)
	}},
	{"a close with nothing unread is EOF after what was sent", func(t *testing.T, a, b end) {
		write(t, a, "last")
		must(t, a.Close())
		wantRead(t, b, "last")
		wantReadError(t, b, io.EOF)
	}},
	{"a close with something unread resets", func(t *testing.T, a, b end) {
		write(t, b, "never read")
		// It has arrived: an empty buffer would close without a reset.
		must(t, a.SetReadDeadline(time.Now().Add(10*time.Second)))
		one := make([]byte, 1)
		if _, err := io.ReadFull(a, one); err != nil {
			t.Fatal(err)
		}
		must(t, a.Close())
		wantReadError(t, b, syscall.ECONNRESET)
	}},
	{"a close with zero linger resets", func(t *testing.T, a, b end) {
		must(t, a.SetLinger(0))
		must(t, a.Close())
		wantReadError(t, b, syscall.ECONNRESET)
	}},
	{"writing to a closed peer fails in the end", func(t *testing.T, a, b end) {
		must(t, b.Close())
		must(t, a.SetWriteDeadline(time.Now().Add(10*time.Second)))
		var err error
		for err == nil {
			_, err = a.Write(make([]byte, 1024))
		}
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Fatalf("write to a closed peer: %v, want a reset or a broken pipe", err)
		}
	}},
	{"everything fails on a closed end", func(t *testing.T, a, _ end) {
		must(t, a.Close())
		wantReadError(t, a, net.ErrClosed)
		_, err := a.Write([]byte("x"))
		wantError(t, err, net.ErrClosed)
		wantError(t, a.CloseWrite(), net.ErrClosed)
		wantError(t, a.Close(), net.ErrClosed)
	}},
	{"a close wakes the end's own reader", func(t *testing.T, a, _ end) {
		wantError(t, during(func() error { _, err := a.Read(make([]byte, 1)); return err }, func() { must(t, a.Close()) }), net.ErrClosed)
	}},
	{"a close wakes the end's own writer", func(t *testing.T, a, _ end) {
		wantError(t, during(func() error { return writeOn(a) }, func() { must(t, a.Close()) }), net.ErrClosed)
	}},
	{"a passed read deadline hides what has arrived, until it is undone", func(t *testing.T, a, b end) {
		write(t, a, "hidden")
		wantArrived(t, b)
		must(t, b.SetReadDeadline(past))
		wantReadError(t, b, os.ErrDeadlineExceeded)
		must(t, b.SetReadDeadline(time.Time{}))
		wantRead(t, b, "hidden")
	}},
	{"a read deadline passes by itself", func(t *testing.T, a, _ end) {
		must(t, a.SetReadDeadline(time.Now().Add(soon)))
		wantReadError(t, a, os.ErrDeadlineExceeded)
	}},
	{"a read deadline pulled in wakes the reader", func(t *testing.T, a, _ end) {
		wantError(t, during(func() error { _, err := a.Read(make([]byte, 1)); return err }, func() { must(t, a.SetReadDeadline(past)) }), os.ErrDeadlineExceeded)
	}},
	{"a write deadline ends a write to a peer that does not read", func(t *testing.T, a, _ end) {
		must(t, a.SetWriteDeadline(time.Now().Add(soon)))
		wantError(t, writeOn(a), os.ErrDeadlineExceeded)
	}},
	{"a write that its deadline ended can be continued without a gap", func(t *testing.T, a, b end) {
		continued(t, a, b)
	}},
}

func TestPipeBehavesAsTCP(t *testing.T) {
	for _, row := range semantics {
		t.Run(row.name+"/pipe", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := conntest.Pipe()
				defer a.Close()
				defer b.Close()
				row.test(t, a, b)
			})
		})
		t.Run(row.name+"/TCP", func(t *testing.T) {
			a, b := loopback(t)
			row.test(t, a, b)
		})
	}
}

// continued writes more than fits in pieces that a deadline ends, as package conn does.
func continued(t *testing.T, a, b end) {
	t.Helper()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	must(t, a.SetWriteDeadline(time.Now().Add(soon)))
	n, err := a.Write(sent)
	wantError(t, err, os.ErrDeadlineExceeded)
	got := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(b)
		got <- all
	}()
	must(t, a.SetWriteDeadline(time.Time{}))
	if _, err := a.Write(sent[n:]); err != nil {
		t.Fatal(err)
	}
	must(t, a.CloseWrite())
	if !bytes.Equal(<-got, sent) {
		t.Fatal("the continued write did not arrive as it was sent")
	}
}

// during runs f and then, while it is under way or about to be, what must end it.
func during(f func() error, ending func()) error {
	begun, done := make(chan struct{}), make(chan error)
	go func() {
		close(begun)
		done <- f()
	}()
	<-begun
	ending()
	return <-done
}

// writeOn writes until it fails.
func writeOn(c net.Conn) error {
	for {
		if _, err := c.Write(make([]byte, 32<<10)); err != nil {
			return err
		}
	}
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

func wantRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got[:n], err, want)
	}
}

// wantArrived waits until something can be read from c, and takes none of it: a read of no
// bytes would not wait.
func wantArrived(t *testing.T, c end) {
	t.Helper()
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return // a pipe is at the other end at once
	}
	raw, err := tcp.SyscallConn()
	must(t, err)
	must(t, raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return n > 0 || err != syscall.EAGAIN
	}))
}

func wantReadError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	n, err := c.Read(make([]byte, 64))
	if n != 0 {
		t.Fatalf("read %d bytes, want none and %v", n, want)
	}
	wantError(t, err, want)
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// loopback returns the two ends of a TCP connection.
func loopback(t *testing.T) (client, server end) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = a.Close() })
	b, err := l.Accept()
	must(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return a.(end), b.(end)
}
