//go:build !linux

package conn

import "syscall"

// unacknowledged is not to be had here: progress is what the kernel takes.
func unacknowledged(syscall.RawConn) (int64, bool) { return 0, false }
