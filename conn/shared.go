package conn

import (
	"context"
	"net"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharedListener shares its port with other processes of the same user (SO_REUSEPORT): the
// kernel gives each new connection to one of them.
type sharedListener struct{ *net.TCPListener }

// ListenShared is [Listen] with a TCP port that other processes of the same user may listen
// on too, provided that they all ask for that. When it is closed by CloseListeners, new
// connections are steered to another of them first. A unix socket is one process's all the
// same.
func ListenShared(ctx context.Context, addr string) (net.Listener, error) {
	if strings.HasPrefix(addr, UnixPrefix) {
		return Listen(ctx, addr)
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		if cerr != nil {
			return cerr
		}
		return err
	}}
	lc.SetMultipathTCP(false) // such a socket cannot be steered
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &sharedListener{l.(*net.TCPListener)}
	s.unsteer()
	return s, nil
}
