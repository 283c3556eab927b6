package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// onPlain are the flags of a server without TLS, on a free port.
var onPlain = []string{"--https", "off", "--http", "127.0.0.1:0"}

// serveArgs are serve's arguments.
func serveArgs(root string, flags ...string) []string {
	return append([]string{"serve", root}, flags...)
}

func quaySite(t testing.TB) string { return site(t, map[string]string{"index.html": "the quay"}) }

// TestUpgradeUnderLoad hands over three times under a rehearsal's clients.
func TestUpgradeUnderLoad(t *testing.T) {
	for _, row := range []struct {
		name  string
		flags []string
	}{{"plain", onPlain}, {"TLS", nil}} {
		t.Run(row.name, func(t *testing.T) {
			args := append([]string{"rehearse", quaySite(t), "--access-log", "off"}, row.flags...)
			state := filepath.Join(t.TempDir(), "s")
			l := found(t, nil, []string{rehearsalState + "=" + state}, args...).serving()
			endpoint, err := traffic.NewEndpoint(l.https+l.http, rehearsalTrust(t, state, l.https))
			if err != nil {
				t.Fatal(err)
			}
			load := traffic.Load{
				Balancer: new(traffic.Balancer), Transfer: 500 * time.Millisecond, Patience: patience, ContentLimitBytes: -1,
				// A client that asks only now and then may ask just when the server gives up on
				// it: no server can tell it in time.
				Mix: traffic.Mix{traffic.KeepAlive: 8, traffic.NewConnection: 4, traffic.Download: 2, traffic.Upload: 2, traffic.Stream: 2},
			}
			load.Balancer.Add(endpoint)
			begin, enough := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			clients.Go(func() { load.Run(begin, t.Context()) })
			more := func() {
				tally := load.Tally()
				before, _ := tally.Sum()
				eventually(t, "requests", func() bool { now := load.Tally(); n, _ := now.Sum(); return n >= before+100 })
			}
			more()
			for range 3 {
				l.upgraded()
				more()
			}
			enough()
			clients.Wait()
			l.finish(4)
			tally := load.Tally()
			begun, _ := tally.Sum()
			if err := tally.Balance(); err != nil || tally.Lost() > 0 {
				t.Errorf("of %d requests %d were lost, %v: %+v", begun, tally.Lost(), err, load.Losses())
			}
		})
	}
}

// rehearsalTrust trusts a rehearsed server's CA; nil without TLS.
func rehearsalTrust(t testing.TB, state, https string) *tls.Config {
	if https == "" {
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(readFile(t, filepath.Join(state, "ca.pem")))) {
		t.Fatal("no CA")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
}

// A halting connection sends its first bytes, and the rest when it is let.
type halting struct {
	net.Conn
	let  <-chan struct{}
	once sync.Once
}

func (h *halting) Write(p []byte) (int, error) {
	sent := 0
	h.once.Do(func() {
		sent, _ = h.Conn.Write(p[:10])
		<-h.let
	})
	n, err := h.Conn.Write(p[sent:])
	return sent + n, err
}

// haltedHandshakes has clients go on with their handshakes once a successor serves, and tells who failed
// and how long all took.
func haltedHandshakes(t *testing.T, clients int) (took time.Duration, lost error) {
	t.Helper()
	l := found(t, nil, nil, serveArgs(quaySite(t), "--https", "127.0.0.1:0")...).serving()
	let := make(chan struct{})
	trust := l.trust()
	answered := make(chan error, clients)
	for range clients {
		p := dialTCP(t, l.https, 0)
		go func() { answered <- askHalting(&halting{Conn: p.conn, let: let}, trust) }()
	}
	// An answer to another client says that those before it were accepted.
	l.dial(t).get("/")
	l.upgraded()
	began := time.Now()
	close(let)
	for range clients {
		lost = errors.Join(lost, <-answered)
	}
	took = time.Since(began)
	l.finish(2)
	return took, lost
}

func TestUpgradeInFlight(t *testing.T) {
	t.Run("50 of 50 TLS handshakes are finished by the process that began them", func(t *testing.T) {
		// The old process gives them two seconds, in which a busy machine may not get through them all:
		// what happens then says nothing.
		const enough = time.Second
		for range 5 {
			took, lost := haltedHandshakes(t, 50)
			if lost == nil {
				return
			}
			if t.Logf("after %v: %v", took, lost); took < enough {
				t.Error("handshakes were lost")
			}
		}
		t.Error("this machine is too slow to tell")
	})
	t.Run("200 of 200 connections that wait to be accepted are answered", func(t *testing.T) {
		const clients = 200
		l := found(t, nil, nil, serveArgs(quaySite(t), onPlain...)...).serving()
		old := l.pid
		l.freeze()
		waiting := make([]*peer, clients)
		for i := range waiting {
			waiting[i] = dialTCP(t, l.http, 0)
			waiting[i].get("/")
		}
		l.tell(syscall.SIGUSR2)
		l.tell(syscall.SIGCONT)
		for _, p := range waiting {
			p.response(200)
			_ = p.conn.Close()
		}
		l.succeeded(0)
		if l.pid == old {
			t.Error("nobody succeeded")
		}
		l.finish(2)
	})
	t.Run("50 of 50 TCP handshakes that the kernel has yet to finish survive", func(t *testing.T) {
		const clients = 50
		file, addr := narrow(t)
		l := found(t, []*os.File{file}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=http"}, serveArgs(quaySite(t))...).serving()
		l.freeze()
		answered := make(chan error, clients)
		for range clients {
			go func() { answered <- askOnce(addr) }()
		}
		// Nobody accepts and two fit into the queue: of all others the server's kernel has yet
		// to take the handshake's end, or even its beginning.
		knock := 0
		defer func() {
			if t.Failed() {
				t.Logf("%d clients knocked at last, and %d had ended", knock, len(answered))
			}
		}()
		eventually(t, "all clients knock", func() bool {
			knock = knocking(addr)
			return knock >= clients || len(answered) > 0
		})
		// From now on there is room: 50 clients that try again all at once would else take
		// turns of a minute.
		if err := syscall.Listen(int(file.Fd()), 2*clients); err != nil {
			t.Fatal(err)
		}
		l.tell(syscall.SIGUSR2)
		l.tell(syscall.SIGCONT)
		for range clients {
			if err := <-answered; err != nil {
				t.Error(err)
			}
		}
		l.succeeded(0)
		l.finish(2)
	})
}

// askHalting makes a handshake and asks once.
func askHalting(c net.Conn, trust *tls.Config) error {
	secure := tls.Client(c, trust)
	if _, err := io.WriteString(secure, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	_, err := io.ReadAll(secure)
	return err
}

// narrow is a listening socket whose queue has room for one or two.
func narrow(t testing.TB) (*os.File, string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "narrow")
	t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return file, "127.0.0.1:" + strconv.Itoa(at.(*syscall.SockaddrInet4).Port)
}

// knocking is how many clients of an address are connected or about to be, as they see it. It
// asks for this thread's network: the process's is its first thread's, and once another test
// has taken that one into a pod's network, it stays there.
func knocking(addr string) (n int) {
	table, err := os.ReadFile("/proc/thread-self/net/tcp")
	if err != nil {
		return 0
	}
	_, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	hex := strings.ToUpper(strconv.FormatInt(int64(number), 16))
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		const established, synSent = "01", "02"
		if len(fields) > 3 && strings.HasSuffix(fields[2], ":"+strings.Repeat("0", max(0, 4-len(hex)))+hex) && (fields[3] == established || fields[3] == synSent) {
			n++
		}
	}
	return n
}
