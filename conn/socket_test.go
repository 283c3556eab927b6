package conn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn/conntest"
)

// newTestSocket is a socket on one end of a pipe; the other end never reads.
func newTestSocket(t *testing.T) (k *socket, peer *conntest.Conn) {
	peer, raw := conntest.Pipe()
	t.Cleanup(func() { _ = peer.Close(); _ = raw.Close() })
	limits := DefaultLimits()
	return newSocket(raw, &limits), peer
}

// TestAcknowledged: the kernel takes nothing more for minutes while a send buffer of
// megabytes drains, and only its count of what the peer has not acknowledged shows that
// the peer lives.
func TestAcknowledged(t *testing.T) {
	const length = 16 * conntest.BufferBytes
	for _, row := range []struct {
		name    string
		rate    int64         // what the peer acknowledges, in bytes a second
		until   time.Duration // and how long
		wantErr error
		wantAt  time.Duration
	}{
		{"a peer that acknowledges is waited for", 5000, time.Hour, os.ErrDeadlineExceeded, 0},
		{"one that stops is given up 30 s after the last that was seen", 5000, 8 * time.Second, ErrStalled, 40 * time.Second},
		{"one that never began, 30 s after", 0, 0, ErrStalled, 30 * time.Second},
		{"one that crawls is too slow", 100, time.Hour, ErrTooSlow, 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, peer := newTestSocket(t)
				begun := time.Now()
				k.unsent = func(syscall.RawConn) (int64, bool) {
					reading := min(time.Since(begun), row.until)
					return k.sent.Load() - int64(reading.Seconds()*float64(row.rate)), true
				}
				time.AfterFunc(10*time.Minute, func() { _, _ = io.Copy(io.Discard, peer) })
				stop := errors.New("stop")
				_, err := k.paced(func(int64) (int64, error) {
					if time.Since(begun) > 5*time.Minute {
						return 0, stop // it was borne with for long enough
					}
					n, err := k.rawConn.Write(make([]byte, length))
					return int64(n), err
				})
				if row.wantAt == 0 {
					if err != stop {
						t.Errorf("given up with %v after %v", err, time.Since(begun))
					}
					return
				}
				if err != row.wantErr || time.Since(begun) != row.wantAt {
					t.Errorf("ended with %v after %v, want %v after %v", err, time.Since(begun), row.wantErr, row.wantAt)
				}
			})
		})
	}
}

// TestStalledAcrossWrites: a handler that writes little at a time to a peer that reads
// nothing gets every write done, at the cost of the kernel's buffer.
func TestStalledAcrossWrites(t *testing.T) {
	for _, row := range []struct {
		name    string
		reads   bool
		wantErr error
	}{{"a peer that acknowledges nothing is given up", false, ErrStalled}, {"one that reads is not, whatever the pauses", true, nil}} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k, _ := newTestSocket(t)
				k.unsent = func(syscall.RawConn) (int64, bool) {
					if row.reads {
						return 0, true
					}
					return k.sent.Load(), true
				}
				begun := time.Now()
				due := k.tick() // a deadline passes at first, and then the kernel takes the bytes
				write := func() (err error) {
					late := time.Since(begun) >= due
					_, err = k.paced(func(int64) (int64, error) {
						if late {
							late = false
							return 0, os.ErrDeadlineExceeded
						}
						return 100, nil
					})
					if time.Since(begun) >= due {
						due += k.tick()
					}
					return err
				}
				var err error
				for err == nil && time.Since(begun) < 2*time.Minute {
					time.Sleep(time.Second)
					err = write()
				}
				if err != row.wantErr || err != nil && time.Since(begun) > 36*time.Second {
					t.Errorf("%v after %v", err, time.Since(begun))
				}
			})
		})
	}
}

func TestUnacknowledged(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the kernel tells on Linux only")
	}
	client, server := tcpPair(t)
	queued := func() (int64, bool) { return unacknowledged(descriptorOf(server)) }
	if n, ok := queued(); n != 0 || !ok {
		t.Errorf("%d bytes unacknowledged of nothing sent, %v", n, ok)
	}
	// More than one attempt: a deadline can pass before its write begins.
	sent, unread := 0, int64(0)
	for unread == 0 {
		_ = server.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := server.Write(make([]byte, 32<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the kernel took all of 32 MiB: %v", err)
		}
		sent += n
		var ok bool
		if unread, ok = queued(); unread > int64(sent) || !ok {
			t.Fatalf("%d of %d bytes unacknowledged, %v", unread, sent, ok)
		}
	}
	if _, err := io.CopyN(io.Discard, client, int64(sent)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; runtime.Gosched() {
		if n, _ := queued(); n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("what was read is not acknowledged")
		}
	}
	_ = server.Close()
	if _, ok := queued(); ok {
		t.Error("a closed socket tells too")
	}
}

