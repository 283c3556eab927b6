package main

import "syscall"

// replicaProcess keeps a terminal's Ctrl-C from the replicas, which would take it for a
// stop, and ends them with us: the kernel's SIGKILL comes even when one hit us. It comes
// when the thread that started them ends; Go ends none whose goroutine has not locked it.
func replicaProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
