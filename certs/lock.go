package certs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// lockWait bounds the wait for another process. What is done under a lock takes
	// milliseconds; ten seconds are a disk in trouble or a stopped process.
	lockWait  = 10 * time.Second
	lockPause = 5 * time.Millisecond
)

var errLocked = errors.New("another process holds the lock")

// lock takes a lock on the file called name in the directory, in the mode how
// (LOCK_SH or LOCK_EX of flock(2)), waiting at most lockWait. The kernel drops the
// lock of a process that dies. Locks exclude each other inside one process too.
func (s *State) lock(name string, how int) (release func(), err error) {
	deadline := time.Now().Add(lockWait)
	for {
		release, err = s.tryLock(name, how)
		if !errors.Is(err, errLocked) {
			return release, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s: %w for more than %v", filepath.Join(s.dir, name), err, lockWait)
		}
		time.Sleep(lockPause)
	}
}

// tryLock is lock without the wait: errLocked when another holds it.
func (s *State) tryLock(name string, how int) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := flock(f, how|syscall.LOCK_NB); {
	case err == nil:
		return func() { _ = f.Close() }, nil // closing unlocks, and cannot lose data
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(errLocked, f.Close())
	default:
		return nil, errors.Join(fmt.Errorf("flock %s: %w", f.Name(), err), f.Close())
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
