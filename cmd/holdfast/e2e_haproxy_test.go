package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// haproxy is a HAProxy of a test's own, gone when that ends.
type haproxy struct {
	t     testing.TB
	addrs []string // host:port of each BIND, in their order
	stats string   // its stats socket

	cmd  *exec.Cmd
	log  *os.File      // what it wrote: a file takes every line, where a slow pipe loses some
	gone chan struct{} // closed once the process was waited for
}

// haproxyHead is before every configuration.
const haproxyHead = `global
	stats socket STATS mode 600 level admin
defaults
	timeout connect 30s
	timeout client 60s
	timeout server 60s
`

// startHAProxy runs HAProxy with the sections of a configuration. Each "bind BIND" in it
// listens on a port that the kernel chose: the socket is ours, so nobody takes it first, and
// connections wait in it until HAProxy is there.
func startHAProxy(t testing.TB, config string) *haproxy {
	t.Helper()
	path := program(t, "haproxy", "haproxy")
	h := &haproxy{t: t, stats: socketPath(t, "stats"), gone: make(chan struct{})}
	config = strings.Replace(haproxyHead, "STATS", h.stats, 1) + config
	var files []*os.File
	for strings.Contains(config, "bind BIND") {
		f, addr := listeningFile(t)
		files, h.addrs = append(files, f), append(h.addrs, addr)
		config = strings.Replace(config, "bind BIND", fmt.Sprintf("bind fd@%d", 2+len(files)), 1)
	}
	name := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-db", "-f", name)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = childEnvironment(t), log, log, files
	h.cmd, h.log = cmd, log
	err = cmd.Start()
	for _, f := range files {
		_ = f.Close() // the child has its own
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { defer close(h.gone); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-h.gone
		if t.Failed() {
			t.Logf("HAProxy's log:\n%s\nits configuration:\n%s", h.written(), config)
		}
		_ = log.Close()
	})
	eventually(t, "HAProxy to run", func() bool {
		select {
		case <-h.gone:
			t.Fatalf("HAProxy ended (%v)", cmd.ProcessState)
		default:
		}
		return strings.Contains(h.ask("show info"), "Uptime")
	})
	return h
}

// written is what it has written so far.
func (h *haproxy) written() string {
	text, err := os.ReadFile(h.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// stop lets HAProxy finish what it has, and returns all that it logged, by lines.
func (h *haproxy) stop() []string {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-h.gone:
	case <-time.After(patience):
		h.t.Fatalf("HAProxy did not end in %v", patience)
	}
	return lines(h.written())
}

// listeningFile is a listening socket that a child can inherit.
func listeningFile(t testing.TB) (*os.File, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	return f, l.Addr().String()
}

// ask gives the stats socket a command and returns the answer, "" for none.
func (h *haproxy) ask(command string) string {
	c, err := net.DialTimeout("unix", h.stats, patience)
	if err != nil {
		return ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, command+"\n")
	answer, _ := io.ReadAll(c)
	return string(answer)
}

// backendAddress is a listener's address as HAProxy writes it.
func backendAddress(addr string) string {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix@" + path
	}
	return addr
}

func TestBehindHAProxy(t *testing.T) {
	program(t, "haproxy", "haproxy")
	root := site(t, map[string]string{"index.html": "the quay"})
	for _, row := range []struct {
		name, mode, server string
		tls, unix          bool
		client             string // "" for the true one
	}{
		{"version 1 over TCP, TLS passed through", "tcp", "send-proxy", true, false, ""},
		{"version 2 over TCP, TLS passed through", "tcp", "send-proxy-v2", true, false, ""},
		{"version 1 over a unix socket, TLS passed through", "tcp", "send-proxy", true, true, ""},
		{"version 2 over a unix socket, TLS passed through", "tcp", "send-proxy-v2", true, true, ""},
		{"version 2 with TLVs", "tcp", "send-proxy-v2 proxy-v2-options unique-id,crc32c", true, false, ""},
		{"version 1 over a unix socket, in clear", "http", "send-proxy", false, true, ""},
		{"version 2 over TCP, in clear", "http", "send-proxy-v2", false, false, ""},
		{"a unix socket without the protocol", "http", "", false, true, "unix"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, backend := launchBehind(t, root, row.tls, row.unix, row.server != "", "--max-connections-per-ip", "1")
			h := startHAProxy(t, fmt.Sprintf("listen front\n\tbind BIND\n\tmode %s\n\tunique-id-format %%[uuid]\n\tserver s1 %s %s check inter 20ms\n",
				row.mode, backend, row.server))
			p := dialTCP(t, h.addrs[0], 0)
			client := p.conn.LocalAddr().String()
			if row.client != "" {
				client = row.client
			}
			if row.tls {
				p = p.secure(s.trust())
			}
			for range 3 {
				p.get("/")
				p.response(200)
			}
			_ = p.conn.Close()
			eventually(t, "a health check", func() bool { return strings.Contains(h.ask("show stat"), "L4OK") })
			s.stop()
			requests := s.access.records("request")
			if len(requests) != 3 {
				t.Errorf("%d requests in the access log, want 3", len(requests))
			}
			for _, r := range requests {
				if r["client"] != client {
					t.Errorf("client is %v, want %s", r["client"], client)
				}
			}
			books := s.ledger("connections")
			if books["handshake_failed"] != 0.0 || books["peer_left"] != 0.0 || books["refused"] != 0.0 {
				t.Errorf("the health checks are faults: %v", books)
			}
		})
	}
}

