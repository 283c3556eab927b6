package sqlitestore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

func TestModes(t *testing.T) {
	modeIs := func(t *testing.T, path string, want os.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
		}
	}
	check := func(t *testing.T, path string) {
		t.Helper()
		s := open(t, path)
		if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			modeIs(t, name, 0o600)
		}
	}
	t.Run("what is made is its owner's alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "new", "state", "members #1?.db")
		check(t, path)
		modeIs(t, filepath.Dir(path), 0o700)
		modeIs(t, filepath.Dir(filepath.Dir(path)), 0o700)
		names, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
		if err != nil || len(names) > 0 {
			t.Errorf("%q were left, %v", names, err)
		}
	})
	t.Run("a file that others may read is closed to them", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "members.db")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o664); err != nil { // whatever the umask
			t.Fatal(err)
		}
		check(t, path)
	})
}

func TestNowhere(t *testing.T) {
	t.Run("a directory that cannot be made", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(file, "members.db")
		if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	})
}

func TestReplacedFile(t *testing.T) {
	path := place(t)
	s := open(t, path)
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	for name, replace := range map[string]func() error{
		"removed": func() error { return nil }, "replaced": func() error { return os.WriteFile(path, nil, 0o600) },
	} {
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		s.identity.looked = time.Time{} // as if a second had passed
		for range 2 {
			if _, err := s.Changes(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "was replaced") || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := os.Rename(path+".old", path); err != nil {
		t.Fatal(err)
	}
	s.identity.looked = time.Time{}
	if _, err := s.Changes(t.Context(), ""); err != nil {
		t.Errorf("put back: %v", err)
	}
}
