package conn

import (
	"context"
	"time"
)

// Steering outlives whoever asked for it: the program belongs to the group, and when the
// leaving one has gone it still sends all connections to one number. So whoever stays looks
// again and again whether somebody is leaving, and takes the program away when nobody is.
// That holds for one that was killed on its way out too, and for one that comes while another
// leaves: it leaves the program alone. The one that leaves steers again and again for its
// part: a look just before its mark was set may take the program away just after.
const (
	// sharersLook is how often those who stay look, and with it about how long a steering
	// outlasts its end. A look reads a few lines of /proc.
	sharersLook = time.Second
	// steerAgain is how often the one that leaves steers anew. What its own queue gets in
	// between is accepted: it is watched for twenty times as long.
	steerAgain = 25 * time.Millisecond
)

// stay looks after the group of a shared port until this process leaves it too, or its loop has
// ended.
func (a *acceptor) stay(l *sharedListener, closing <-chan struct{}) {
	tick := time.NewTicker(sharersLook)
	defer tick.Stop()
	for first := true; ; first = false {
		if leaving, ok := l.sharers(); ok && !anyOf(leaving) || !ok && first {
			l.unsteer()
		}
		select {
		case <-tick.C:
		case <-closing:
			return
		case <-a.emptied:
			return
		}
	}
}

func anyOf(leaving map[string]bool) bool {
	for _, leaves := range leaving {
		if leaves {
			return true
		}
	}
	return false
}

// lost tells whether one of those before is no more among those now: numbers have changed then.
func lost(before, now map[string]bool) bool {
	for inode := range before {
		if _, there := now[inode]; !there {
			return true
		}
	}
	return false
}

// leave sends new connections to others who share the port, and returns when what was on its
// way has come, or ctx is done, or the loop has ended. It tells when nobody else is there.
func (a *acceptor) leave(ctx context.Context, l *sharedListener) (alone bool) {
	l.markLeaving()
	before, _ := l.sharers()
	index, alone := a.steer(ctx, l)
	if alone {
		return true
	}
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	tick := time.NewTicker(steerAgain)
	defer tick.Stop()
	for {
		select {
		case <-settled.C:
			return false
		case <-a.emptied:
			return false
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		now, ok := l.sharers()
		if ok && lost(before, now) { // the number may be ours by now
			if index, alone = a.steer(ctx, l); alone {
				return true
			}
			settled.Reset(settleTime)
		} else {
			_ = l.steer(index)
		}
		before = now
	}
}
