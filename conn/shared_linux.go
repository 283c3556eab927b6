package conn

import "golang.org/x/sys/unix"

// soDetachBPF is SO_DETACH_REUSEPORT_BPF (Linux 5.3), which x/sys names for sparc alone.
const soDetachBPF = 68

// steer has the kernel give new connections to the member of the group with this index. It
// takes no privilege: the program is classic BPF, and says nothing but "return index". An
// index that nobody has leaves the choice to the kernel.
func (l *sharedListener) steer(index uint32) error {
	const returnConstant = unix.BPF_RET | unix.BPF_K
	filter := unix.SockFilter{Code: returnConstant, K: index}
	program := unix.SockFprog{Len: 1, Filter: &filter}
	return l.control(func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &program)
	})
}

// unsteer ends what a member that has left asked for, and would otherwise outlive it: all
// connections to one of those who share the port. It fails where nothing was steered, or on a
// kernel that cannot.
func (l *sharedListener) unsteer() {
	_ = l.control(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, soDetachBPF, 0) })
}

func (l *sharedListener) control(do func(fd int) error) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var derr error
	if err := raw.Control(func(fd uintptr) { derr = do(int(fd)) }); err != nil {
		return err
	}
	return derr
}
