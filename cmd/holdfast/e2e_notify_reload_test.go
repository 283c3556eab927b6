package main

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hearsReload waits for a reload's beginning, with the time that systemd goes by, and its end.
func (s *listeningSupervisor) hearsReload(how string) {
	s.t.Helper()
	reloading, _ := s.hears("RELOADING=1")
	if n, err := strconv.ParseInt(reloading["MONOTONIC_USEC"], 10, 64); err != nil || n <= 0 {
		s.t.Errorf("by %s: reloading %q", how, reloading)
	}
	if _, before := s.hears("READY=1"); len(before) > 0 {
		s.t.Errorf("by %s: between beginning and end %q", how, before)
	}
}

func TestReloadIsTold(t *testing.T) {
	cert, key := newAuthority(t).pairPEM(1, time.Hour)
	certFile, keyFile := writeFile(t, "c.pem", cert), writeFile(t, "k.pem", key)
	for name, args := range map[string][]string{
		"with certificate files":                 {"--https", "127.0.0.1:0", "--cert", certFile, "--key", keyFile},
		"with the local CA, which reads none":    {"--https", "127.0.0.1:0"},
		"without certificates":                   onPlain,
		"with certificate files that are broken": {"--https", "127.0.0.1:0", "--cert", writeFile(t, "d.pem", cert), "--key", writeFile(t, "e.pem", key)},
	} {
		t.Run(name, func(t *testing.T) {
			socket := socketPath(t, "n")
			s := supervise(t, socket)
			l := found(t, nil, []string{"NOTIFY_SOCKET=" + socket}, serveArgs(quaySite(t), args...)...).serving()
			s.hears("READY=1")
			l.awaitSocket()
			broken := strings.HasSuffix(name, "broken")
			if broken {
				if err := os.WriteFile(args[3], []byte("no certificate"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				l.tell(syscall.SIGHUP)
				s.hearsReload("signal")
				if r := l.ask("reload"); (r.exit == exitOK) == broken {
					t.Errorf("the command exits with %d: %s", r.exit, r.stderr)
				}
				s.hearsReload("command")
			}
			l.finish(1)
		})
	}
	t.Run("on a disk that hangs the end is told in time, and once", func(t *testing.T) {
		socket := socketPath(t, "n")
		s := supervise(t, socket)
		h := &house{log: slog.New(slog.DiscardHandler), supervisor: newSupervisor(environment{vars: map[string]string{"NOTIFY_SOCKET": socket}})}
		h.supervisor.log = h.log
		end := h.endReload(time.Nanosecond)
		s.hears("READY=1")
		end()
		h.endReload(time.Hour)()
		s.hears("READY=1")
		h.supervisor.tell("STATUS=the last")
		if _, before := s.hears("STATUS=the last"); len(before) > 0 {
			t.Errorf("told once more: %q", before)
		}
	})
}
