package conn_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// socketPath is short: t.TempDir holds the test's whole name, which a sun_path does not.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func listenUnix(t testing.TB, path string) net.Listener {
	t.Helper()
	l, err := conn.Listen(context.Background(), conn.UnixPrefix+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// leaveStale makes a socket file that nobody listens on, as a killed process leaves it.
func leaveStale(t testing.TB, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func wantNothingAt(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if isThere(path) {
			t.Errorf("%s is there", path)
		}
	}
}

func TestListenUnix(t *testing.T) {
	t.Run("owner and group may connect", func(t *testing.T) {
		path := socketPath(t)
		listenUnix(t, path)
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|0o660 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
	t.Run("or the owner alone, where that is asked for", func(t *testing.T) {
		path := socketPath(t)
		l, err := conn.ListenUnixMode(context.Background(), path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
	t.Run("a relative path stays relative", func(t *testing.T) {
		path := socketPath(t)
		t.Chdir(filepath.Dir(path))
		if l := listenUnix(t, "s"); l.Addr().String() != "s" {
			t.Errorf("listens on %v", l.Addr())
		}
	})
	t.Run("a close leaves nothing behind, and may come again", func(t *testing.T) {
		path := socketPath(t)
		l := listenUnix(t, path)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a second close: %v", err)
		}
		wantNothingAt(t, path, path+".lock")
	})
	t.Run("what a dead process left is replaced, its lock file too", func(t *testing.T) {
		path := socketPath(t)
		leaveStale(t, path)
		if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		l := listenUnix(t, path)
		s := newStationOn(t, options{}, l)
		s.dial().ask("echo a\n", "a")
	})
	t.Run("a socket that another of ours serves is left alone", func(t *testing.T) {
		path := socketPath(t)
		s := newStationOn(t, options{}, listenUnix(t, path))
		if _, err := conn.ListenUnix(context.Background(), path); !errors.Is(err, conn.ErrSocketLive) {
			t.Errorf("a second listener: %v", err)
		}
		s.dial().ask("echo a\n", "a")
	})
	t.Run("so is one that a stranger serves, who has no lock", func(t *testing.T) {
		path := socketPath(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := conn.ListenUnix(context.Background(), path); !errors.Is(err, conn.ErrSocketLive) {
			t.Errorf("got %v", err)
		}
		if !isThere(path) {
			t.Error("it was removed")
		}
		wantNothingAt(t, path+".lock")
	})
	t.Run("so is one that takes datagrams", func(t *testing.T) {
		path := socketPath(t)
		c, err := net.ListenPacket("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := conn.ListenUnix(context.Background(), path); !errors.Is(err, conn.ErrSocketLive) || !isThere(path) {
			t.Errorf("got %v", err)
		}
	})
}

func TestListenUnixDeletesNothingElse(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a file":            func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"a folder":          func(path string) error { return os.Mkdir(path, 0o700) },
		"a FIFO":            func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to nowhere": func(path string) error { return os.Symlink("nowhere", path) },
		"a link to a file": func(path string) error {
			return errors.Join(os.WriteFile(path+"x", nil, 0o600), os.Symlink("sx", path))
		},
		"a link to something": func(path string) error { return os.Symlink("/dev/null", path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.ListenUnix(context.Background(), path); !errors.Is(err, conn.ErrNoSocket) {
				t.Errorf("got %v", err)
			}
			if !isThere(path) {
				t.Error("it was removed")
			}
			wantNothingAt(t, path+".lock")
		})
	}
	t.Run("somebody's file that is named like the lock", func(t *testing.T) {
		path := socketPath(t)
		if err := os.WriteFile(path+".lock", []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := conn.ListenUnix(context.Background(), path)
		if err == nil || !strings.Contains(err.Error(), "is no lock file") || !isThere(path+".lock") {
			t.Errorf("got %v", err)
		}
		wantNothingAt(t, path)
	})
	t.Run("a successor's socket, and a successor's lock", func(t *testing.T) {
		path := socketPath(t)
		l := listenUnix(t, path)
		for _, name := range []string{path, path + ".lock"} {
			if err := os.Remove(name); err != nil { // by an operator who cleans up
				t.Fatal(err)
			}
		}
		successor := listenUnix(t, path)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if !isThere(path) || !isThere(path+".lock") {
			t.Error("the close removed what was not its own")
		}
		newStationOn(t, options{}, successor).dial().ask("echo a\n", "a")
	})
	t.Run("a path in no folder is an error and nothing more", func(t *testing.T) {
		path := filepath.Join(socketPath(t), "deeper")
		if _, err := conn.ListenUnix(context.Background(), path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

// Many processes that start at once over a dead one's file: one of them gets it.
func TestListenUnixRace(t *testing.T) {
	for range 50 {
		path := socketPath(t)
		leaveStale(t, path)
		const contenders = 8
		var mu sync.Mutex
		var got []net.Listener
		var group sync.WaitGroup
		for range contenders {
			group.Go(func() {
				l, err := conn.ListenUnix(context.Background(), path)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					got = append(got, l)
				case !errors.Is(err, conn.ErrSocketLive):
					t.Errorf("a loser got %v", err)
				}
			})
		}
		group.Wait()
		if len(got) != 1 {
			t.Fatalf("%d of %d have the path", len(got), contenders)
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		_ = got[0].Close()
		wantNothingAt(t, path, path+".lock")
	}
}

// onUnix runs a test over a unix socket, plain and with TLS.
func onUnix(t *testing.T, name string, test func(t *testing.T, s *station)) {
	for _, row := range []struct {
		name string
		tls  bool
	}{{"plain", false}, {"TLS", true}} {
		t.Run(name+"/"+row.name, func(t *testing.T) {
			test(t, newStationOn(t, options{tls: row.tls}, listenUnix(t, socketPath(t))))
		})
	}
}

func TestUnixConnections(t *testing.T) {
	onUnix(t, "a client that half-closes behind its request is answered, and then let go", func(t *testing.T, s *station) {
		c := s.dial()
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
	onUnix(t, "an early error is readable with 512 KiB of content unread", func(t *testing.T, s *station) {
		for i := range 20 {
			c := s.dial()
			_, _ = io.WriteString(c.Conn, "bye\n")
			_, _ = c.Write(make([]byte, 512<<10)) // may fail half-way: what counts is whether the answer is there
			if got, err := c.r.ReadString('\n'); got != "bye\n" {
				t.Fatalf("trial %d: got %q, %v", i, got, err)
			}
			_ = c.raw.Close()
		}
	})
	onUnix(t, "a large response arrives whole, also when its reader begins late", func(t *testing.T, s *station) {
		c := s.dial()
		if _, err := io.WriteString(c.Conn, "send 3000000\n"); err != nil {
			t.Fatal(err)
		}
		until(t, "the response", func() bool { return s.lines.inState(conn.Active) == 1 })
		if err := readPattern(c.r, 3_000_000); err != nil {
			t.Error(err)
		}
	})
}

func TestUnixClocks(t *testing.T) {
	for name, row := range map[string]struct {
		sent string
		want error
	}{
		"a new connection":    {"", conn.ErrHeadTimeout},
		"an idle connection":  {"echo a\n", conn.ErrIdleTimeout},
		"content that stops":  {"body 100\nab", conn.ErrStalled},
		"a reader that stops": {"send 12000000\n", conn.ErrStalled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := conn.Limits{HeadTimeout: time.Second, IdleTimeout: 50 * time.Millisecond, StallTimeout: 50 * time.Millisecond}
			s := newStationOn(t, options{limits: limits}, listenUnix(t, socketPath(t)))
			c := s.dial()
			if _, err := io.WriteString(c.Conn, row.sent); err != nil {
				t.Fatal(err)
			}
			s.wantEnd(1, func(err error) bool { return errors.Is(err, row.want) })
		})
	}
}

func TestUnixDrain(t *testing.T) {
	const clients = 50
	onUnix(t, "requests written just before the drain are answered", func(t *testing.T, s *station) {
		idle := make([]*client, clients)
		for i := range idle {
			idle[i] = s.dial()
			idle[i].ask("echo a\n", "a")
		}
		until(t, "everybody idle", func() bool { return s.lines.inState(conn.Idle) == clients })
		s.closeListeners()
		for _, c := range idle {
			if _, err := io.WriteString(c.Conn, "echo b\n"); err != nil {
				t.Fatal(err)
			}
		}
		gone := s.server.Drain()
		for i, c := range idle {
			if got, err := c.r.ReadString('\n'); got != "b\n" {
				t.Errorf("client %d got %q, %v", i, got, err)
			}
			_ = c.Close()
		}
		<-gone
		if l := s.server.Ledger(); l.Quiet != clients || l.LateBytes != 0 {
			t.Errorf("ledger %+v, want all quiet and nothing late", l)
		}
		wantNothingAt(t, s.source.Addr().String(), s.source.Addr().String()+".lock")
	})
	t.Run("who could connect is served, up to the end", func(t *testing.T) {
		for range 20 {
			path := socketPath(t)
			s := newStationOn(t, options{}, listenUnix(t, path))
			answered := make(chan int)
			go func() { answered <- connectUntilGone(t, path) }()
			until(t, "clients", func() bool { return s.server.Ledger().Accepted > 5 })
			s.end()
			if n, l := <-answered, s.server.Ledger(); int64(n) != l.Accepted {
				t.Errorf("%d clients were answered, %d accepted", n, l.Accepted)
			}
		}
	})
	t.Run("limits of one address are not for peers without one", func(t *testing.T) {
		s := newStationOn(t, options{limits: conn.Limits{ConnectionsPerIP: 1}}, listenUnix(t, socketPath(t)))
		for range 3 {
			s.dial().ask("echo a\n", "a")
		}
	})
}

// connectUntilGone connects and asks, again and again, until there is nothing to connect
// to, and returns how many times it was answered. Whoever connected must be.
func connectUntilGone(t *testing.T, path string) (n int) {
	for {
		c, err := net.Dial("unix", path)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("dial: %v, want an answer or no socket", err)
			}
			return n
		}
		_, _ = io.WriteString(c, "echo a\n")
		buf := make([]byte, 2)
		if _, err := io.ReadFull(c, buf); err != nil {
			t.Errorf("client %d connected and was not answered: %v", n, err)
		} else {
			n++
		}
		_ = c.Close()
	}
}
