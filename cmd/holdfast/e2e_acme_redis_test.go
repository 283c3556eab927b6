package main

import (
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redis is a real one on the loopback, which ends with the test.
type redis struct {
	addr string
	cmd  *exec.Cmd
	gone chan struct{}
}

// startRedis starts one and waits until it answers.
func startRedis(t testing.TB) *redis {
	t.Helper()
	path := program(t, "redis-server", "redis-server")
	for range 5 { // somebody else may take the port between our look and Redis's
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r := &redis{addr: l.Addr().String(), gone: make(chan struct{})}
		_ = l.Close()
		_, port, _ := net.SplitHostPort(r.addr)
		said := new(transcript)
		r.cmd = exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no")
		r.cmd.Stdout, r.cmd.Stderr = said, said
		if err := r.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			defer close(r.gone)
			_ = r.cmd.Wait() // killed
		}()
		t.Cleanup(func() { r.end(t) })
		if r.answers(t) {
			return r
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

func (r *redis) answers(t testing.TB) (there bool) {
	t.Helper()
	eventually(t, "redis-server", func() bool {
		select {
		case <-r.gone:
			return true
		default:
		}
		c, err := net.DialTimeout("tcp", r.addr, time.Second)
		if there = err == nil; there {
			_ = c.Close()
		}
		return there
	})
	return there
}

// end kills it, stopped or not.
func (r *redis) end(t testing.TB) {
	t.Helper()
	if err := r.cmd.Process.Kill(); err != nil && !strings.Contains(err.Error(), "already finished") {
		t.Error(err)
	}
	<-r.gone
}

func (r *redis) url() string { return "redis://" + r.addr }

// hang stops the process, which keeps its connections and answers nothing; wake undoes it.
func (r *redis) hang(t testing.TB) { r.signal(t, syscall.SIGSTOP) }
func (r *redis) wake(t testing.TB) { r.signal(t, syscall.SIGCONT) }

func (r *redis) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
