package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// socketPath is where a unix socket may be: a test's own directory has too long a name.
func socketPath(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, name)
}

// dialUnix connects to a unix socket and says nothing.
func dialUnix(t testing.TB, path string) *peer {
	t.Helper()
	conn, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newPeer(t, conn)
}

// unixClient is client for a server on a unix socket.
func unixClient(t testing.TB, s *server, path string) *http.Client {
	c := client(t, s.trust())
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return c
}

func wantGone(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", path, err)
		}
	}
}

func TestUnixSockets(t *testing.T) {
	secure, plainText := socketPath(t, "s"), socketPath(t, "p")
	root := site(t, map[string]string{"index.html": "the quay"})
	s := launch(t, root, "--https", "unix:"+secure, "--http", "unix:"+plainText)

	t.Run("both are named where it listens", func(t *testing.T) {
		if s.https != "unix:"+secure || s.http != "unix:"+plainText {
			t.Errorf("listening on %q and %q", s.https, s.http)
		}
	})
	t.Run("TLS serves the site, and the client is called unix", func(t *testing.T) {
		response, body, err := fetch(unixClient(t, s, secure), "https://localhost/")
		if err != nil || response.StatusCode != 200 || string(body) != "the quay" {
			t.Fatalf("%+v, %q, %v", response, body, err)
		}
		eventually(t, "a line of the access log", func() bool { return len(s.access.records("request")) > 0 })
		if got := s.access.records("request")[0]["client"]; got != "unix" {
			t.Errorf("client is %v", got)
		}
	})
	t.Run("the plain one redirects to the port that TLS has outside", func(t *testing.T) {
		p := dialUnix(t, plainText)
		p.send("GET /a HTTP/1.1\r\nHost: example.org:8080\r\n\r\n")
		if response, _ := p.response(308); response.Header.Get("Location") != "https://example.org/a" {
			t.Errorf("to %q", response.Header.Get("Location"))
		}
	})
	t.Run("a second server is told who has it", func(t *testing.T) {
		got := runToEnd(t, "", binary(t), "serve", root, "--https", "off", "--http", "unix:"+plainText)
		if got.exit != exitCannotStart || !strings.Contains(got.stderr, "another process listens on it") {
			t.Errorf("exit %d, %q", got.exit, got.stderr)
		}
	})
	s.stop()
	wantGone(t, secure, plainText, secure+".lock", plainText+".lock")
}

func TestUnixSocketAfterAKill(t *testing.T) {
	path := socketPath(t, "p")
	root := site(t, map[string]string{"index.html": "the quay"})
	s := launch(t, root, "--https", "off", "--http", "unix:"+path)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.exit()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the killed server left no file: %v", err)
	}
	s = launch(t, root, "--https", "off", "--http", "unix:"+path)
	p := dialUnix(t, path)
	p.get("/")
	p.response(200)
	_ = p.conn.Close()
	s.stop()
	wantGone(t, path, path+".lock")
}

// TestUnixDrain is the small version of the drain under load. Clients ask until there is no
// socket any more; whoever could connect, and whoever was not told of the end, is answered.
func TestUnixDrain(t *testing.T) {
	path := socketPath(t, "s")
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), "--https", "unix:"+path, "--drain-delay", "300ms")
	c := unixClient(t, s, path)
	c.Timeout = 10 * time.Second
	answered := make(chan int, loadClients)
	for range loadClients {
		go func() { answered <- askUntilGone(t, c) }()
	}
	eventually(t, "answers", func() bool { return len(s.access.records("request")) > 50 })
	s.stop()
	total := 0
	for range loadClients {
		total += <-answered
	}
	books := s.ledger("requests")
	if completed := books["completed"]; completed != float64(total) || books["aborted"] != 0.0 || books["forced"] != 0.0 {
		t.Errorf("%d requests were answered, and the books say %v", total, books)
	}
	if late := s.ledger("connections")["late_bytes"]; late != 0.0 {
		t.Errorf("%v bytes came too late", late)
	}
	wantGone(t, path, path+".lock")
}

// askUntilGone returns how many requests were answered until nothing was left to connect to.
func askUntilGone(t *testing.T, c *http.Client) (n int) {
	for {
		response, body, err := fetch(c, "https://localhost/")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return n
		case err != nil:
			t.Errorf("after %d answers: %v", n, err)
			return n
		case response.StatusCode != 200 || string(body) != "the quay":
			t.Errorf("%d, %q", response.StatusCode, body)
		}
		n++
	}
}
