package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestUpgradeCommand(t *testing.T) {
	l := found(t, nil, nil, serveArgs(quaySite(t), "--https", "off", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0")...).serving()
	l.awaitSocket()
	admin := adminOf(l.server)

	t.Run("it says who serves now, and who does is who answers commands", func(t *testing.T) {
		ready := watchReady(admin)
		for range 2 {
			old := l.pid
			r := l.ask("upgrade")
			var pid, drains int
			if n, err := fmt.Sscanf(r.out, "pid %d serves now, pid %d drains\n", &pid, &drains); n != 2 || err != nil || r.exit != 0 || drains != old || pid == old {
				t.Fatalf("exit %d, %q, %q", r.exit, r.out, r.stderr)
			}
			l.pid = pid
			eventually(t, "the successor takes the control socket", func() bool { return l.ask("status").exit == 0 && l.status().PID == pid })
			if !answers(l.http) {
				t.Error("nobody serves")
			}
		}
		// One that the old process had accepted may have been told of its stop.
		if bad := ready(); len(bad) > 2 {
			t.Errorf("the admin address was not ready at any time:\n%s", listed(bad))
		}
		if warned := l.log.records("no control socket while another server has this state directory"); len(warned) > 0 {
			t.Errorf("%v", warned)
		}
	})
	t.Run("it says why there is no upgrade, and exits with 1", func(t *testing.T) {
		l.install(t, "#!/bin/sh\nexec "+binary(t)+" serve /nowhere --log json --https off --http "+l.http+"\n")
		r := l.ask("upgrade")
		if r.exit != 1 || r.out != "" || !strings.Contains(r.stderr, fmt.Sprintf("no upgrade, and pid %d serves as before", l.pid)) ||
			!strings.Contains(r.stderr, "cannot serve the directory") {
			t.Errorf("exit %d, %q, %q", r.exit, r.out, r.stderr)
		}
		if l.status().PID != l.pid {
			t.Error("somebody else answers")
		}
	})
	l.finish(3)
}

// watchReady asks an admin listener whether it is ready, again and again. The result ends
// that and returns the answers that were no.
func watchReady(addr string) (end func() []string) {
	var bad []string
	var watch sync.WaitGroup
	stop := make(chan struct{})
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if status, content, err := page(addr, "/readyz"); err != nil || status != 200 {
				bad = append(bad, fmt.Sprintf("%d, %s, %v", status, content, err))
			}
		}
	})
	return func() []string {
		close(stop)
		watch.Wait()
		return bad
	}
}

// A second upgrade is one of the successor: the process that drains has nothing to hand over.
func TestUpgradeOfAProcessThatDrains(t *testing.T) {
	l := found(t, nil, nil, serveArgs(site(t, map[string]string{"rope": bulk(downloadBytes)}), "--https", "127.0.0.1:0")...).serving()
	old := l.pid
	held := l.hold(t)
	l.upgraded()
	if err := syscall.Kill(old, syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	held.finish()
	eventually(t, "the old one ends", func() bool { return len(l.log.records("stopped")) == 1 })
	if n := len(l.log.records("upgrade: the successor starts")); n != 1 {
		t.Errorf("%d successors were started", n)
	}
	l.finish(2)
}

func TestUpgradeUnderProbes(t *testing.T) {
	t.Run("a kept-alive probe hears nothing of the stop, and comes anew", func(t *testing.T) {
		l := found(t, nil, nil, serveArgs(quaySite(t), append(onPlain, "--admin", "127.0.0.1:0")...)...).serving()
		probe := dialTCP(t, adminOf(l.server), 0)
		probe.get("/readyz")
		probe.response(200)
		l.upgraded()
		_, _ = io.WriteString(probe.conn, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n") // to nobody
		if said, _ := io.ReadAll(probe.conn); len(said) > 0 {
			t.Errorf("it hears %q", said)
		}
		if status, _, err := page(adminOf(l.server), "/readyz"); err != nil || status != 200 {
			t.Errorf("%d, %v", status, err)
		}
		l.finish(2)
	})
	t.Run("an admin listener's unix socket stays where it is", func(t *testing.T) {
		path := socketPath(t, "a")
		l := found(t, nil, nil, serveArgs(quaySite(t), append(onPlain, "--admin", "unix:"+path)...)...).serving()
		for range 2 {
			l.upgraded()
			if status, _, err := page("unix:"+path, "/readyz"); err != nil || status != 200 {
				t.Errorf("%d, %v", status, err)
			}
		}
		l.finish(3)
		wantGone(t, path, path+".lock")
	})
}
