package conn

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotListening is that an inherited descriptor is no stream socket that listens.
var ErrNotListening = errors.New("conn: not a stream socket that listens")

// HandOver notes that another process accepts from the same socket by now: what waits in its
// queue is that one's, and so is the path of a unix socket. CloseListeners then closes this
// process's descriptor at once. Any goroutine may call it, before CloseListeners.
func (l *Listener) HandOver() {
	l.handed.Store(true)
	if u, ok := l.Listener.(*unixListener); ok {
		u.lent.Store(true)
	}
}

// TakeOver notes that the predecessor has left an inherited socket: its path, where it is a
// unix socket that came with its lock, is ours from now on, to be removed in the end.
func (l *Listener) TakeOver() {
	if u, ok := l.Listener.(*unixListener); ok {
		u.lent.Store(false)
	}
}

// Descriptors are duplicates of what another process needs to accept from l too: the
// socket, and the lock of a unix socket's path. They are the caller's to close. l goes on as
// it is.
func Descriptors(l net.Listener) ([]*os.File, error) {
	source, ok := l.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("conn: a %T has no descriptor", l)
	}
	// Not by the listener's own File: to pass what that returns to a process makes the socket
	// block, and the socket is ours too. Accept would hear no deadline then, and no Close.
	socket, err := duplicate(source, l.Addr().String())
	if err != nil {
		return nil, err
	}
	u, ok := l.(*unixListener)
	if !ok {
		return []*os.File{socket}, nil
	}
	lock, err := u.lock.duplicate()
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	return []*os.File{socket, lock}, nil
}

// Inherit makes a listener of descriptors that [Descriptors] gave in another process, or of a
// listening socket alone. It closes them, whatever comes of it. It returns
// [ErrNotListening] for anything else than a TCP or unix stream socket that listens.
//
// A unix socket's path stays whoever bound it's: with its lock until [Listener.TakeOver],
// without one for good.
func Inherit(files ...*os.File) (net.Listener, error) {
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if len(files) == 0 || len(files) > 2 {
		return nil, ErrNotListening
	}
	shared, err := listens(files[0])
	if err != nil {
		return nil, err
	}
	l, err := net.FileListener(files[0])
	if err != nil {
		return nil, err
	}
	switch l := l.(type) {
	case *net.TCPListener:
		if shared {
			return &sharedListener{TCPListener: l}, nil
		}
		return l, nil
	case *net.UnixListener:
		if len(files) == 1 {
			return l, nil
		}
		return inheritUnix(l, files[1])
	}
	_ = l.Close()
	return nil, ErrNotListening
}

// listens tells whether a listening socket shares its port; an error for any other file.
func listens(f *os.File) (shared bool, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var listening, kind, reuse int
	cerr := raw.Control(func(fd uintptr) {
		if listening, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
			return
		}
		if kind, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
			return
		}
		reuse, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT) // unix sockets have none
	})
	switch {
	case cerr != nil:
		return false, cerr
	case errors.Is(err, syscall.ENOTSOCK), err == nil && (listening == 0 || kind != unix.SOCK_STREAM):
		return false, ErrNotListening
	}
	return reuse != 0, err
}

// inheritUnix is the listener of a unix socket whose lock came with it. The path may name
// another socket meanwhile; then it is not for us to remove.
func inheritUnix(l *net.UnixListener, lock *os.File) (net.Listener, error) {
	path := l.Addr().String()
	file, err := os.Lstat(path)
	if err == nil {
		lock, err = duplicate(lock, path+".lock")
	}
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	u := &unixListener{UnixListener: l, path: path, file: file, lock: &pathLock{file: lock}}
	u.lent.Store(true)
	return u, nil
}

// duplicate shares the lock: it is held until both files are closed.
func (k *pathLock) duplicate() (*os.File, error) { return duplicate(k.file, k.file.Name()) }

// duplicate is f under another number, closed on exec as every file of Go's is.
func duplicate(f syscall.Conn, name string) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var number int
	cerr := raw.Control(func(fd uintptr) { number, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(cerr, err); err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(number), name), nil
}
