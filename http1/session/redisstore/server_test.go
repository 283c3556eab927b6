package redisstore

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a real Redis on a port of loopback.
type redisServer struct {
	addr   string
	dir    string
	args   []string
	cmd    *exec.Cmd
	output *bytes.Buffer
	ended  chan struct{}
}

// startRedis starts a server and waits until it answers. Without the program the test
// skips, unless HOLDFAST_CI=1 promises that it is there.
func startRedis(t testing.TB, args ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const message = "this test drives redis-server, which is not installed: apt-get install redis-server"
		if os.Getenv("HOLDFAST_CI") == "1" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	r := &redisServer{dir: t.TempDir(), args: args}
	t.Cleanup(func() { r.kill(t) })
	for range 5 { // somebody else may take the port between our look and Redis's
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r.addr = l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if r.start(t) {
			return r
		}
	}
	t.Fatalf("redis-server does not start:\n%s", r.output)
	return nil
}

// start begins the process and tells whether it answers.
func (r *redisServer) start(t testing.TB) bool {
	t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.output, r.ended = new(bytes.Buffer), make(chan struct{})
	portFlag := "--port"
	for _, arg := range r.args {
		if strings.HasPrefix(arg, "--tls-cert-file") {
			portFlag = "--tls-port"
		}
	}
	args := []string{portFlag, port, "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "no", "--dbfilename", "dump.rdb"}
	if portFlag == "--tls-port" {
		args = append(args, "--port", "0")
	}
	r.cmd = exec.Command("redis-server", append(args, r.args...)...)
	r.cmd.Stdout, r.cmd.Stderr = r.output, r.output
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // killed
		close(ended)
	}(r.cmd, r.ended)
	return r.answers(t)
}

// answers waits until the port takes connections, or the process is gone.
func (r *redisServer) answers(t testing.TB) bool {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", r.addr)
		if err == nil {
			_ = c.Close() // it was a question
			return true
		}
		select {
		case <-r.ended:
			return false
		case <-ctx.Done():
			return false
		case <-pause.C:
		}
	}
}

// kill ends the process as a crash does.
func (r *redisServer) kill(t testing.TB) {
	t.Helper()
	if r.cmd == nil || r.cmd.Process == nil {
		return
	}
	if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-r.ended
}

func (r *redisServer) url() string { return "redis://" + r.addr }

// ask sends a command beside the store.
func (r *redisServer) ask(t testing.TB, command ...any) any {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: r.addr, DisableIdentity: true, Protocol: 2})
	defer func() { _ = c.Close() }() // it has answered
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	answer, err := c.Do(ctx, command...).Result()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return answer
}

// open opens a store that must open, and closes it.
func open(t testing.TB, address string) *Store {
	t.Helper()
	s, err := Open(address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
