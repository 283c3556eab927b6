package certs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestDefaultStateDir(t *testing.T) {
	for name, row := range map[string]struct {
		env  map[string]string
		want string
	}{
		"systemd's directory goes first": {map[string]string{"STATE_DIRECTORY": "/var/lib/a", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/var/lib/a"},
		"of several the first counts":    {map[string]string{"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"},
		"then the XDG state home":        {map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/holdfast"},
		"a relative XDG home is ignored": {map[string]string{"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/holdfast"},
		"then the user's home":           {map[string]string{"HOME": "/h"}, "/h/.local/state/holdfast"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DefaultStateDir(func(k string) string { return row.env[k] })
			if err != nil || got != row.want {
				t.Errorf("got %q, %v; want %q", got, err, row.want)
			}
		})
	}
	t.Run("with nothing set the error names the flag", func(t *testing.T) {
		_, err := DefaultStateDir(func(string) string { return "" })
		oneLine(t, err, "HOME", "--state")
	})
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// dirWith makes a directory of that mode, whatever the umask, holding the files.
func dirWith(t *testing.T, mode fs.FileMode, files ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		writeFile(t, filepath.Join(dir, f), nil)
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOpenState(t *testing.T) {
	t.Run("missing directories are made for their owner alone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a", "b")
		if _, err := OpenState(dir); err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{dir, filepath.Dir(dir)} {
			if got := modeOf(t, d); got != 0o700 {
				t.Errorf("%s has mode %04o, want 0700", d, got)
			}
		}
	})
	t.Run("a relative path becomes absolute", func(t *testing.T) {
		t.Chdir(t.TempDir())
		s, err := OpenState("state")
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(s.Dir()) || !filepath.IsAbs(s.CAPath()) {
			t.Errorf("got %q and %q", s.Dir(), s.CAPath())
		}
	})
	for name, dir := range map[string]string{
		"an empty open directory is closed to others":        dirWith(t, 0o755),
		"an empty group-writable directory is closed":        dirWith(t, 0o775),
		"one that was ours before is closed again":           dirWith(t, 0o755, lockName, caBundleName),
		"a private directory with other files is used":       dirWith(t, 0o700, "notes.txt"),
		"the lost+found of a fresh volume counts as nothing": dirWith(t, 0o755, "lost+found"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := OpenState(dir); err != nil {
				t.Fatal(err)
			}
			if got := modeOf(t, dir); got != 0o700 {
				t.Errorf("mode %04o, want 0700", got)
			}
		})
	}
	for name, dir := range map[string]string{
		"an open directory with other files is left alone":           dirWith(t, 0o755, "passwd"),
		"a marked directory that others may write to is not trusted": dirWith(t, 0o777, lockName, caBundleName),
	} {
		t.Run(name, func(t *testing.T) {
			before := modeOf(t, dir)
			_, err := OpenState(dir)
			oneLine(t, err, dir, fmt.Sprintf("%04o", before), "chmod 700", "--state "+filepath.Join(dir, "holdfast"))
			if got := modeOf(t, dir); got != before {
				t.Errorf("mode changed from %04o to %04o", before, got)
			}
		})
	}
	t.Run("a file in the way is an error that names it", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		writeFile(t, file, nil)
		_, err := OpenState(filepath.Join(file, "state"))
		oneLine(t, err, file, "not a directory", "--state")
	})
	t.Run("a directory that cannot be written is an error, though it exists", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write anywhere: run as another user")
		}
		_, err := OpenState(dirWith(t, 0o500))
		oneLine(t, err, "cannot be written", "permission denied", "--state")
	})
}

func TestOpenStateClearsTemporaryFiles(t *testing.T) {
	s := openState(t)
	stale := filepath.Join(s.Dir(), ".holdfast-123.tmp")
	writeFile(t, stale, []byte("half a k"))
	t.Run("not while another process writes", func(t *testing.T) {
		release, err := s.lock(lockName, syscall.LOCK_SH)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if _, err := OpenState(s.Dir()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(stale); err != nil {
			t.Errorf("removed under a writer: %v", err)
		}
	})
	t.Run("when nobody writes", func(t *testing.T) {
		if _, err := OpenState(s.Dir()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
	})
	t.Run("also below a path with pattern characters", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "[a]*?")
		if _, err := OpenState(dir); err != nil {
			t.Fatal(err)
		}
		odd := filepath.Join(dir, ".holdfast-9.tmp")
		writeFile(t, odd, nil)
		if _, err := OpenState(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(odd); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
	})
}

func TestWriteFile(t *testing.T) {
	s := openState(t)
	t.Run("content and mode are as asked and nothing else stays", func(t *testing.T) {
		for _, mode := range []fs.FileMode{0o600, 0o644} {
			if err := s.WriteFile("file", []byte("data"), mode); err != nil {
				t.Fatal(err)
			}
			if got := modeOf(t, filepath.Join(s.Dir(), "file")); got != mode {
				t.Errorf("mode %04o, want %04o", got, mode)
			}
		}
		if data, err := s.ReadFile("file"); err != nil || string(data) != "data" {
			t.Errorf("got %q, %v", data, err)
		}
		noTemporaryFiles(t, s)
	})
	t.Run("a failure leaves the old file and no temporary one", func(t *testing.T) {
		if err := os.Mkdir(filepath.Join(s.Dir(), "taken"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := s.WriteFile("taken", []byte("x"), 0o600); err == nil {
			t.Error("renamed a file over a directory")
		}
		noTemporaryFiles(t, s)
	})
	for _, name := range []string{"", ".", "..", "../up", "a/b", "/abs", ".hidden", "nul\x00", `back\slash`} {
		t.Run(fmt.Sprintf("the name %q is refused", name), func(t *testing.T) {
			if err := s.WriteFile(name, nil, 0o600); err == nil {
				t.Error("written")
			}
			if _, err := s.ReadFile(name); err == nil {
				t.Error("read")
			}
		})
	}
}

func noTemporaryFiles(t *testing.T, s *State) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(s.Dir(), tempPattern))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestWriteFileByMany(t *testing.T) {
	s := openState(t)
	const writers, rounds = 8, 10
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			content := bytes.Repeat([]byte{byte('a' + w)}, 8192)
			for range rounds {
				if err := s.WriteFile("shared", content, 0o600); err != nil {
					t.Error(err)
				}
				if _, err := OpenState(s.Dir()); err != nil { // clears stale files meanwhile
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	got, err := s.ReadFile("shared")
	if err != nil || len(got) != 8192 || bytes.Count(got, got[:1]) != len(got) {
		t.Errorf("the file is a mixture of %d bytes, %v", len(got), err)
	}
	noTemporaryFiles(t, s)
}

func TestReadFileOfAnOpenPipeDoesNotWait(t *testing.T) {
	s := openState(t)
	if err := syscall.Mkfifo(filepath.Join(s.Dir(), "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadFile("pipe"); err == nil {
		t.Error("read a pipe")
	}
}
