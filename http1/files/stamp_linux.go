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

// inodeOf is the file's device and number, which all of its names have in common.
func inodeOf(info fs.FileInfo, name string) inode {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return inode{device: uint64(s.Dev), number: s.Ino}
	}
	return inode{name: name}
}

// relabeled tells whether two looks at one inode differ in the number of its names, its mode or
// its owner.
func relabeled(a, b fs.FileInfo) bool {
	s, ok := a.Sys().(*syscall.Stat_t)
	t, also := b.Sys().(*syscall.Stat_t)
	return ok && also && (s.Nlink != t.Nlink || s.Mode != t.Mode || s.Uid != t.Uid || s.Gid != t.Gid)
}
