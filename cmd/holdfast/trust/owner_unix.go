//go:build unix

package trust

import (
	"os"
	"syscall"
)

// ownerOf is the user whose a file is; false where there is none.
func ownerOf(path string) (uid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(s.Uid), true
}
