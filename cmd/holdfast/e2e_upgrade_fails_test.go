package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestUpgradeThatFails(t *testing.T) {
	config := writeFile(t, "holdfast.toml", `idle-timeout = "30s"`)
	pidFile := filepath.Join(t.TempDir(), "pid")
	args := serveArgs(quaySite(t), append(onPlain, "--config", config, "--pid-file", pidFile)...)
	l := found(t, nil, nil, args...).serving()
	first := l.pid
	unharmed := func(t *testing.T) {
		t.Helper()
		if !answers(l.http) || readFile(t, pidFile) != strconv.Itoa(first)+"\n" {
			t.Error("the first process does not serve as before")
		}
	}
	t.Run("over a faulty configuration, in the words of the successor", func(t *testing.T) {
		replace(t, config, `idle-timeout = "30"`+"\n"+`log-level = "loud"`)
		why := l.failed()
		if !strings.Contains(why, `idle-timeout "30" is no duration`) || !strings.Contains(why, "log-level") {
			t.Errorf("it says %q", why)
		}
		unharmed(t)
	})
	t.Run("over an address that is taken", func(t *testing.T) {
		replace(t, config, "")
		taken := launch(t, quaySite(t), onPlain...)
		replace(t, config, `https = "`+taken.http+`"`)
		// The command line goes before the file, and has https off: so it is taken out.
		l.install(t, "#!/bin/sh\nexec "+binary(t)+" serve / --https "+taken.http+" --http off --log json --state "+l.state+"\n")
		if why := l.failed(); !strings.Contains(why, "the port is in use") {
			t.Errorf("it says %q", why)
		}
		unharmed(t)
	})
	t.Run("over a program that ends", func(t *testing.T) {
		l.install(t, "#!/bin/sh\nexit 7\n")
		if why := l.failed(); !strings.Contains(why, "ended before it was ready (exit status 7)") {
			t.Errorf("it says %q", why)
		}
		unharmed(t)
	})
	t.Run("over one that is none", func(t *testing.T) {
		l.install(t, "\x7fELF and nothing more")
		if why := l.failed(); !strings.Contains(why, "cannot be started") {
			t.Errorf("it says %q", why)
		}
		if err := os.Remove(l.program); err != nil {
			t.Fatal(err)
		}
		if why := l.failed(); !strings.Contains(why, "cannot be started") {
			t.Errorf("without the file it says %q", why)
		}
		unharmed(t)
	})
	t.Run("and with the binary back, and the settings, it succeeds", func(t *testing.T) {
		replace(t, config, "")
		l.restore(t)
		l.upgraded()
		eventually(t, "the pid file follows", func() bool { return readFile(t, pidFile) == strconv.Itoa(l.pid)+"\n" })
		if l.pid == first || !answers(l.http) {
			t.Error("the successor does not serve")
		}
	})
	l.finish(2)
	wantGone(t, pidFile)
}

// A time that is short enough to wait for is too short for a successor on a busy machine, so no
// other test has it.
func TestUpgradeToOneThatIsNeverReady(t *testing.T) {
	l := found(t, nil, nil, serveArgs(quaySite(t), append(onPlain, "--upgrade-timeout", "3s")...)...).serving()
	l.install(t, "#!/bin/sh\necho $$ > "+l.program+".new\nmv "+l.program+".new "+l.program+".pid\nexec sleep 1000\n")
	if why := l.failed(); !strings.Contains(why, "not ready within 3s") {
		t.Errorf("it says %q", why)
	}
	wantNoProcess(t, l.program+".pid")
	if !answers(l.http) {
		t.Error("nobody serves")
	}
	l.finish(1)
}

// wantNoProcess waits until the process whose number a file has is gone.
func wantNoProcess(t testing.TB, path string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(readFile(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "its process is gone", func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH })
}

func TestSignalDuringAnUpgrade(t *testing.T) {
	l := found(t, nil, nil, serveArgs(quaySite(t), onPlain...)...).serving()
	l.install(t, "#!/bin/sh\necho $$ > "+l.program+".tmp; mv "+l.program+".tmp "+l.program+".pid\nexec sleep 1000\n")
	l.tell(syscall.SIGUSR2)
	eventually(t, "the successor has started", func() bool { _, err := os.Stat(l.program + ".pid"); return err == nil })
	l.tell(syscall.SIGUSR2)
	eventually(t, "a second upgrade is refused", func() bool { return len(l.log.records("upgrade refused")) == 1 })
	l.finish(1)
	wantNoProcess(t, l.program+".pid")
}

func TestUpgradeOfUnixSockets(t *testing.T) {
	path := socketPath(t, "s")
	l := found(t, nil, nil, serveArgs(quaySite(t), "--https", "off", "--http", "unix:"+path)...).serving()
	ask := func() {
		t.Helper()
		p := dialUnix(t, path)
		p.get("/")
		p.response(200)
		_ = p.conn.Close()
	}
	ask()
	for range 2 {
		l.upgraded()
		ask()
		n := len(l.log.records("handed over"))
		eventually(t, "the old one ends", func() bool { return len(l.log.records("stopped")) == n })
		ask()
	}
	l.finish(3)
	wantGone(t, path, path+".lock")
}

func TestUpgradeChangesAddresses(t *testing.T) {
	config := writeFile(t, "holdfast.toml", `http = "127.0.0.1:0"`+"\nhttps = \"off\"\n")
	l := found(t, nil, nil, serveArgs(quaySite(t), "--config", config)...).serving()
	before := l.http
	replace(t, config, `http = "localhost:0"`+"\nhttps = \"off\"\n")
	l.upgraded()
	after, _ := l.log.records("listening")[1]["http"].(string)
	if after == before || !answers(after) {
		t.Errorf("it listens on %s, as before on %s", after, before)
	}
	eventually(t, "nobody listens on the old address", func() bool { return isRefused(before) })
	l.finish(2)
}
