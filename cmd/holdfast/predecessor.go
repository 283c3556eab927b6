package main

import (
	"context"
	"log/slog"
	"time"
)

// outlive waits for the end of the process that this one took over from, or for ctx. Without
// one it does not wait, nor where the kernel cannot tell, and least of all for one that has not
// handed over: that serves on, or waits for our end itself.
func (i *inheritance) outlive(ctx context.Context, log *slog.Logger) {
	if i == nil || !i.ours.Load() || i.predecessor == nil {
		return
	}
	raw, err := i.predecessor.SyscallConn()
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = i.predecessor.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	waits := false
	err = raw.Read(func(fd uintptr) bool {
		if hasEnded(fd) {
			return true
		}
		if !waits {
			log.Info("waiting for the predecessor, which still drains")
		}
		waits = true
		return false
	})
	if err != nil {
		log.Warn("the predecessor still drains, and is left alone")
	}
}
