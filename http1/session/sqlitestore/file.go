package sqlitestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makeFile makes the directory, and an empty file where there is none. It does so by a link and
// never opens the file itself: to close it would drop the locks that this process has on it
// (POSIX, fcntl).
func makeFile(path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return errors.New("this is no regular file: name another place for the store")
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	empty, err := os.CreateTemp(filepath.Dir(path), ".new-store-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(empty.Name()) }() // its other name stays
	if err := empty.Close(); err != nil {
		return err
	}
	if err := os.Link(empty.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// closeToOthers takes what groups and others may do to the file from them, which holds
// password hashes. SQLite gives its other files the mode of this one.
func closeToOthers(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(name, 0o600); err != nil {
			return fmt.Errorf("others may read it, and that cannot be changed: %w", err)
		}
	}
	return nil
}
