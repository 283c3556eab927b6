package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// ask runs a command on the server's control socket.
func (s *server) ask(command string, flags ...string) ran {
	s.t.Helper()
	return runToEnd(s.t, "", binary(s.t), append([]string{command, "--state", s.state}, flags...)...)
}

// status is what holdfast status --json says.
func (s *server) status() (status serverStatus) {
	s.t.Helper()
	r := s.ask("status", "--json")
	if err := json.Unmarshal([]byte(r.out), &status); err != nil || r.exit != 0 || len(lines(r.out)) != 1 {
		s.t.Fatalf("exit %d: %v\n%s%s", r.exit, err, r.out, r.stderr)
	}
	return status
}

// awaitSocket waits until commands are heard: the server listens before that.
func (s *server) awaitSocket() {
	s.t.Helper()
	eventually(s.t, "the control socket answers", func() bool { return s.ask("status").exit == 0 })
}

// A heldDownload keeps a drain from ending.
type heldDownload struct {
	*peer
	body io.Reader
}

func (s *server) hold(t testing.TB) *heldDownload {
	p := dialTCP(t, s.https, smallWindowBytes).secure(s.trust())
	p.get("/rope")
	return &heldDownload{p, p.head(200).Body}
}

func (h *heldDownload) finish() {
	h.t.Helper()
	if n, err := io.Copy(io.Discard, h.body); n != downloadBytes || err != nil {
		h.t.Errorf("%d bytes and %v, want %d", n, err, downloadBytes)
	}
	h.ended()
}

