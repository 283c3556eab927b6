package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStopBehindAnUpgrade(t *testing.T) {
	// A supervisor that is told which process is the main one kills what is left when that has
	// ended: KillMode=mixed of systemd.
	t.Run("the successor ends no earlier than its predecessor, whose download goes on", func(t *testing.T) {
		l := found(t, nil, nil, serveArgs(site(t, map[string]string{"rope": bulk(downloadBytes)}), "--https", "127.0.0.1:0")...).serving()
		held := l.hold(t)
		l.upgraded()
		l.tell(syscall.SIGTERM)
		eventually(t, "the successor has drained", func() bool { return len(l.log.records("waiting for the predecessor, which still drains")) == 1 })
		if n := len(l.log.records("stopped")); n != 0 {
			t.Errorf("%d have ended", n)
		}
		held.finish()
		l.allEnd(2)
	})
	t.Run("the end of a process is seen, reaped or not", func(t *testing.T) {
		process := exec.Command("/bin/sh", "-c", "read line")
		stdin, err := process.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		i := &inheritance{predecessor: processDescriptor(process.Process.Pid)}
		i.ours.Store(true)
		if i.predecessor == nil {
			t.Fatal("no descriptor of a process: it takes Linux 5.10")
		}
		defer i.predecessor.Close()
		log := new(transcript)
		seen := make(chan struct{})
		go func() {
			defer close(seen)
			i.outlive(t.Context(), slog.New(slog.NewTextHandler(log, nil)))
		}()
		eventually(t, "it waits", func() bool { return strings.Contains(log.text(), "waiting for the predecessor") })
		_ = stdin.Close()
		<-seen
		if strings.Contains(log.text(), "left alone") {
			t.Error(log.text())
		}
		_ = process.Wait() // 1: nothing was read
	})
	t.Run("who does not end is left alone in the end", func(t *testing.T) {
		i := &inheritance{predecessor: processDescriptor(os.Getppid())}
		i.ours.Store(true)
		defer i.predecessor.Close()
		log := new(transcript)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		i.outlive(ctx, slog.New(slog.NewTextHandler(log, nil)))
		if !strings.Contains(log.text(), "left alone") {
			t.Error(log.text())
		}
	})
	t.Run("one that has not handed over is not waited for", func(t *testing.T) {
		i := &inheritance{predecessor: processDescriptor(os.Getppid())}
		defer i.predecessor.Close()
		log := new(transcript)
		i.outlive(t.Context(), slog.New(slog.NewTextHandler(log, nil)))
		if log.text() != "" {
			t.Error(log.text())
		}
	})
}
