//go:build !linux

package main

import "os"

// processDescriptor is nil: nobody can wait for a process that is no child here.
func processDescriptor(int) *os.File { return nil }

func hasEnded(uintptr) bool { return true }
