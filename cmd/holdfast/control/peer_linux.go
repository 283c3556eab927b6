package control

import (
	"net"
	"syscall"
)

// peerOf asks the kernel who is at the other end: of an accepted connection the process that
// connected, of a dialled one the process that listens.
func peerOf(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var credentials *syscall.Ucred
	cerr := raw.Control(func(fd uintptr) {
		credentials, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	switch {
	case cerr != nil:
		return Peer{}, cerr
	case err != nil:
		return Peer{}, err
	}
	return Peer{UID: int(credentials.Uid), PID: int(credentials.Pid)}, nil
}
