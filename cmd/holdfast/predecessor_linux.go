package main

import (
	"os"
	"syscall"
	"unsafe"
)

// processDescriptor stands for a process, as its number would not once that is another's; nil
// where the kernel has no such thing (before Linux 5.10).
func processDescriptor(pid int) *os.File {
	const pidfdOpen = 434 // on every architecture
	fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return nil
	}
	return os.NewFile(fd, "process")
}

// hasEnded tells whether the process behind such a descriptor has, reaped or not.
func hasEnded(fd uintptr) bool {
	const readable = 1 // POLLIN
	poll := struct {
		fd              int32
		events, happens int16
	}{fd: int32(fd), events: readable}
	var now syscall.Timespec
	n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return errno == 0 && n > 0
}
