package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// passed is a listening socket as systemd would pass it.
func passed(t testing.TB) (*os.File, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file, l.Addr().String()
}

func TestSocketActivation(t *testing.T) {
	first, firstAddr := passed(t)
	second, secondAddr := passed(t)
	t.Run("names say which listener a socket is for", func(t *testing.T) {
		l := found(t, []*os.File{first, second}, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=http:https"}, serveArgs(quaySite(t))...).serving()
		if l.http != firstAddr || l.https != secondAddr {
			t.Errorf("https on %s and http on %s", l.https, l.http)
		}
		l.dial(t).get("/")
		l.finish(1)
	})
	t.Run("without names they are https and http", func(t *testing.T) {
		l := found(t, []*os.File{first, second}, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=holdfast.socket:holdfast.socket"}, serveArgs(quaySite(t))...).serving()
		if l.https != firstAddr || l.http != secondAddr {
			t.Errorf("https on %s and http on %s", l.https, l.http)
		}
		l.finish(1)
	})
	t.Run("one for http alone serves the site in clear, on and on through upgrades", func(t *testing.T) {
		l := found(t, []*os.File{first}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=http"}, serveArgs(quaySite(t))...).serving()
		for range 2 {
			l.upgraded()
			if l.https != "" || l.http != firstAddr || !answers(firstAddr) {
				t.Errorf("https on %q, http on %q", l.https, l.http)
			}
		}
		l.finish(3)
	})
	t.Run("a successor hears nothing of it in its environment", func(t *testing.T) {
		l := found(t, []*os.File{first}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=http", "WATCHDOG_PID=1"}, serveArgs(quaySite(t))...).serving()
		l.upgraded()
		environment := strings.Split(readFile(t, "/proc/"+strconv.Itoa(l.pid)+"/environ"), "\x00")
		if slices.ContainsFunc(environment, func(s string) bool { return strings.HasPrefix(s, "LISTEN_") || strings.HasPrefix(s, "WATCHDOG_PID") }) {
			t.Errorf("environment %q", environment)
		}
		l.finish(2)
	})
	t.Run("what does not fit is told, all of it", func(t *testing.T) {
		args := serveArgs(quaySite(t), "--https", "127.0.0.1:1", "--idle-timeout", "60")
		l := found(t, []*os.File{first, second}, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=https:telnet"}, args...)
		if code := l.exit(); code != exitUsage {
			t.Errorf("exit code %d", code)
		}
		for _, want := range []string{
			"idle-timeout", `https "127.0.0.1:1" is not where the inherited socket listens (--https): systemd passes one on ` + firstAddr,
			`systemd passes a socket called "telnet" on ` + secondAddr + ": no listener has this name",
		} {
			eventually(t, "the words "+want, func() bool { return strings.Contains(l.log.text(), want) })
		}
	})
	t.Run("what is meant for another process is left alone", func(t *testing.T) {
		l := found(t, nil, []string{"LISTEN_PID=1", "LISTEN_FDS=2"}, serveArgs(quaySite(t), onPlain...)...).serving()
		l.finish(1)
	})
}

func TestSocketActivationOfUnixSockets(t *testing.T) {
	path := socketPath(t, "s")
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	file, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l := found(t, []*os.File{file}, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=http"}, serveArgs(quaySite(t), "--http", "unix:"+path)...).serving()
	l.upgraded()
	p := dialUnix(t, path)
	p.get("/")
	p.response(200)
	_ = p.conn.Close()
	l.finish(2)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("systemd's socket was removed: %v", err)
	}
}

// A listeningSupervisor hears its server's messages. It takes each at once, as systemd does:
// the kernel keeps ten.
type listeningSupervisor struct {
	t     testing.TB
	heard chan string
}

func supervise(t testing.TB, name string) *listeningSupervisor {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s := &listeningSupervisor{t, make(chan string, 10_000)}
	var hearing sync.WaitGroup
	hearing.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				return
			}
			s.heard <- strings.TrimSuffix(string(buf[:n]), "\n")
		}
	})
	t.Cleanup(func() {
		_ = socket.Close()
		hearing.Wait()
	})
	return s
}

// hears waits for a message with this line, and returns what came before it, too.
func (s *listeningSupervisor) hears(line string) (message map[string]string, before []string) {
	s.t.Helper()
	late := time.After(patience)
	for {
		var text string
		select {
		case text = <-s.heard:
		case <-late:
			s.t.Fatalf("no message %s, but %q", line, before)
		}
		message = make(map[string]string)
		for l := range strings.SplitSeq(text, "\n") {
			key, value, _ := strings.Cut(l, "=")
			message[key] = value
		}
		if slices.Contains(strings.Split(text, "\n"), line) {
			return message, before
		}
		before = append(before, text)
	}
}

func TestNotify(t *testing.T) {
	for name, socket := range map[string]string{"a path": socketPath(t, "n"), "an abstract name": "@holdfast-test-" + strconv.Itoa(os.Getpid())} {
		t.Run("over "+name, func(t *testing.T) {
			s := supervise(t, socket)
			args := serveArgs(quaySite(t), onPlain...)
			l := found(t, nil, []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=100000"}, args...).serving()
			ready, _ := s.hears("READY=1")
			if ready["MAINPID"] != strconv.Itoa(l.pid) || !strings.Contains(ready["STATUS"], l.http) {
				t.Errorf("ready: %q", ready)
			}
			s.hears("WATCHDOG=1")

			l.tell(syscall.SIGHUP)
			reloading, _ := s.hears("RELOADING=1")
			if n, err := strconv.ParseInt(reloading["MONOTONIC_USEC"], 10, 64); err != nil || n <= 0 {
				t.Errorf("reloading: %q", reloading)
			}
			s.hears("READY=1")

			l.upgraded()
			ready, before := s.hears("READY=1")
			if ready["MAINPID"] != strconv.Itoa(l.pid) || slices.ContainsFunc(before, func(m string) bool { return strings.Contains(m, "STOPPING") }) {
				t.Errorf("ready: %q, before it %q", ready, before)
			}
			s.hears("WATCHDOG=1")
			eventually(t, "the old one ends", func() bool { return len(l.log.records("stopped")) == 1 })
			l.finish(2)
			_, before = s.hears("STOPPING=1")
			if slices.ContainsFunc(before, func(m string) bool { return m != "WATCHDOG=1" }) {
				t.Errorf("before the end it says %q", before)
			}
		})
	}
	t.Run("a supervisor that does not listen keeps nobody from serving", func(t *testing.T) {
		nobody := filepath.Join(t.TempDir(), "nobody")
		l := found(t, nil, []string{"NOTIFY_SOCKET=" + nobody}, serveArgs(quaySite(t), onPlain...)...).serving()
		l.await("the supervisor cannot be told")
		if !answers(l.http) {
			t.Error("it does not serve")
		}
		l.finish(1)
	})
}
