package conn

import (
	"errors"
	"time"
)

// Errors of the clocks. Each means that the peer did not keep up; the connection is of
// no use any more.
var (
	ErrHandshakeTimeout = errors.New("conn: TLS handshake not finished in time")
	ErrHeadTimeout      = errors.New("conn: request head not finished in time")
	ErrIdleTimeout      = errors.New("conn: idle for too long")
	ErrStalled          = errors.New("conn: no progress within the stall timeout")
	ErrTooSlow          = errors.New("conn: below the minimum rate")
	// ErrStopped is what a read gets once StopReading was called.
	ErrStopped = errors.New("conn: reading was stopped")
	// ErrDrained ends the wait for a next request that the drain does not allow.
	ErrDrained = errors.New("conn: drained while idle")
	// ErrResting ends a wait that is to go on with less memory: [Conn.Await] has more.
	ErrResting = errors.New("conn: idle, at rest")
)

// pace measures a peer's average rate over the time that was spent waiting for it. The
// time in which we had nothing to ask of it does not count, so a handler that writes one
// event a minute harms nobody. The zero value is ready.
type pace struct {
	waited time.Duration
	moved  int64         // bytes
	after  time.Duration // of the waiting, what came after the grace was over
}

// read books the wait of one read and what it brought, and reports whether the peer is
// too slow: below rate bytes a second over at least grace. A read shows only the first of
// the bytes that ended its wait, as many as its caller had room for. So no wait is judged
// before the next one that is worth the name: else six seconds of a lost network would be
// fatal to an upload that is read a kilobyte at a time.
func (p *pace) read(waited time.Duration, n, rate int64, grace time.Duration) (slow bool) {
	if p.waited >= grace {
		if p.after += waited; p.after >= grace/10 {
			slow = p.below(rate)
			*p = pace{}
		}
	}
	p.waited += waited
	p.moved += n
	return slow
}

// wrote books a wait for a write and what it brought, all of it, and reports whether the
// peer is too slow. A wait that brought nothing never says so; that is the stall clock's
// to judge.
func (p *pace) wrote(waited time.Duration, moved, rate int64, grace time.Duration) (slow bool) {
	p.waited += waited
	p.moved += moved
	if moved == 0 || p.waited < grace {
		return false
	}
	slow = p.below(rate)
	*p = pace{}
	return slow
}

// below tells whether what moved is less than the rate asks for; none does if it asks
// for nothing.
func (p *pace) below(rate int64) bool {
	return float64(p.moved) < float64(rate)*p.waited.Seconds()
}
