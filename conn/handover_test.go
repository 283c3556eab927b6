package conn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// inherit makes a second listener of the first one's socket, as a successor does in a process
// of its own.
func inherit(t testing.TB, l net.Listener) net.Listener {
	t.Helper()
	files, err := conn.Descriptors(l)
	if err != nil {
		t.Fatal(err)
	}
	heir, err := conn.Inherit(files...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = heir.Close() })
	return heir
}

func TestInheritedListener(t *testing.T) {
	t.Run("200 of 200 connections in the queue are the successor's", func(t *testing.T) {
		const clients = 200
		l := listen(t)
		heir := inherit(t, l)
		old := &conn.Listener{Listener: &held{TCPListener: l.(*net.TCPListener), let: make(chan struct{})}, Handler: &lines{}}
		leaving := &conn.Server{}
		served := make(chan error, 1)
		go func() { served <- leaving.Serve(old) }()
		waiting := make([]*client, clients)
		for i := range waiting {
			waiting[i] = dialAddr(t, l.Addr())
			if _, err := io.WriteString(waiting[i], "echo a\n"); err != nil {
				t.Fatal(err)
			}
		}
		old.HandOver()
		close(old.Listener.(*held).let)
		leaving.CloseListeners(context.Background())
		if err := <-served; err != net.ErrClosed {
			t.Errorf("the leaving server: %v", err)
		}
		gone := leaving.Drain()
		s := newStationOn(t, options{}, heir)
		for i, c := range waiting {
			if got, err := c.r.ReadString('\n'); got != "a\n" {
				t.Errorf("client %d got %q, %v", i, got, err)
			}
			_ = c.Close()
		}
		<-gone
		s.end()
		if sum := leaving.Ledger().Accepted + s.server.Ledger().Accepted; sum != clients {
			t.Errorf("%d accepted by both, want %d", sum, clients)
		}
	})
	t.Run("the one that stays behind still hears its deadlines", func(t *testing.T) {
		l := listen(t).(*net.TCPListener)
		defer l.Close()
		files, err := conn.Descriptors(l)
		if err != nil {
			t.Fatal(err)
		}
		_ = files[0].Fd() // what starting a process does: it must not make the shared socket block
		accepted := make(chan error, 1)
		if err := l.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		select {
		case err := <-accepted:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("accept: %v", err)
			}
		case <-time.After(patience):
			t.Error("accept hears no deadline")
		}
		_ = files[0].Close()
	})
	t.Run("what is no listening socket is refused", func(t *testing.T) {
		file, err := os.Create(filepath.Join(t.TempDir(), "f"))
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer packets.Close()
		datagrams, err := packets.(*net.UDPConn).File()
		if err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]*os.File{"a file": file, "a datagram socket": datagrams} {
			if l, err := conn.Inherit(f); !errors.Is(err, conn.ErrNotListening) || l != nil {
				t.Errorf("%s: %v, %v", name, l, err)
			}
		}
		if l, err := conn.Inherit(); err == nil {
			t.Errorf("of nothing: %v", l)
		}
	})
}

func TestInheritedUnixSocket(t *testing.T) {
	pair := func(t *testing.T) (path string, old, heir *conn.Listener) {
		path = socketPath(t)
		l := listenUnix(t, path)
		return path, &conn.Listener{Listener: l}, &conn.Listener{Listener: inherit(t, l)}
	}
	t.Run("a successor that fails leaves path and lock", func(t *testing.T) {
		path, _, heir := pair(t)
		_ = heir.Close()
		if !isThere(path) || !isThere(path+".lock") {
			t.Error("gone")
		}
		if _, err := conn.ListenUnix(context.Background(), path); !errors.Is(err, conn.ErrSocketLive) {
			t.Errorf("a third process: %v", err)
		}
	})
	t.Run("one that takes over has both, locked, until it closes", func(t *testing.T) {
		path, old, heir := pair(t)
		old.HandOver()
		heir.TakeOver()
		_ = old.Close()
		if !isThere(path) || !isThere(path+".lock") {
			t.Error("the leaving process took the path away")
		}
		if _, err := conn.ListenUnix(context.Background(), path); !errors.Is(err, conn.ErrSocketLive) {
			t.Errorf("a third process: %v", err)
		}
		_ = heir.Close()
		wantNothingAt(t, path, path+".lock")
	})
	t.Run("without its lock the path is somebody else's", func(t *testing.T) {
		path := socketPath(t)
		l := listenUnix(t, path)
		files, err := conn.Descriptors(l)
		if err != nil {
			t.Fatal(err)
		}
		_ = files[1].Close()
		heir, err := conn.Inherit(files[0])
		if err != nil {
			t.Fatal(err)
		}
		(&conn.Listener{Listener: heir}).TakeOver()
		_ = heir.Close()
		if !isThere(path) {
			t.Error("gone")
		}
	})
}
