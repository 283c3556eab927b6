package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A lineage is a server and its successors, which have one log.
type lineage struct {
	*server
	program string   // its own name of the binary
	pid     int      // of the process that serves
	ended   chan int // gets nothing; closed when the last of them has hung up
}

// found starts a server whose binary can be replaced. It does not wait until it listens.
// Files are passed as systemd does, and named by these variables.
func found(t testing.TB, files []*os.File, variables []string, args ...string) *lineage {
	t.Helper()
	dir := t.TempDir()
	l := &lineage{program: filepath.Join(dir, "holdfast"), ended: make(chan int)}
	if err := os.Link(binary(t), l.program); err != nil {
		l.install(t, readFile(t, binary(t)))
	}
	l.server = &server{t: t, state: filepath.Join(dir, "state"), log: new(transcript), access: new(transcript), gone: make(chan struct{})}
	// LISTEN_PID is only known to the process itself.
	script := `exec "$0" "$@"`
	if len(files) > 0 {
		script = "LISTEN_PID=$$ " + script
	}
	args = append([]string{"-c", script, l.program}, args...)
	l.cmd = exec.Command("/bin/sh", append(args, "--log", "json", "--state", l.state)...)
	l.cmd.Env = append(childEnvironment(t), variables...)
	l.cmd.ExtraFiles = files
	done := l.follow(t)
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.pid = l.cmd.Process.Pid
	done()
	go func() {
		defer close(l.gone)
		_ = l.cmd.Wait()
	}()
	t.Cleanup(l.extinguish)
	return l
}

// serving waits until it listens.
func (l *lineage) serving() *lineage {
	l.t.Helper()
	listening := l.await("listening")
	l.https, _ = listening["https"].(string)
	l.http, _ = listening["http"].(string)
	return l
}

// follow copies what they all say until the last has ended: to wait for a process waits for
// that one alone. The result closes our ends of the pipes.
func (l *lineage) follow(t testing.TB) (started func()) {
	t.Helper()
	var ends []io.Closer
	copied := make(chan struct{}, 2)
	for _, to := range []*transcript{l.access, l.log} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, w)
		if to == l.access {
			l.cmd.Stdout = w
		} else {
			l.cmd.Stderr = w
		}
		go func() {
			_, _ = io.Copy(to, r)
			_ = r.Close()
			copied <- struct{}{}
		}()
	}
	go func() {
		<-copied
		<-copied
		close(l.ended)
	}()
	return func() {
		for _, end := range ends {
			_ = end.Close()
		}
	}
}

// extinguish ends whoever of them is left.
func (l *lineage) extinguish() {
	for _, r := range l.log.records("upgrade: the successor starts") {
		_ = syscall.Kill(int(r["pid"].(float64)), syscall.SIGKILL) // most have ended
	}
	l.server.end()
	<-l.ended
	if strings.Contains(l.log.text(), "DATA RACE") {
		l.t.Errorf("a successor has a data race")
	}
}

// tell sends the process that serves a signal.
func (l *lineage) tell(sig syscall.Signal) {
	l.t.Helper()
	if err := syscall.Kill(l.pid, sig); err != nil {
		l.t.Fatal(err)
	}
}

// freeze stops the process that serves, until SIGCONT. The signal reaches one thread, and that
// one stops the others when it gets to run: until then, on a busy machine for many
// milliseconds, they go on accepting and answering.
func (l *lineage) freeze() {
	l.t.Helper()
	l.tell(syscall.SIGSTOP)
	eventually(l.t, "every thread of the process has stopped", func() bool { return isFrozen(l.pid) })
}

// isFrozen tells whether no thread of a process can run.
func isFrozen(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		_, state, _ := strings.Cut(string(stat), ") ") // behind the name, which has no parenthesis of its own
		if err != nil || !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return err == nil && len(threads) > 0
}

// upgraded asks for an upgrade, and waits until the successor serves.
func (l *lineage) upgraded() {
	l.t.Helper()
	n := len(l.log.records("handed over"))
	l.tell(syscall.SIGUSR2)
	l.succeeded(n)
}

// succeeded waits for the hand-over that comes after the first n. The successor listens before it
// is handed over to, but its log may say so later.
func (l *lineage) succeeded(n int) {
	l.t.Helper()
	eventually(l.t, "a hand-over", func() bool { return len(l.log.records("handed over")) > n })
	l.pid = int(l.log.records("handed over")[n]["successor"].(float64))
	eventually(l.t, "the successor listens", func() bool { return len(l.log.records("listening")) > n+1 })
}

// failures is how many upgrades went wrong.
func (l *lineage) failures() int { return len(l.log.records("upgrade failed, this process serves on")) }

// failed asks for an upgrade that must fail, and returns why it did.
func (l *lineage) failed() string {
	l.t.Helper()
	n := l.failures()
	l.tell(syscall.SIGUSR2)
	eventually(l.t, "a failed upgrade", func() bool { return l.failures() > n })
	return l.log.records("upgrade failed, this process serves on")[n]["error"].(string)
}

// finish stops the one that serves and waits until all have ended, each cleanly and with
// books that balance.
func (l *lineage) finish(lives int) {
	l.t.Helper()
	l.tell(syscall.SIGTERM)
	l.allEnd(lives)
}

// allEnd waits for what finish waits for.
func (l *lineage) allEnd(lives int) {
	l.t.Helper()
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.t.Fatal("they do not end")
	}
	stops := l.log.records("stopped")
	if len(stops) != lives {
		l.t.Errorf("%d ends are in the log, want %d", len(stops), lives)
	}
	for _, r := range stops {
		if r["exit"] != 0.0 {
			l.t.Errorf("one ended with %v", r)
		}
	}
}

// install puts another program in the binary's place.
func (l *lineage) install(t testing.TB, content string) {
	t.Helper()
	if err := os.WriteFile(l.program+".new", []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(l.program+".new", l.program); err != nil {
		t.Fatal(err)
	}
}

// restore puts the binary back.
func (l *lineage) restore(t testing.TB) {
	t.Helper()
	if err := os.Link(binary(t), l.program+".new"); err != nil {
		l.install(t, readFile(t, binary(t)))
		return
	}
	if err := os.Rename(l.program+".new", l.program); err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// answers tells whether a server answers there, in clear.
func answers(addr string) bool { return askOnce(addr) == nil }

// askOnce asks for the site over a connection of its own.
func askOnce(addr string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		return fmt.Errorf("answered with %q", line)
	}
	return err
}
