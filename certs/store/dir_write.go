package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// tempPattern begins with a dot, so that no name is in its way.
	tempPattern = ".write-*"

	writersLock = ".writers"
	leasesLock  = ".leases"

	// lockWait bounds the wait for another process. What is done under a lock takes
	// milliseconds; ten seconds are a disk in trouble or a stopped process.
	lockWait  = 10 * time.Second
	lockPause = 2 * time.Millisecond
)

var errLocked = errors.New("another process holds the lock")

// lock takes the lock file called name in the mode how (LOCK_SH or LOCK_EX of flock(2)).
// It waits until ctx ends, and at most lockWait. The kernel drops the locks of a process
// that dies; inside one process they exclude each other too.
func (d *Dir) lock(ctx context.Context, name string, how int) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errLocked)
	defer cancel()
	pause := time.NewTicker(lockPause)
	defer pause.Stop()
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		f, err := tryLock(filepath.Join(d.root, name), how)
		if !errors.Is(err, errLocked) {
			return func() { _ = f.Close() }, err // closing unlocks, and cannot lose data
		}
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// tryLock opens a file and takes its lock: errLocked when another holds it.
func tryLock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := flock(f, how|syscall.LOCK_NB); {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(errLocked, f.Close())
	default:
		return nil, errors.Join(fmt.Errorf("flock %s: %w", path, err), f.Close())
	}
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// writeWhole replaces the file at path, which is below root: a temporary file is written
// and synced, renamed over it, and the directory is synced.
func writeWhole(root, path string, data []byte) error {
	parent, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := makeDirs(root, parent); err != nil {
		return err
	}
	temp, err := writeTemp(root, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

func writeTemp(root string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(root, tempPattern) // 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// makeDirs makes the directories of the path below root. Each new one is synced into the one
// above it: a file is only as lasting as the directories that lead to it.
func makeDirs(root, path string) error {
	at := root
	for name := range strings.SplitSeq(path, "/") {
		above := at
		at = filepath.Join(at, name)
		err := os.Mkdir(at, 0o700)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			err = syncDir(above)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // some network file systems cannot sync a directory, and need not
	}
	return errors.Join(err, f.Close())
}

// sweep removes the temporary files that crashes left behind. While a writer is at work,
// it is left to the next start.
func (d *Dir) sweep() error {
	f, err := tryLock(filepath.Join(d.root, writersLock), syscall.LOCK_EX)
	if errors.Is(err, errLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written to it
	entries, err := os.ReadDir(d.root)
	for _, entry := range entries {
		if stale, _ := filepath.Match(tempPattern, entry.Name()); stale {
			err = errors.Join(err, os.Remove(filepath.Join(d.root, entry.Name())))
		}
	}
	return err
}