// launchBehind starts a server with one listener, for a proxy that it trusts.
func launchBehind(t testing.TB, root string, tls, unix, proxyProtocol bool, more ...string) (s *server, backend string) {
	t.Helper()
	addr, trusted := "127.0.0.1:0", "127.0.0.1"
	if unix {
		addr, trusted = "unix:"+socketPath(t, "s"), "unix"
	}
	flags := []string{"--https", "off", "--http", addr}
	if tls {
		flags = []string{"--https", addr}
	}
	flags = append(append(flags, "--trusted-proxy", trusted), more...)
	if proxyProtocol {
		flags = append(flags, "--proxy-protocol", "on")
	}
	s = launch(t, root, flags...)
	if tls {
		return s, backendAddress(s.https)
	}
	return s, backendAddress(s.http)
}

func TestProxyProtocolFromOthers(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay"})
	const line = "PROXY TCP4 203.0.113.9 198.51.100.80 4444 443\r\n"
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	t.Run("from a peer that is not trusted it is a bad request", func(t *testing.T) {
		s := launch(t, root, "--http", "127.0.0.1:0", "--https", "off", "--trusted-proxy", "192.0.2.1", "--proxy-protocol", "on")
		p := dialTCP(t, s.http, 0)
		own := p.conn.LocalAddr().String()
		p.send(line + request)
		p.response(400)
		p.ended()
		p = dialTCP(t, s.http, 0)
		p.get("/")
		p.response(200)
		_ = p.conn.Close()
		s.stop()
		if first := s.access.records("request")[0]; first["client"] != own {
			t.Errorf("the access log believes it: %v", first)
		}
	})
	t.Run("with TLS it is no hello, and is not believed", func(t *testing.T) {
		s := launch(t, root, "--trusted-proxy", "192.0.2.1", "--proxy-protocol", "on")
		p := dialTCP(t, s.https, 0)
		p.send(line)
		p.response(400)
		s.stop()
	})
	t.Run("from a trusted peer it must come, and is believed", func(t *testing.T) {
		s := launch(t, root, "--http", "127.0.0.1:0", "--https", "off", "--trusted-proxy", "127.0.0.0/8", "--proxy-protocol", "on")
		p := dialTCP(t, s.http, 0)
		p.send(request)
		p.ended()
		p = dialTCP(t, s.http, 0)
		p.send(line + request)
		p.response(200)
		_ = p.conn.Close()
		s.stop()
		requests := s.access.records("request")
		if len(requests) != 1 || requests[0]["client"] != "203.0.113.9:4444" {
			t.Errorf("requests %v", requests)
		}
		if failed := s.ledger("connections")["handshake_failed"]; failed != 1.0 {
			t.Errorf("%v handshakes failed, want 1", failed)
		}
	})
}

// One of two servers stops under load, and no client of the proxy hears of it.
func TestUnixDrainBehindHAProxy(t *testing.T) {
	program(t, "haproxy", "haproxy")
	root := site(t, map[string]string{"index.html": "the quay"})
	first, one := launchBehind(t, root, false, true, true, "--drain-delay", "200ms")
	second, two := launchBehind(t, root, false, true, true)
	h := startHAProxy(t, "listen front\n\tbind BIND\n\tmode http\n\toption redispatch 1\n\tretries 3\n"+
		"\tserver s1 "+one+" send-proxy-v2 check inter 50ms\n\tserver s2 "+two+" send-proxy-v2 check inter 50ms\n")
	l := loadOn(t, "http://"+h.addrs[0]+"/", func() *http.Client { return client(t, nil) }, func(r *http.Response, body []byte) string {
		if r.StatusCode != 200 || string(body) != "the quay" {
			return fmt.Sprintf("status %d, %q", r.StatusCode, body)
		}
		return ""
	})
	eventually(t, "both to be asked", func() bool {
		return len(first.access.records("request")) > 0 && len(second.access.records("request")) > 0
	})
	first.stop()
	l.progress(50)
	l.stop()
	if books := first.ledger("requests"); books["aborted"] != 0.0 || books["forced"] != 0.0 {
		t.Errorf("the books say %v", books)
	}
	second.stop()
}
