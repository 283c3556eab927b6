package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// successionOf is one whose successor is a shell script, and its actor runs.
func successionOf(t *testing.T, script string, pid int) *succession {
	t.Helper()
	program := filepath.Join(t.TempDir(), "successor")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	u := &succession{
		stop: &lifecycle.Stop{Target: &conn.Server{}}, program: program, timeout: patience, pid: pid,
		leave: func(context.Context) {}, reclaim: func(context.Context) {}, serveTimeout: patience, grace: patience,
		log: slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)),
	}
	u.stop.Actor()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return u
}

func TestSuccession(t *testing.T) {
	t.Run("process 1 refuses, and says what to do", func(t *testing.T) {
		if _, err := successionOf(t, "", 1).upgrade(t.Context()); !errors.Is(err, errPID1) {
			t.Error(err)
		}
	})
	t.Run("two at a time are one too many", func(t *testing.T) {
		u := successionOf(t, "exec sleep 1000", 2)
		ctx, leave := context.WithCancelCause(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := u.upgrade(ctx)
			first <- err
		}()
		eventually(t, "the first is under way", u.busy.Load)
		if _, err := u.upgrade(t.Context()); !errors.Is(err, errUpgrading) {
			t.Errorf("the second: %v", err)
		}
		bored := errors.New("whoever asked is gone")
		leave(bored)
		if err := <-first; !errors.Is(err, bored) {
			t.Errorf("the first: %v", err)
		}
	})
	t.Run("after a failure it is ready for another", func(t *testing.T) {
		u := successionOf(t, "echo 'holdfast: the moon is too full' >&3; exit 3", 2)
		for range 2 {
			var err error
			eventually(t, "an upgrade", func() bool {
				_, err = u.upgrade(t.Context())
				return !errors.Is(err, errUpgrading)
			})
			if err == nil || !strings.Contains(err.Error(), "exit status 3") {
				t.Error(err)
			}
		}
	})
	t.Run("what the successor said is in the reason, its faults alone where there are any", func(t *testing.T) {
		u := successionOf(t, "echo warning >&3; echo 'holdfast: the moon is too full' >&3; exit 1", 2)
		if _, err := u.upgrade(t.Context()); err == nil || !strings.HasSuffix(err.Error(), ": the moon is too full") {
			t.Error(err)
		}
		u = successionOf(t, "echo panic: and more >&3; exit 1", 2)
		if _, err := u.upgrade(t.Context()); err == nil || !strings.HasSuffix(err.Error(), ": panic: and more") {
			t.Error(err)
		}
	})
	t.Run("one that talks without an end is not listened to for ever", func(t *testing.T) {
		u := successionOf(t, "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done >&3", 2)
		u.timeout = 300 * time.Millisecond
		if _, err := u.upgrade(t.Context()); err == nil || len(err.Error()) > wordsLimitBytes || !strings.Contains(err.Error(), "not ready within") {
			t.Error(err)
		}
	})
	t.Run("one that is ready in no way that is known is ended", func(t *testing.T) {
		u := successionOf(t, "printf '\\006{\\n' >&3; exec sleep 1000", 2)
		if _, err := u.upgrade(t.Context()); err == nil || !strings.Contains(err.Error(), "not understood") {
			t.Error(err)
		}
	})
	t.Run("one that is ready is handed over to", func(t *testing.T) {
		u := successionOf(t, "printf '\\006{}\\n' >&3; read begin <&4; printf '\\006serves\\n' >&3; read yours <&4", 2)
		pid, err := u.upgrade(t.Context())
		if err != nil || pid == 0 || u.stop.Successor() != pid {
			t.Errorf("%d, %v", pid, err)
		}
		if _, err := u.upgrade(t.Context()); !errors.Is(err, lifecycle.ErrStopping) && !errors.Is(err, errUpgrading) {
			t.Errorf("once more: %v", err)
		}
	})
}

func TestOwnProgram(t *testing.T) {
	if got, err := os.Executable(); err != nil || !sameFile(ownProgram(), got) {
		t.Errorf("%s, and the test is %s", ownProgram(), got)
	}
}
