package files

import (
	"io/fs"
	"syscall"
)

// changeTime is when the file or its inode changed last. No program sets it: it tells of a
// rewrite that gave the file its old time again.
func changeTime(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctim.Nano()
	}
	return 0
}