func TestStatus(t *testing.T) {
	s := launch(t, site(t, map[string]string{"small": "a small file", "rope": bulk(downloadBytes)}), "--http", "127.0.0.1:0")
	s.awaitSocket()
	idle := s.dial(t)
	idle.get("/small")
	idle.response(200)
	held := s.hold(t)
	t.Run("has connections, requests and certificates", func(t *testing.T) {
		eventually(t, "one connection is idle, one active", func() bool {
			c := s.status().Connections
			return c.Idle == 1 && c.Active == 1 && c.Open == 2
		})
		got := s.status()
		if got.PID != s.cmd.Process.Pid || got.Phase != "running" || got.DrainLeft != nil || got.Version == "" || got.UptimeSeconds <= 0 {
			t.Errorf("got %+v", got)
		}
		if want := []listenStatus{{"https", s.https}, {"http", s.http}}; fmt.Sprint(got.Listeners) != fmt.Sprint(want) {
			t.Errorf("listeners %v, want %v", got.Listeners, want)
		}
		if q := got.Requests; q.Begun != 2 || q.Completed != 1 || q.Open != 1 || q.Balance() != nil || got.Connections.Balance() != nil {
			t.Errorf("requests %+v, connections %+v", q, got.Connections.Ledger)
		}
		if c := got.Certificates; len(c) != 1 || c[0].Source != "local CA" || c[0].NotAfter.IsZero() || c[0].Names[0] != "localhost" {
			t.Errorf("certificates %+v", c)
		}
	})
	t.Run("is a table for people", func(t *testing.T) {
		r := s.ask("status")
		for _, want := range []string{fmt.Sprintf("pid %d", s.cmd.Process.Pid), "phase        running", "1 idle, 1 active", "certificate  localhost"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("no %q in\n%s", want, r.out)
			}
		}
	})
	t.Run("tells of the drain while it runs", func(t *testing.T) {
		s.signal(syscall.SIGTERM)
		eventually(t, "it drains", func() bool { return s.status().Phase == "draining" })
		if got := s.status(); got.DrainLeft == nil || *got.DrainLeft <= 0 || *got.DrainLeft > 25 || got.Connections.Active != 1 {
			t.Errorf("got %+v", got)
		}
		held.finish()
		if code := s.exit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	wantGone(t, filepath.Join(s.state, "control.sock"), filepath.Join(s.state, "control.sock.lock"))
}

func TestStopCommand(t *testing.T) {
	t.Parallel()
	root := site(t, map[string]string{"rope": bulk(downloadBytes)})
	uid := fmt.Sprintf("asked by uid %d over the control socket", os.Geteuid())
	t.Run("drains, and says so when it is asked again", func(t *testing.T) {
		s := launch(t, root)
		s.awaitSocket()
		held := s.hold(t)
		if r, want := s.ask("stop"), fmt.Sprintf("pid %d stops, in 25s at most\n", s.cmd.Process.Pid); r.exit != 0 || r.out != want {
			t.Errorf("exit %d, %q%s; want %q", r.exit, r.out, r.stderr, want)
		}
		eventually(t, "it drains", func() bool { return s.status().Phase == "draining" })
		if r, want := s.ask("stop"), fmt.Sprintf("pid %d stops already (draining), in ", s.cmd.Process.Pid); r.exit != 0 || !strings.HasPrefix(r.out, want) {
			t.Errorf("exit %d, %q; want %q", r.exit, r.out, want)
		}
		held.finish()
		if code, cause := s.exit(), s.await("stopped")["cause"]; code != 0 || cause != uid {
			t.Errorf("exit %d, cause %q; want 0 and %q", code, cause, uid)
		}
	})
	t.Run("waits for a clean end", func(t *testing.T) {
		s := launch(t, root)
		s.awaitSocket()
		r := s.ask("stop", "--wait")
		if want := "with exit code 0, 0 connections cut: " + uid + "\n"; r.exit != 0 || !strings.HasSuffix(r.out, want) {
			t.Errorf("exit %d, %q%s; want %q", r.exit, r.out, r.stderr, want)
		}
		if !isRefused(s.https) || s.exit() != 0 {
			t.Error("the process was still there")
		}
	})
	t.Run("waits for another's, and hands its exit code on", func(t *testing.T) {
		s := launch(t, root, "--drain-timeout", "100ms")
		s.awaitSocket()
		s.hold(t)
		if r := s.ask("stop", "--wait"); r.exit != 3 || !strings.Contains(r.out, "with exit code 3, 1 connections cut") {
			t.Errorf("exit %d, %q%s; want 3", r.exit, r.out, r.stderr)
		}
		if code := s.exit(); code != 3 {
			t.Errorf("the server's exit code was %d", code)
		}
	})
	t.Run("gives up waiting, and the server goes on", func(t *testing.T) {
		s := launch(t, root)
		s.awaitSocket()
		held := s.hold(t)
		if r := s.ask("stop", "--wait", "--timeout", "3s"); r.exit != 1 || !strings.Contains(r.stderr, "it took longer than 3s; what was asked for goes on") {
			t.Errorf("exit %d, %q", r.exit, r.stderr)
		}
		held.finish()
		if code := s.exit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("hears of a server that was killed", func(t *testing.T) {
		s := launch(t, root)
		s.awaitSocket()
		s.hold(t)
		waited := make(chan ran, 1)
		go func() { waited <- s.ask("stop", "--wait") }()
		s.await("stopping")
		s.signal(syscall.SIGKILL)
		if r := <-waited; r.exit != 1 || !strings.Contains(r.stderr, "the server ended without an answer") {
			t.Errorf("exit %d, %q%q", r.exit, r.out, r.stderr)
		}
	})
}

func TestReloadCommand(t *testing.T) {
	a := newAuthority(t)
	certFile, keyFile, flags := pairFiles(t, a, 10)
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), flags...)
	s.awaitSocket()
	cert, key := a.pairPEM(11, oneDay)
	t.Run("returns once the new certificate is served", func(t *testing.T) {
		replace(t, keyFile, key)
		replace(t, certFile, cert)
		if r := s.ask("reload"); r.exit != 0 || !strings.Contains(r.out, "reloaded its certificates\ncertificate  localhost") {
			t.Errorf("exit %d, %q%q", r.exit, r.out, r.stderr)
		}
		if serial := servedSerial(t, s, a); serial != 11 {
			t.Errorf("a handshake shows certificate %d", serial)
		}
	})
	t.Run("tells what is wrong, and the old one stays", func(t *testing.T) {
		replace(t, keyFile, key[:len(key)/2])
		if r := s.ask("reload"); r.exit != 1 || !strings.Contains(r.stderr, "key.pem") || !strings.Contains(r.stderr, "is served as it was before") || r.out != "" {
			t.Errorf("exit %d, %q%q", r.exit, r.out, r.stderr)
		}
		if serial := servedSerial(t, s, a); serial != 11 {
			t.Errorf("a handshake shows certificate %d", serial)
		}
	})
	s.stop()
	t.Run("has nothing to do for a local CA", func(t *testing.T) {
		s := launch(t, site(t, nil))
		s.awaitSocket()
		if r := s.ask("reload"); r.exit != 0 || !strings.Contains(r.out, "has nothing to reload: the local CA renews its certificate by itself") {
			t.Errorf("exit %d, %q%q", r.exit, r.out, r.stderr)
		}
		s.stop()
	})
}

func TestTwoServersWithOneStateDirectory(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay"})
	first := launch(t, root)
	first.awaitSocket()
	second := launch(t, root, "--state", first.state)
	second.state = first.state
	warning := second.await("no control socket while another server has this state directory")
	if warning["pid"] != float64(first.cmd.Process.Pid) || warning["level"] != "WARN" {
		t.Errorf("the second says %v, want the pid %d", warning, first.cmd.Process.Pid)
	}
	if pid := second.status().PID; pid != first.cmd.Process.Pid {
		t.Errorf("pid %d answers, want the first's", pid)
	}
	if response, _, err := fetch(client(t, second.trust()), second.url("/")); err != nil || response.StatusCode != 200 {
		t.Errorf("the second does not serve: %v", err)
	}
	first.stop()
	second.await("the control socket is this server's now")
	if r := second.ask("stop", "--wait"); r.exit != 0 || !strings.HasPrefix(r.out, fmt.Sprintf("pid %d stopped", second.cmd.Process.Pid)) {
		t.Errorf("exit %d, %q%q", r.exit, r.out, r.stderr)
	}
	if n := len(complaints(second)); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, listed(complaints(second)))
	}
}

