//go:build !linux

package main

import "syscall"

// replicaProcess keeps a terminal's Ctrl-C from the replicas, which would take it for a stop.
func replicaProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
