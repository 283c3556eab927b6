package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// successorOn is the script of a successor that takes a server's address, and then does this.
func successorOn(addr, then string) string {
	return fmt.Sprintf("#!/bin/sh\nprintf '\\006{\"takes\":[\"http %s\"]}\\n' >&3\nread begin <&4\n%s\n", addr, then)
}

func TestSuccessorThatNeverServes(t *testing.T) {
	socket, pidFile := socketPath(t, "n"), filepath.Join(t.TempDir(), "pid")
	s := supervise(t, socket)
	address := freeAddress(t)
	args := serveArgs(quaySite(t), "--https", "off", "--http", address, "--admin", "127.0.0.1:0", "--pid-file", pidFile)
	l := found(t, nil, []string{"NOTIFY_SOCKET=" + socket}, args...).serving()
	l.awaitSocket()
	s.hears("READY=1")
	admin := adminOf(l.server)
	for name, then := range map[string]string{
		"it dies at once": "exit 1",
		"it dies with the number of its process in the pid file": "echo $$ >" + pidFile + "; exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			l.install(t, successorOn(address, then))
			r := l.ask("upgrade")
			if r.exit != 1 || r.out != "" || !strings.Contains(r.stderr, "ended before it served (exit status 1)") {
				t.Errorf("exit %d, %q, %q", r.exit, r.out, r.stderr)
			}
			if !answers(address) || l.status().PID != l.pid || readFile(t, pidFile) != strconv.Itoa(l.pid)+"\n" {
				t.Error("the first process does not serve as before")
			}
			if ready, _ := s.hears("READY=1"); ready["MAINPID"] != strconv.Itoa(l.pid) {
				t.Errorf("the supervisor hears %q", ready)
			}
			if status, _, err := page(admin, "/readyz"); err != nil || status != 200 {
				t.Errorf("it is not ready: %d, %v", status, err)
			}
		})
	}
	t.Run("and one that does serve is handed over to", func(t *testing.T) {
		l.restore(t)
		l.upgraded()
		if ready, _ := s.hears("READY=1"); ready["MAINPID"] != strconv.Itoa(l.pid) {
			t.Errorf("the supervisor hears %q", ready)
		}
	})
	l.finish(2)
}

// freeAddress is one that nobody listened on a moment ago.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A supervisor that does not know the successor takes the end of the old process for that of
// the service, and kills them all.
func TestSupervisorThatDoesNotHear(t *testing.T) {
	t.Parallel()
	path := socketPath(t, "n")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	l := found(t, nil, []string{"NOTIFY_SOCKET=" + path}, serveArgs(quaySite(t), append(onPlain, "--drain-delay", "0s")...)...).serving()
	if said := readDatagram(t, socket); !strings.Contains(said, "MAINPID="+strconv.Itoa(l.pid)) {
		t.Fatalf("it says %q", said)
	}
	stuff(t, path)
	if why := l.failed(); !strings.Contains(why, "the supervisor was not told who serves") {
		t.Errorf("it says %q", why)
	}
	if !answers(l.http) {
		t.Error("nobody serves")
	}
	eventually(t, "the successor ends", func() bool { return len(l.log.records("stopped")) == 1 })
	hearing := make(chan struct{})
	go func() {
		defer close(hearing)
		for buf := make([]byte, 4096); ; {
			if _, err := socket.Read(buf); err != nil {
				return
			}
		}
	}()
	l.tell(syscall.SIGUSR2)
	eventually(t, "a hand-over", func() bool { return len(l.log.records("handed over")) == 1 })
	l.pid = int(l.log.records("handed over")[0]["successor"].(float64))
	l.tell(syscall.SIGTERM)
	<-l.ended
	_ = socket.Close()
	<-hearing
}

func readDatagram(t testing.TB, socket *net.UnixConn) string {
	t.Helper()
	_ = socket.SetReadDeadline(time.Now().Add(patience))
	defer socket.SetReadDeadline(time.Time{})
	buf := make([]byte, 4096)
	n, err := socket.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// stuff fills the queue of a socket that nobody reads.
func stuff(t testing.TB, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	for err == nil {
		err = syscall.Sendto(fd, []byte("STATUS=stuffed\n"), 0, &syscall.SockaddrUnix{Name: path})
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
}

// TestSignalDuringAnUpgradeThatIsIgnored has a successor that does not hear, and has begun
// nothing: it must not outlive a stop with the listening sockets open.
func TestSignalDuringAnUpgradeThatIsIgnored(t *testing.T) {
	l := found(t, nil, nil, serveArgs(quaySite(t), onPlain...)...).serving()
	l.install(t, "#!/bin/sh\ntrap '' TERM\necho $$ > "+l.program+".tmp; mv "+l.program+".tmp "+l.program+".pid\nexec sleep 1000\n")
	l.tell(syscall.SIGUSR2)
	eventually(t, "the successor has started", func() bool { _, err := os.Stat(l.program + ".pid"); return err == nil })
	l.finish(1)
	wantNoProcess(t, l.program+".pid")
	if answers(l.http) || !isRefused(l.http) {
		t.Error("somebody listens")
	}
}
