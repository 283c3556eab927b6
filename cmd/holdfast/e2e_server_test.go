package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is a holdfast serve of its own, started by a test and gone when it ends.
type server struct {
	t           testing.TB
	cmd         *exec.Cmd
	state       string // its state directory
	https, http string // host:port of its listeners, "" for none
	log, access *transcript
	gone        chan struct{} // closed once the process was waited for
}

// launch starts holdfast serve on a free port and waits until it listens. Flags go
// after the defaults of the tests and so before them.
func launch(t testing.TB, root string, flags ...string) *server {
	t.Helper()
	return spawn(t, root, flags...).listen()
}

// listen waits until the server listens.
func (s *server) listen() *server {
	s.t.Helper()
	listening := s.await("listening")
	s.https, _ = listening["https"].(string)
	s.http, _ = listening["http"].(string)
	return s
}

// spawn starts holdfast serve and does not wait for it.
func spawn(t testing.TB, root string, flags ...string) *server {
	t.Helper()
	return spawnAs(t, "serve", root, flags...)
}

// spawnAs starts a command that serves.
func spawnAs(t testing.TB, command, root string, flags ...string) *server {
	t.Helper()
	s := &server{t: t, state: filepath.Join(t.TempDir(), "state"), log: new(transcript), access: new(transcript), gone: make(chan struct{})}
	args := []string{command, "--log", "json", "--state", s.state}
	if root != "" { // else the file names what is served
		args = append(args, root)
	}
	if !hasFlag(flags, "--https") {
		args = append(args, "--https", "127.0.0.1:0")
	}
	s.cmd = exec.Command(binary(t), append(args, flags...)...)
	s.cmd.Env = childEnvironment(t)
	s.cmd.Stdout, s.cmd.Stderr = s.access, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.gone)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.end)
	return s
}

// end is the cleanup: no server outlives its test, and none raced.
func (s *server) end() {
	_ = s.cmd.Process.Kill() // an error means that it has ended, which is what is wanted
	<-s.gone
	if strings.Contains(s.log.text(), "DATA RACE") {
		s.t.Errorf("the server has a data race")
	}
	if s.t.Failed() {
		s.t.Logf("the server's log:\n%s\nits access log:\n%s", s.log.text(), s.access.text())
	}
}

// signal sends the server a signal.
func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal %v: %v", sig, err)
	}
}

// exit waits for the end of the process and returns its exit code, -1 for a signal's.
func (s *server) exit() int {
	s.t.Helper()
	select {
	case <-s.gone:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		s.t.Fatalf("the server did not end in %v", patience)
		return 0
	}
}

// stop ends the server by SIGTERM and expects a clean exit.
func (s *server) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != 0 {
		s.t.Errorf("exit code %d, want 0", code)
	}
}

// await waits for a record of the log and returns the first of its kind.
func (s *server) await(msg string) map[string]any {
	s.t.Helper()
	var found []map[string]any
	eventually(s.t, "a record "+msg+" in the log", func() bool {
		if found = s.log.records(msg); len(found) > 0 {
			return true
		}
		select {
		case <-s.gone:
			if found = s.log.records(msg); len(found) > 0 {
				return true
			}
			s.t.Fatalf("the server ended (%v) without a record %q", s.cmd.ProcessState, msg)
		default:
		}
		return false
	})
	return found[0]
}

// url is an address on the HTTPS listener, by the name localhost.
func (s *server) url(path string) string { return "https://localhost:" + s.port() + path }

// port is the HTTPS listener's.
func (s *server) port() string { return s.https[strings.LastIndexByte(s.https, ':')+1:] }

// caFile is the local CA's certificate.
func (s *server) caFile() string { return filepath.Join(s.state, "ca.pem") }

// trust is a client's TLS configuration that trusts the local CA and nobody else.
func (s *server) trust() *tls.Config {
	s.t.Helper()
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(s.caFile())
	if err != nil || !pool.AppendCertsFromPEM(ca) {
		s.t.Fatalf("no local CA in %s: %v", s.caFile(), err)
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// client is an HTTP client with connections of its own that follows no redirect.
func client(t testing.TB, config *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// transcript keeps what a process wrote.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.buf.Write(p)
}

func (tr *transcript) text() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.buf.String()
}

// records are the JSON lines with this msg, in their order.
func (tr *transcript) records(msg string) (found []map[string]any) {
	for line := range strings.Lines(tr.text()) {
		var record map[string]any
		if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == msg {
			found = append(found, record)
		}
	}
	return found
}

// ledger is one of the two accounts in the record "stopped".
func (s *server) ledger(name string) map[string]any {
	s.t.Helper()
	account, ok := s.await("stopped")[name].(map[string]any)
	if !ok {
		s.t.Fatalf("no account %q in the record stopped", name)
	}
	return account
}
