package conn

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unacknowledged tells how many bytes the kernel holds for the peer that the peer has
// not acknowledged (SIOCOUTQ). Without it a slow reader looks dead: the kernel reports a
// socket as writable only once a third of a send buffer of megabytes is free.
func unacknowledged(socket syscall.RawConn) (queued int64, ok bool) {
	if socket == nil {
		return 0, false
	}
	err := socket.Control(func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		queued, ok = int64(n), err == nil
	})
	return queued, ok && err == nil
}
