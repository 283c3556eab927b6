package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestPIDFile(t *testing.T) {
	own := strconv.Itoa(os.Getpid()) + "\n"
	prepared := func(t *testing.T, path string) *pidFile {
		t.Helper()
		p, f := preparePIDFile(path)
		if f != nil {
			t.Fatal(f.line())
		}
		return p
	}
	t.Run("it is there from publish to remove, readable by all, and nothing beside it", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "pid")
		p := prepared(t, path)
		wantGone(t, path)
		if err := p.publish(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o644 || readFile(t, path) != own {
			t.Errorf("%v, %v", info, err)
		}
		if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
			t.Errorf("in the directory: %v, %v", names, err)
		}
		p.remove()
		wantGone(t, path)
	})
	t.Run("a file of a process that is gone is replaced, and so is an empty one", func(t *testing.T) {
		for _, content := range []string{"4711\n", ""} {
			path := writeFile(t, "pid", content)
			if err := prepared(t, path).publish(); err != nil || readFile(t, path) != own {
				t.Errorf("%v, %q", err, readFile(t, path))
			}
		}
	})
	t.Run("a successor's file is left alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "pid")
		p := prepared(t, path)
		if err := p.publish(); err != nil {
			t.Fatal(err)
		}
		replace(t, path, "1\n")
		p.remove()
		if readFile(t, path) != "1\n" {
			t.Error("it is gone")
		}
	})
	t.Run("what is no pid file is not replaced", func(t *testing.T) {
		for name, path := range map[string]string{
			"no process number":           writeFile(t, "hosts", "127.0.0.1 localhost\n"),
			"something else than a file":  t.TempDir(),
			"no process number, and is l": writeFile(t, "long", strings.Repeat("1", 4096)),
		} {
			if _, f := preparePIDFile(path); f == nil || !strings.Contains(f.line(), name) {
				t.Errorf("%s: %v", name, f)
			}
		}
	})
	t.Run("a directory that is missing is a fault of the start", func(t *testing.T) {
		if _, f := preparePIDFile(filepath.Join(t.TempDir(), "none", "pid")); f == nil || !strings.Contains(f.line(), "make its directory") {
			t.Errorf("%v", f)
		}
	})
	t.Run("none is none", func(t *testing.T) {
		p := prepared(t, "")
		if err := p.publish(); p != nil || err != nil {
			t.Error(p, err)
		}
		p.remove()
	})
}

func TestPIDFileLock(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pid")
	p, f := preparePIDFile(path)
	if f != nil {
		t.Fatal(f.line())
	}
	// held is the directory, locked as by another process.
	held := func() *os.File {
		t.Helper()
		d, err := os.Open(dir)
		if err == nil {
			err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	t.Run("whoever removes waits for whoever replaces, and looks then", func(t *testing.T) {
		if err := p.publish(); err != nil {
			t.Fatal(err)
		}
		other := held()
		removed := make(chan struct{})
		go func() {
			defer close(removed)
			p.remove()
		}()
		replace(t, path, "1\n")
		_ = other.Close()
		<-removed
		if readFile(t, path) != "1\n" {
			t.Error("the other's file is gone")
		}
	})
	t.Run("one who never lets go keeps nobody from anything", func(t *testing.T) {
		held()
		if err := p.publish(); err != nil || readFile(t, path) != p.content {
			t.Error(err)
		}
		p.remove()
		wantGone(t, path)
	})
	t.Run("what is locked is unlocked", func(t *testing.T) {
		q, f := preparePIDFile(filepath.Join(t.TempDir(), "pid"))
		if f != nil {
			t.Fatal(f.line())
		}
		q.lock()()
		d, err := os.Open(filepath.Dir(q.path))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Error(err)
		}
	})
}
