package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The image's binary is static: there is no C library in a scratch image, and so no race
// detector either.
var (
	staticOnce sync.Once
	staticErr  error
)

func staticBinary(t testing.TB) string {
	t.Helper()
	path := binary(t) + "-static"
	staticOnce.Do(func() {
		build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", path, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			staticErr = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if staticErr != nil {
		t.Fatal(staticErr)
	}
	return path
}

// unableTo skips a test that this machine does not permit, unless HOLDFAST_CI=1 promises
// that it does.
func unableTo(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("HOLDFAST_CI") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// A podProcess is a server in namespaces of its own, as its pod's first process.
type podProcess struct {
	*server
	network *os.File // its network namespace
}

// startPod runs a recipe, in which the binary is added, and does not wait for it.
func startPod(t testing.TB, recipe podRecipe) *podProcess {
	t.Helper()
	if os.Geteuid() != 0 {
		unableTo(t, "this test makes namespaces and has to be root for it: sudo go test -run TestPod ./cmd/holdfast")
	}
	network := recipe.network
	recipe.Root, recipe.Joins = t.TempDir(), network != nil
	recipe.Volumes = append(recipe.Volumes, podVolume{From: staticBinary(t), To: "/holdfast"})
	text, err := json.Marshal(recipe)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, log: new(transcript), access: new(transcript), gone: make(chan struct{})}
	s.cmd = exec.Command(self)
	s.cmd.Env = []string{podVariable + "=" + string(text)}
	s.cmd.Stdout, s.cmd.Stderr = s.access, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	if network != nil {
		s.cmd.SysProcAttr.Cloneflags &^= syscall.CLONE_NEWNET
		s.cmd.ExtraFiles = []*os.File{network}
	}
	if err := s.cmd.Start(); errors.Is(err, syscall.EPERM) {
		unableTo(t, "this machine lets not even root make namespaces")
	} else if err != nil {
		t.Fatal(err)
	}
	if network == nil {
		network, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", s.cmd.Process.Pid))
		t.Cleanup(func() { _ = network.Close() })
	}
	go func() {
		defer close(s.gone)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.end)
	if err != nil {
		t.Fatal(err)
	}
	return &podProcess{server: s, network: network}
}

// newNetwork makes a network namespace that has a loopback interface and lives until the
// test ends: that of a pod, which its containers come and go in.
func newNetwork(t testing.TB) *os.File {
	t.Helper()
	type result struct {
		network *os.File
		err     error
	}
	made := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, as in dialIn
		if err := errors.Join(unix.Unshare(unix.CLONE_NEWNET), raiseLoopback()); err != nil {
			made <- result{nil, err}
			return
		}
		network, err := os.Open("/proc/thread-self/ns/net")
		made <- result{network, err}
	}()
	r := <-made
	if r.err != nil {
		unableTo(t, "this test makes network namespaces, which this machine does not permit: "+r.err.Error())
	}
	t.Cleanup(func() { _ = r.network.Close() })
	return r.network
}

// launchPod starts a pod and waits until it listens.
func launchPod(t testing.TB, recipe podRecipe) *podProcess {
	t.Helper()
	p := startPod(t, recipe)
	p.await("listening")
	return p
}

// dialIn connects from inside the pod's network. windowBytes is as for dialTCP.
func (p *podProcess) dialIn(ctx context.Context, addr string, windowBytes int) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	dialed := make(chan result, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, so that nobody else finds
		// itself in the pod's network. A socket stays in the one that it was made in.
		runtime.LockOSThread()
		if err := unix.Setns(int(p.network.Fd()), unix.CLONE_NEWNET); err != nil {
			dialed <- result{nil, err}
			return
		}
		dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
			if windowBytes == 0 {
				return nil
			}
			return errors.Join(raw.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, windowBytes)
			}), err)
		}}
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		dialed <- result{conn, err}
	}()
	r := <-dialed
	return r.conn, r.err
}

// peer connects to a port of the pod.
func (p *podProcess) peer(t testing.TB, port string, windowBytes int) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := p.dialIn(ctx, "127.0.0.1:"+port, windowBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newPeer(t, conn)
}

// client is an HTTP client in the pod's network.
func (p *podProcess) client(t testing.TB, config *tls.Config) *http.Client {
	c := client(t, config)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
		return p.dialIn(ctx, strings.Replace(addr, "localhost", "127.0.0.1", 1), 0)
	}
	return c
}

// status is a line of the process's status, as the kernel tells it.
func (p *podProcess) status(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	p.t.Fatalf("no %s in the status of the process", name)
	return ""
}

// memoryCgroup makes a cgroup below our own that limits memory, "" where the machine does
// not let us.
func memoryCgroup(t testing.TB, limitBytes int) string {
	t.Helper()
	content, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		base, limit := "/sys/fs/cgroup", "memory.max"
		switch {
		case len(parts) < 3, parts[1] != "" && parts[1] != "memory":
			continue
		case parts[1] == "memory":
			base, limit = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		dir, err := os.MkdirTemp(filepath.Join(base, parts[2]), "holdfast-test-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { // busy for a moment after the last process
			eventually(t, "the cgroup is removed", func() bool { return os.Remove(dir) == nil })
		})
		if os.WriteFile(filepath.Join(dir, limit), fmt.Append(nil, limitBytes), 0) == nil {
			return dir
		}
	}
	return ""
}
