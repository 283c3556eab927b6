package conn

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharedListener shares its port with other processes of the same user (SO_REUSEPORT): the
// kernel gives each new connection to one of them.
type sharedListener struct {
	*net.TCPListener // nil until it listens
	bound            *boundSocket
}

// ListenShared is [Listen] with a TCP port that other processes of the same user may listen
// on too, provided that they all ask for that. When it is closed by CloseListeners, new
// connections are steered to another of them first; while it is served, a steering of another
// that has gone is ended within a second. So the group's program is ours: one of somebody
// else's is taken away. A unix socket is one process's all the same.
func ListenShared(ctx context.Context, addr string) (net.Listener, error) {
	l, err := BindShared(ctx, addr)
	if err != nil {
		return nil, err
	}
	if err := Join(l); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// BindShared is [ListenShared] short of listening: the address is taken, and no connection
// comes until [Join]. A process that may still fail to start binds only: what had come to one
// that then ends is reset, although another process would have served it. Until Join all but
// Addr and Close fails.
func BindShared(ctx context.Context, addr string) (net.Listener, error) {
	if strings.HasPrefix(addr, UnixPrefix) {
		return Listen(ctx, addr)
	}
	bound := new(boundSocket)
	// Go resolves the address, makes the socket that fits it, and asks us before it would bind
	// and listen. We bind, keep the socket under another number, and Go gets an error.
	lc := net.ListenConfig{Control: func(network, address string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) { err = bound.take(int(fd), network, address) })
		return cmp.Or(cerr, err, errBound)
	}}
	lc.SetMultipathTCP(false) // such a socket cannot be steered
	_, err := lc.Listen(ctx, "tcp", addr)
	if bound.file == nil {
		return nil, err
	}
	return &sharedListener{bound: bound}, nil
}

// Join has what [BindShared] bound listen: from now on connections come. On any other
// listener, and on one that listens, it does nothing.
func Join(l net.Listener) error {
	s, ok := l.(*sharedListener)
	if !ok || s.TCPListener != nil {
		return nil
	}
	listening, err := s.bound.listen()
	if err != nil {
		return &net.OpError{Op: "listen", Net: "tcp", Addr: s.bound.address, Err: err}
	}
	s.TCPListener = listening
	return nil
}

// Addr is the address that is bound.
func (l *sharedListener) Addr() net.Addr {
	if l.TCPListener == nil {
		return l.bound.address
	}
	return l.TCPListener.Addr()
}

// Close lets the address go.
func (l *sharedListener) Close() error {
	if l.TCPListener == nil {
		return l.bound.close()
	}
	return l.TCPListener.Close()
}

// errBound ends the making of a listener where all that it was wanted for is done.
var errBound = errors.New("conn: bound")

// allWaiting is a backlog that the kernel cuts down to its own limit, net.core.somaxconn.
const allWaiting = 1<<16 - 1

// A boundSocket has an address and does not listen: it is in no group.
type boundSocket struct {
	file    *os.File // nil when nothing was bound
	address *net.TCPAddr
	once    sync.Once
}

// take binds a socket that shares its port to an address, host and port as numbers, and keeps
// it. The network is tcp4 or tcp6.
func (b *boundSocket) take(fd int, network, address string) error {
	at, err := net.ResolveTCPAddr("tcp", address) // of numbers
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, socketAddress(at, network == "tcp6")); err != nil {
		return os.NewSyscallError("bind", err)
	}
	is, err := localAddress(fd)
	if err != nil {
		return err
	}
	kept, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("dup", err)
	}
	b.file, b.address = os.NewFile(uintptr(kept), address), net.TCPAddrFromAddrPort(is)
	return nil
}

// listen makes a listener of the socket. Whatever comes of it, b has nothing any more.
func (b *boundSocket) listen() (*net.TCPListener, error) {
	defer b.close()
	raw, err := b.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	cerr := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), allWaiting) })
	if err := errors.Join(cerr, os.NewSyscallError("listen", err)); err != nil {
		return nil, err
	}
	l, err := net.FileListener(b.file)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

func (b *boundSocket) close() (err error) {
	b.once.Do(func() { err = b.file.Close() })
	return err
}

// socketAddress is an address as the kernel takes it; without an IP it is every one.
func socketAddress(at *net.TCPAddr, six bool) unix.Sockaddr {
	if !six {
		to := &unix.SockaddrInet4{Port: at.Port}
		copy(to.Addr[:], at.IP.To4())
		return to
	}
	to := &unix.SockaddrInet6{Port: at.Port}
	if !at.IP.Equal(net.IPv4zero) { // which is every address of both families, as in Listen
		copy(to.Addr[:], at.IP.To16())
	}
	if i, err := net.InterfaceByName(at.Zone); err == nil { // of a link-local address
		to.ZoneId = uint32(i.Index)
	}
	return to
}
