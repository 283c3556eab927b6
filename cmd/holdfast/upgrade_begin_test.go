package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// isReady is the begin of a successor's script that is let begin.
const isReady = "printf '\\006{}\\n' >&3; read begin <&4; "

// A begunSuccession counts what it does to its own process.
type begunSuccession struct {
	*succession
	left, reclaimed atomic.Int64
}

// begunSuccessionOf is one whose successor, a script, is ready at once. Its actor runs.
func begunSuccessionOf(t *testing.T, script string) *begunSuccession {
	t.Helper()
	return begunSuccessionWith(t, "", script)
}

// begunSuccessionWith prepares the script before the successor is ready.
func begunSuccessionWith(t *testing.T, prelude, script string) *begunSuccession {
	t.Helper()
	b := &begunSuccession{succession: successionOf(t, prelude+isReady+script, 2)}
	b.leave = func(context.Context) { b.left.Add(1) }
	b.reclaim = func(context.Context) { b.reclaimed.Add(1) }
	return b
}

// wantServing fails the test if the process does not serve as before.
func (b *begunSuccession) wantServing(t *testing.T) {
	t.Helper()
	if b.stop.Successor() != 0 || b.left.Load() != 0 || b.reclaimed.Load() != 1 {
		t.Errorf("handed over to %d, names left %d times, reclaimed %d times", b.stop.Successor(), b.left.Load(), b.reclaimed.Load())
	}
}

func TestSuccessorThatWasLetBegin(t *testing.T) {
	t.Run("it is handed over to when it serves, and not before", func(t *testing.T) {
		fifo := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		b := begunSuccessionOf(t, "read go <"+fifo+"; printf '\\006serves\\n' >&3; read yours <&4")
		done := make(chan error, 1)
		go func() { _, err := b.upgrade(t.Context()); done <- err }()
		w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the reader, who has begun by then
		if err != nil {
			t.Fatal(err)
		}
		if b.stop.Successor() != 0 || b.left.Load() != 0 {
			t.Error("it is handed over to although it does not serve")
		}
		_, _ = w.WriteString("\n")
		_ = w.Close()
		if err := <-done; err != nil || b.stop.Successor() == 0 || b.left.Load() != 1 || b.reclaimed.Load() != 0 {
			t.Errorf("%v, successor %d", err, b.stop.Successor())
		}
	})
	t.Run("it dies: the process serves on, and says why in its words", func(t *testing.T) {
		b := begunSuccessionOf(t, "echo 'holdfast: the tide is out' >&3; exit 3")
		_, err := b.upgrade(t.Context())
		if err == nil || !strings.HasSuffix(err.Error(), "ended before it served (exit status 3): the tide is out") {
			t.Error(err)
		}
		b.wantServing(t)
	})
	t.Run("it says something else", func(t *testing.T) {
		b := begunSuccessionOf(t, "printf '\\006sleeps\\n' >&3; exec sleep 1000")
		if _, err := b.upgrade(t.Context()); err == nil || !strings.Contains(err.Error(), "not understood") {
			t.Error(err)
		}
		b.wantServing(t)
	})
	t.Run("it takes too long: it is told to end, and may drain", func(t *testing.T) {
		drained := filepath.Join(t.TempDir(), "drained")
		b := begunSuccessionWith(t, "trap 'sleep 0.2; echo >"+drained+"; exit' TERM\n", "while :; do sleep 0.01; done")
		b.serveTimeout = 200 * time.Millisecond
		if _, err := b.upgrade(t.Context()); err == nil || !strings.Contains(err.Error(), "was told to end: it did not serve within 200ms") {
			t.Error(err)
		}
		b.wantServing(t)
		b.finish(nil, false)
		if _, err := os.Stat(drained); err != nil {
			t.Errorf("it did not drain: %v", err)
		}
	})
}

func TestStopWhileASuccessorBegins(t *testing.T) {
	// stopping stops the process when the successor has begun.
	stopping := func(t *testing.T, script string) (*begunSuccession, *os.Process) {
		t.Helper()
		pidFile := filepath.Join(t.TempDir(), "pid")
		b := begunSuccessionOf(t, "echo $$ >"+pidFile+".new; mv "+pidFile+".new "+pidFile+"; "+script)
		signals := make(chan os.Signal, 1)
		b.stop.Signals = signals
		execute, _ := b.stop.Actor()
		stopped := make(chan error, 1)
		go func() { stopped <- execute() }()
		answer := make(chan error, 1)
		go func() { _, err := b.upgrade(t.Context()); answer <- err }()
		eventually(t, "it has begun", func() bool { _, err := os.Stat(pidFile); return err == nil })
		signals <- syscall.SIGTERM
		if err := <-answer; !errors.Is(err, lifecycle.ErrStopping) {
			t.Errorf("the upgrade: %v", err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		pid := 0
		for _, digit := range strings.TrimSpace(readFile(t, pidFile)) {
			pid = 10*pid + int(digit-'0')
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		return b, process
	}
	gone := func(p *os.Process) bool { return p.Signal(syscall.Signal(0)) != nil }
	t.Run("the stop does not wait for it, the end of the process does", func(t *testing.T) {
		b, p := stopping(t, "trap 'sleep 0.2; exit' TERM; while :; do sleep 0.01; done")
		b.finish(nil, false)
		if !gone(p) {
			t.Error("it is left behind")
		}
		if b.reclaimed.Load() != 0 {
			t.Error("a process that stops claimed the service")
		}
	})
	t.Run("a signal that comes then cuts it", func(t *testing.T) {
		b, p := stopping(t, "trap '' TERM; exec sleep 1000")
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		b.finish(signals, false)
		eventually(t, "it is gone", func() bool { return gone(p) })
	})
	t.Run("one that ignores it has the time of a drain", func(t *testing.T) {
		b, p := stopping(t, "trap '' TERM; exec sleep 1000")
		b.cut() // as its time's end does
		b.finish(nil, false)
		eventually(t, "it is gone", func() bool { return gone(p) })
	})
	t.Run("at the moment of the hand-over it is heard, and cuts the leaving short", func(t *testing.T) {
		b := begunSuccessionOf(t, "trap exit TERM; printf '\\006serves\\n' >&3; while :; do sleep 0.01; done")
		signals := make(chan os.Signal, 1)
		b.stop.Signals = signals
		b.leave = func(ctx context.Context) {
			signals <- syscall.SIGTERM
			<-ctx.Done()
		}
		execute, _ := b.stop.Actor()
		stopped := make(chan error, 1)
		go func() { stopped <- execute() }()
		if _, err := b.upgrade(t.Context()); !errors.Is(err, lifecycle.ErrStopping) || b.stop.Successor() != 0 {
			t.Errorf("%v, successor %d", err, b.stop.Successor())
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		b.finish(nil, false)
	})
	t.Run("afterwards there is no upgrade", func(t *testing.T) {
		u := &succession{stop: &lifecycle.Stop{Target: &conn.Server{}}}
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		u.stop.Signals = signals
		execute, _ := u.stop.Actor()
		if err := execute(); err != nil {
			t.Fatal(err)
		}
		u.program = "/nowhere/that/starts"
		if _, err := u.attempt(t.Context()); !errors.Is(err, lifecycle.ErrStopping) {
			t.Errorf("%v", err)
		}
	})
}