func tcpPair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// copying is what Go's ReadFrom is where sendfile cannot be had: it reads more than a
// deadline lets it write.
type copying struct {
	got    bytes.Buffer
	writes []int // how much each call may write before its deadline passes
}

func (c *copying) ReadFrom(r io.Reader) (int64, error) {
	if len(c.writes) == 0 {
		return c.got.ReadFrom(r)
	}
	may := c.writes[0]
	c.writes = c.writes[1:]
	buf := make([]byte, 1000)
	n, err := io.ReadFull(r, buf)
	if err != nil && err != io.ErrUnexpectedEOF {
		return 0, err
	}
	n, _ = c.got.Write(buf[:min(n, may)])
	return int64(n), os.ErrDeadlineExceeded
}

func TestSendFileWithoutSendfile(t *testing.T) {
	content := make([]byte, sendfilePiece+5000)
	for i := range content {
		content[i] = byte(i % 251)
	}
	t.Run("what was read and not written is read again", func(t *testing.T) {
		k, _ := newTestSocket(t)
		to := &copying{writes: []int{10, 0, 999, 1000, 1}}
		n, err := k.sendFile(&io.LimitedReader{R: bytes.NewReader(content), N: int64(len(content))}, to)
		if n != int64(len(content)) || err != nil || !bytes.Equal(to.got.Bytes(), content) {
			t.Errorf("sent %d of %d bytes, %v, the same ones: %v", n, len(content), err, bytes.Equal(to.got.Bytes(), content))
		}
	})
	t.Run("what cannot be read again ends the sending", func(t *testing.T) {
		k, _ := newTestSocket(t)
		to := &copying{writes: []int{10}}
		onlyReader := struct{ io.Reader }{bytes.NewReader(content)}
		n, err := k.sendFile(&io.LimitedReader{R: onlyReader, N: int64(len(content))}, to)
		if n != 10 || err != io.ErrUnexpectedEOF {
			t.Errorf("sent %d, %v, want 10 and an error: the next byte would be the wrong one", n, err)
		}
	})
}

// room is a Buffer that counts.
type room struct {
	buf   [64]byte
	lent  int
	given int
}

func (r *room) Room() []byte { r.lent++; return r.buf[:] }
func (r *room) Return()      { r.given++ }

// TestLook: on a busy machine the few milliseconds of the last look pass before its read
// begins. What was received is found all the same.
func TestLook(t *testing.T) {
	setUp := func(t *testing.T, send string) waiter {
		client, server := tcpPair(t)
		if _, err := io.WriteString(client, send); err != nil {
			t.Fatal(err)
		}
		limits := DefaultLimits()
		k := newSocket(server, &limits)
		if send != "" {
			arrived(t, server)
		}
		_ = server.SetReadDeadline(past)
		return newWaiter(k, k)
	}
	t.Run("received bytes are read behind a deadline that has passed", func(t *testing.T) {
		w, b := setUp(t, "request"), &room{}
		if n, err := w.read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %d, %v: this test shows nothing", n, err)
		}
		if n := w.look(b); string(b.buf[:n]) != "request" {
			t.Errorf("the look found %q", b.buf[:n])
		}
		if b.lent != b.given+1 {
			t.Errorf("room taken %d times and returned %d times, want one more taken", b.lent, b.given)
		}
	})
	t.Run("nothing received is nothing, at once", func(t *testing.T) {
		w, b := setUp(t, ""), &room{}
		if n := w.look(b); n != 0 || b.lent != b.given {
			t.Errorf("the look found %d bytes, room taken %d times and returned %d times", n, b.lent, b.given)
		}
	})
	t.Run("beneath TLS the socket is asked", func(t *testing.T) {
		client, server := tcpPair(t)
		limits := DefaultLimits()
		k := newSocket(server, &limits)
		_ = server.SetReadDeadline(past)
		w := &byteWaiter{stream: k, sock: k}
		if n := w.look(&room{}); n != 0 {
			t.Errorf("the look found %d bytes of none", n)
		}
		_, _ = io.WriteString(client, "x")
		_ = server.SetReadDeadline(time.Time{})
		arrived(t, server)
		_ = server.SetReadDeadline(past)
		if n := w.look(&room{}); n != 1 || k.received.Load() != 1 {
			t.Errorf("the look found %d bytes, want 1", n)
		}
		if n, err := k.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read after the look gave %d, %v: it lasts", n, err)
		}
	})
	t.Run("a closed socket is nothing", func(t *testing.T) {
		_, server := tcpPair(t)
		limits := DefaultLimits()
		k := newSocket(server, &limits)
		w := &byteWaiter{stream: k, sock: k}
		_ = server.Close()
		if n := w.look(&room{}); n != 0 {
			t.Errorf("the look found %d bytes", n)
		}
	})
}

// arrived waits until c has something to read, and leaves it there.
func arrived(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Read(func(fd uintptr) bool { return peek(fd) > 0 }); err != nil {
		t.Fatal(err)
	}
}
