//go:build !linux

package conn

// unacknowledged is not to be had here: progress is what the kernel takes.
func unacknowledged(rawConn) func() (int64, bool) {
	return func() (int64, bool) { return 0, false }
}
