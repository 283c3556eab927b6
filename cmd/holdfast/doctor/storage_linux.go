package doctor

import "syscall"

// The numbers of statfs(2) for file systems that do not last.
const (
	tmpfsMagic   = 0x01021994
	ramfsMagic   = 0x858458f6
	overlayMagic = 0x794c7630
)

// lastingOf says how long the file system of an existing directory lasts, and its name.
func lastingOf(dir string) (lasting, string) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return lasts, ""
	}
	return lastingOfType(uint32(s.Type))
}

func lastingOfType(magic uint32) (lasting, string) {
	switch magic {
	case tmpfsMagic:
		return memory, "tmpfs"
	case ramfsMagic:
		return memory, "ramfs"
	case overlayMagic:
		return overlay, "overlayfs"
	}
	return lasts, ""
}
