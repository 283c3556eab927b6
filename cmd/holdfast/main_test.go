package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// blockedConfig is a FIFO that nobody writes to: opening it blocks.
func blockedConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // lets the reader that was left behind end
		if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
			f.Close()
		}
	})
	return path
}

func TestSignalBeforeServing(t *testing.T) {
	for _, c := range []struct {
		name    string
		command string
		signals []os.Signal
		want    int
	}{
		{"SIGTERM ends a server that reads its configuration", "serve", []os.Signal{syscall.SIGTERM}, 0},
		{"so does SIGINT", "serve", []os.Signal{syscall.SIGINT}, 0},
		{"SIGHUP does not, the SIGTERM behind it does", "serve", []os.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGTERM}, 0},
		{"another command ends as shells expect", "certs ca", []os.Signal{syscall.SIGINT}, 130},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append(strings.Fields(c.command), "--config", blockedConfig(t))
			signals := make(chan os.Signal, signalBacklog)
			for _, sig := range c.signals {
				signals <- sig
			}
			var out, errs bytes.Buffer
			if got := realMain(args, testEnvironment(t), streams{out: &out, err: &errs}, signals); got != c.want {
				t.Errorf("exit %d, want %d: %s", got, c.want, errs.String())
			}
		})
	}
}

func TestRealMainReturnsTheCommandsExit(t *testing.T) {
	for args, want := range map[string]int{"version": 0, "serve --bogus": 2, "serve /nowhere/at/all": 1} {
		var out, errs bytes.Buffer
		if got := realMain(strings.Fields(args), testEnvironment(t), streams{out: &out, err: &errs}, make(chan os.Signal)); got != want {
			t.Errorf("%s: exit %d, want %d: %s", args, got, want, errs.String())
		}
	}
}

func TestHandBack(t *testing.T) {
	signals := make(chan os.Signal, 1)
	handBack(signals, syscall.SIGHUP)
	handBack(signals, syscall.SIGHUP) // full: must not block
	if got := <-signals; got != syscall.SIGHUP {
		t.Errorf("got %v", got)
	}
}

func TestProcessEnvironment(t *testing.T) {
	t.Setenv("HOLDFAST_LOCAL_NAME", "a=b")
	env := processEnvironment()
	if env.get("HOLDFAST_LOCAL_NAME") != "a=b" || env.get("HOLDFAST_NOT_THERE") != "" || env.descriptors == 0 {
		t.Errorf("descriptors %d, variable %q", env.descriptors, env.get("HOLDFAST_LOCAL_NAME"))
	}
}
