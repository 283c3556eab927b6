package conn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// UnixPrefix is before the path in the address of a unix socket.
const UnixPrefix = "unix:"

// UnixPathBytes is how long the path of a unix socket may be: sun_path without its NUL.
const UnixPathBytes = 107

// Errors of ListenUnix.
var (
	// ErrSocketLive is that somebody serves the path.
	ErrSocketLive = errors.New("conn: another process listens on this unix socket")
	// ErrNoSocket is that the path is something else, which is left as it is.
	ErrNoSocket = errors.New("conn: there is something else than a unix socket at this path")
)

const (
	// unixMode lets the owner and the group connect: a proxy's user is put in ours.
	unixMode fs.FileMode = 0o660
	// unixProbe is how long a listener behind an old file has to take a connection. The
	// kernel does it for one whose queue has room, so a long wait would tell no more.
	unixProbe = time.Second
)

// ListenUnix binds a unix socket at path, at most [UnixPathBytes] long, with the mode 0660
// whatever the umask. A file that a dead process left there is replaced. It returns
// [ErrSocketLive] when somebody serves it, and [ErrNoSocket] when it is no socket.
//
// The path belongs to the listener from then on. PATH.lock is held, by flock(2), until the
// listener is closed, and then removed with the socket itself, unless that has been
// replaced. Without the lock two processes could both find the old file dead, and the slower
// one would remove the other's new one.
func ListenUnix(ctx context.Context, path string) (net.Listener, error) {
	return ListenUnixMode(ctx, path, unixMode)
}

// ListenUnixMode is [ListenUnix] with another mode than 0660.
func ListenUnixMode(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	lock, err := lockPath(path + ".lock")
	if err != nil {
		return nil, err
	}
	l, err := bindUnix(ctx, path, mode)
	if err != nil {
		lock.release()
		return nil, err
	}
	return &unixListener{UnixListener: l.UnixListener, path: path, file: l.file, lock: lock}, nil
}

// unixListener removes its file when it is closed.
type unixListener struct {
	*net.UnixListener
	path string
	file fs.FileInfo // the socket as it was bound
	lock *pathLock
	lent atomic.Bool // the path is another process's: see Listener.HandOver
	gone sync.Once
}

// withdraw takes the path away, so that nobody new connects, while those in the queue can
// still be accepted: a TCP port cannot do that.
func (l *unixListener) withdraw() {
	if l.lent.Load() {
		return
	}
	l.gone.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
			_ = os.Remove(l.path)
		}
	})
}

// Close withdraws the path, closes the listener and lets the lock go.
func (l *unixListener) Close() error {
	l.withdraw()
	err := l.UnixListener.Close()
	if l.lent.Load() {
		l.lock.leave()
	} else {
		l.lock.release()
	}
	return err
}

// bindUnix binds path, for whoever holds its lock.
func bindUnix(ctx context.Context, path string, mode fs.FileMode) (*unixListener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		// Before the bind, where the system can: the file is never open to all, not even
		// for a moment. Where it cannot, the umask is what stands between.
		return raw.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), uint32(mode.Perm())) })
	}}
	nl, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	l := nl.(*net.UnixListener)
	l.SetUnlinkOnClose(false) // it would remove a successor's file too
	err = os.Chmod(path, mode.Perm())
	var file fs.FileInfo
	if err == nil {
		file, err = os.Lstat(path)
	}
	if err != nil {
		_ = l.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return &unixListener{UnixListener: l, file: file}, nil
}

// removeStale removes a socket that nobody listens on any more, and nothing else.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%w: %s", ErrNoSocket, path)
	}
	dialer := net.Dialer{Timeout: unixProbe}
	c, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return fmt.Errorf("%w: %s", ErrSocketLive, path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EPROTOTYPE), errors.Is(err, os.ErrDeadlineExceeded):
		// Its queue is full, or it takes datagrams: somebody has it.
		return fmt.Errorf("%w: %s", ErrSocketLive, path)
	}
	return err
}

// pathLock is a lock file, held.
type pathLock struct {
	file *os.File
	once sync.Once
}

// lockPath takes the lock without waiting: whoever has it serves.
func lockPath(path string) (*pathLock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, fmt.Errorf("%w: %s", ErrSocketLive, strings.TrimSuffix(path, ".lock"))
			}
			return nil, &fs.PathError{Op: "flock", Path: path, Err: err}
		}
		k := &pathLock{file: f}
		if locked, err := f.Stat(); err == nil && (locked.Size() > 0 || !locked.Mode().IsRegular()) {
			_ = f.Close() // it would be removed in the end, and it is somebody's
			return nil, fmt.Errorf("conn: %s is no lock file: ours are empty", path)
		}
		if k.isThere() {
			return k, nil
		}
		_ = f.Close() // its last owner has removed it: it locks nobody out
	}
}

// isThere tells whether the locked file still is what its path names.
func (k *pathLock) isThere() bool {
	locked, err := k.file.Stat()
	now, nerr := os.Lstat(k.file.Name())
	return err == nil && nerr == nil && os.SameFile(locked, now)
}

// release removes the file, while it is still locked, and lets it go.
func (k *pathLock) release() {
	k.once.Do(func() {
		if k.isThere() {
			_ = os.Remove(k.file.Name())
		}
		_ = k.file.Close()
	})
}

// leave lets go of a lock that another process holds too, and of its file not.
func (k *pathLock) leave() { k.once.Do(func() { _ = k.file.Close() }) }
