package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// A log that nobody reads, on a pipe that is full or a terminal that is held, must keep
// the server neither from answering nor from stopping.
func TestStuckLog(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(binary(t), "serve", site(t, map[string]string{"index.html": "hello"}), "--log", "json",
		"--https", "off", "--http", "127.0.0.1:0", "--state", filepath.Join(t.TempDir(), "state"))
	cmd.Env, cmd.Stderr, cmd.Stdout = childEnvironment(t), w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var listening struct{ HTTP string }
	line, err := bufio.NewReaderSize(r, 4096).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &listening)
	}
	if err != nil {
		t.Fatalf("no record of listening: %v in %q", err, line)
	}
	// The other end stays open, as that of a stuck reader does, until the test is over.
	go func() { _, _ = w.Write(make([]byte, 4<<20)) }()
	eventually(t, "the pipe to be full", func() bool { return waiting(t, r) >= 60<<10 })

	p := dialTCP(t, listening.HTTP, 0)
	for range 3 {
		p.get("/")
		p.response(200)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-exited:
		if err != nil {
			t.Errorf("exit %v, want 0", err)
		}
	case <-time.After(patience):
		t.Error("the server does not stop")
	}
}

// waiting is how many bytes wait in a pipe.
func waiting(t *testing.T, r *os.File) (n int32) {
	t.Helper()
	const fionread = 0x541B
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, r.Fd(), fionread, uintptr(unsafe.Pointer(&n))); errno != 0 {
		t.Fatal(errno)
	}
	return n
}

// A start that waits for another process's lock hears a signal.
func TestSignalWhileOpening(t *testing.T) {
	state := t.TempDir()
	lock, err := os.OpenFile(filepath.Join(state, ".ca.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(state, 0o700); err != nil {
		t.Fatal(err)
	}
	s := spawn(t, t.TempDir(), "--state", state, "--http", "127.0.0.1:0")
	eventually(t, "the process to have registered for signals and bound its ports", func() bool {
		entries, err := os.ReadDir("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/fd")
		return err == nil && sockets(t, s.cmd.Process.Pid, entries) == 2
	})
	s.stop()
}

// sockets counts a process's descriptors that are sockets.
func sockets(t *testing.T, pid int, entries []os.DirEntry) (n int) {
	t.Helper()
	for _, e := range entries {
		if to, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + e.Name()); err == nil && len(to) > 7 && to[:7] == "socket:" {
			n++
		}
	}
	return n
}