func TestControlSocketsOfDeepStateDirectories(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("deep", 25), "state")
	s := launch(t, site(t, nil), "--state", deep)
	s.state = deep
	s.awaitSocket()
	if pid := s.status().PID; pid != s.cmd.Process.Pid {
		t.Errorf("pid %d answers", pid)
	}
	sockets := func() []string {
		found, _ := filepath.Glob(filepath.Join(runtimeDir(), "holdfast", "control-*"))
		return found
	}
	if found := sockets(); len(found) != 2 { // and its lock
		t.Errorf("the runtime directory has %q", found)
	}
	s.stop()
	if found := sockets(); len(found) != 0 {
		t.Errorf("the runtime directory has %q at the end", found)
	}
}

// A dead server's socket is in the way of nobody.
func TestControlSocketAfterAKill(t *testing.T) {
	root := site(t, nil)
	first := launch(t, root)
	first.awaitSocket()
	first.signal(syscall.SIGKILL)
	first.exit()
	if _, err := os.Lstat(filepath.Join(first.state, "control.sock")); err != nil {
		t.Fatalf("the killed server took its socket along: %v", err)
	}
	if r := first.ask("status"); r.exit != 1 || !strings.Contains(r.stderr, "no server listens at") {
		t.Errorf("exit %d, %q", r.exit, r.stderr)
	}
	second := launch(t, root, "--state", first.state)
	second.state = first.state
	second.awaitSocket()
	if r := second.ask("stop", "--wait"); r.exit != 0 {
		t.Errorf("exit %d, %q", r.exit, r.stderr)
	}
}
