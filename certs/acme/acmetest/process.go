package acmetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// startAttempts is how often a program is started before the test fails: its ports
	// are free when they are chosen, and another process may be quicker.
	startAttempts = 5
	startTimeout  = 30 * time.Second
)

// tools are the paths of the tools of go.mod, built once per process into Go's build
// cache, from where nobody has to clear them away.
var tools = struct {
	sync.Mutex
	paths map[string]string
}{paths: make(map[string]string)}

func tool(tb testing.TB, name string) string {
	tb.Helper()
	tools.Lock()
	defer tools.Unlock()
	if path := tools.paths[name]; path != "" {
		return path
	}
	var stderr bytes.Buffer
	build := exec.Command("go", "tool", "-n", name) // -n builds it and says where it is
	build.Stderr = &stderr
	out, err := build.Output()
	path := strings.TrimSpace(string(out))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		tb.Fatalf("cannot build the tool %s: %v\n%s", name, err, &stderr)
	}
	tools.paths[name] = path
	return path
}

// run starts a program until the test ends. Its output is shown if the test fails.
// It returns a channel that closes when the program has ended.
func run(tb testing.TB, path string, environment []string, args ...string) (ended <-chan struct{}) {
	tb.Helper()
	var out lockedBuffer
	command := exec.Command(path, args...)
	command.Stdout, command.Stderr = &out, &out
	command.Env = append(os.Environ(), environment...)
	command.Dir = tb.TempDir()
	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = command.Wait() // it is killed: what it says of its end is no news
	}()
	tb.Cleanup(func() {
		_ = command.Process.Kill()
		<-done
		if tb.Failed() {
			tb.Logf("%s said:\n%s", filepath.Base(path), out.tail())
		}
	})
	return done
}

// startNames runs challtestsrv as a DNS server and returns its address.
func (ca *CA) startNames(tb testing.TB) (resolver string) {
	tb.Helper()
	path := tool(tb, "pebble-challtestsrv")
	for range startAttempts {
		ports := freePorts(tb, 2)
		resolver, ca.names = ports[0], "http://"+ports[1]
		ended := run(tb, path, nil, "-dnsserver", resolver, "-management", ports[1], "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
			"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
		if ca.answers(ca.names+"/dns-request-history", ended) && listensAt(resolver) {
			return resolver
		}
	}
	tb.Fatal("challtestsrv does not start")
	return ""
}

func (ca *CA) startPebble(tb testing.TB, config Config, identity *identity, resolver string) {
	tb.Helper()
	path := tool(tb, "pebble")
	environment := []string{
		"PEBBLE_VA_NOSLEEP=1",
		"PEBBLE_WFE_NONCEREJECT=" + strconv.Itoa(config.NonceRejectPercent),
		"PEBBLE_AUTHZREUSE=" + strconv.Itoa(config.AuthzReusePercent),
	}
	for range startAttempts {
		ports := freePorts(tb, 2)
		file := filepath.Join(tb.TempDir(), "pebble.json")
		text, err := io.ReadAll(asJSON(tb, map[string]any{"pebble": ca.pebble(config, identity, ports)}))
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
		ca.DirectoryURL, ca.manage = "https://"+ports[0]+"/dir", "https://"+ports[1]
		ended := run(tb, path, environment, "-config", file, "-dnsserver", resolver)
		if ca.answers(ca.DirectoryURL, ended) && ca.answers(ca.manage+"/roots/0", ended) {
			return
		}
	}
	tb.Fatal("Pebble does not start")
}

// pebble is Pebble's configuration.
func (ca *CA) pebble(config Config, identity *identity, ports []string) map[string]any {
	profiles := map[string]any{}
	for name, life := range config.Profiles {
		profiles[name] = map[string]any{"description": "a profile of the test's", "validityPeriod": int(life / time.Second)}
	}
	if len(profiles) == 0 {
		profiles[DefaultProfile] = map[string]any{"description": "the only profile", "validityPeriod": 90 * 24 * 3600}
	}
	return map[string]any{
		"listenAddress": ports[0], "managementListenAddress": ports[1],
		"certificate": identity.certFile, "privateKey": identity.keyFile,
		"tlsPort": ca.TLS.port(), "httpPort": ca.HTTP.port(),
		"externalAccountBindingRequired": config.RequireEAB,
		"externalAccountMACKeys":         map[string]string{AnyKeyID: AnyKey},
		"domainBlocklist":                config.Blocked,
		"keyAlgorithm":                   "ecdsa",
		"profiles":                       profiles,
		"retryAfter":                     map[string]int{"authz": 1, "order": 1},
	}
}

// answers waits until url is answered, and is false once the program that should answer
// has ended.
func (ca *CA) answers(url string, ended <-chan struct{}) bool {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		res, err := ca.client.Get(url)
		if err == nil {
			res.Body.Close()
		}
		if err == nil && res.StatusCode < http.StatusInternalServerError {
			return true
		}
		select {
		case <-ended:
			return false
		case <-deadline.C:
			return false
		case <-ticker.C:
		}
	}
}

func listensAt(address string) bool {
	c, err := net.DialTimeout("tcp", address, startTimeout)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// freePorts are addresses that were free a moment ago. Pebble cannot be given a listener
// and does not tell which port it got.
func freePorts(tb testing.TB, n int) (addresses []string) {
	tb.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer l.Close() // all at the end, so that they differ
		addresses = append(addresses, l.Addr().String())
	}
	return addresses
}

func asJSON(tb testing.TB, v any) io.Reader {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.NewReader(text)
}

// lockedBuffer keeps what a program says, which two goroutines of os/exec may write.
type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// outputLimitBytes is how much is shown of a program's output: its end.
const outputLimitBytes = 4 << 10

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.all.Bytes()
	if cut := len(all) - outputLimitBytes; cut > 0 {
		return fmt.Sprintf("[%d bytes before]\n%s", cut, all[cut:])
	}
	return string(all)
}
