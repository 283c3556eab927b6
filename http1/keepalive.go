package http1

import (
	"strconv"
	"sync/atomic"
	"time"
)

// idleMargin is how much earlier than we do a client should give an idle connection up: a
// request that it sends at the last moment meets our FIN on the way, and cannot always be
// sent again. It has to cover the way there and back and a client's coarse clock. A short
// idle timeout gives half of itself.
const idleMargin = 5 * time.Second

// keeping is what a response says that does not end the connection: a field line that is
// made once, empty for none. The timeout is that of RFC 2068 §19.7.1.
type keeping struct{ timeout string }

// keepFor is the keeping of connections with this idle timeout: none below 2 s, for there
// is no shorter one to advertise than 1 s.
func keepFor(idle time.Duration) keeping {
	seconds := int64((idle - min(idleMargin, idle/2)) / time.Second)
	if seconds < 1 {
		return keeping{}
	}
	return keeping{"Keep-Alive: timeout=" + strconv.FormatInt(seconds, 10) + "\r\n"}
}

// keepings keeps the latest keeping: all connections of a server have the same idle
// timeout, unless two kinds of them are served.
type keepings struct{ latest atomic.Pointer[timedKeeping] }

type timedKeeping struct {
	idle time.Duration
	keeping
}

func (k *keepings) of(idle time.Duration) keeping {
	l := k.latest.Load()
	if l == nil || l.idle != idle {
		l = &timedKeeping{idle, keepFor(idle)}
		k.latest.Store(l)
	}
	return l.keeping
}
