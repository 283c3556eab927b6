package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// dialPause is between two connections once connectionsLimit of them were made in a row, and
// between one that failed and the next.
const dialPause = 100 * time.Millisecond

// gate lets connections through at a pace. A Redis in trouble ends connections as fast as
// callers make them; each is a handshake, perhaps of TLS, that it can do without.
type gate struct {
	dialer      net.Dialer
	connections generation
	tls         *tls.Config

	mu     sync.Mutex
	next   time.Time // when the bucket is full again
	failed time.Time
	err    error // of the dial that failed then
}

func newGate(t *tls.Config) *gate {
	return &gate{tls: t, dialer: net.Dialer{Timeout: callLimit}}
}

// enter tells how long to wait before one asks again, 0 for who may pass, or the error of a dial
// that just failed. Who waits has reserved nothing: callers come and go a hundred times
// as fast as connections may be made, and must not leave a queue of their ghosts.
func (g *gate) enter(now time.Time) (time.Duration, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil && now.Sub(g.failed) < dialPause {
		return 0, g.err
	}
	if g.next.Before(now) {
		g.next = now
	}
	if wait := g.next.Add(dialPause).Sub(now) - connectionsLimit*dialPause; wait > 0 {
		return wait, nil
	}
	g.next = g.next.Add(dialPause)
	if g.err != nil {
		g.failed = now // one tries; the others go on failing until it has
	}
	return 0, nil
}

// passed notes how a dial ended. That its context did says nothing about Redis.
func (g *gate) passed(ctx context.Context, now time.Time, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err, g.failed = err, now
}

// dial is the library's way to a connection. Told of as many failures as there may be connections,
// it would try once a second from then on, and be late when Redis is back: so a
// connection that was not made fails when it is first used.
func (g *gate) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := g.pass(ctx, network, addr)
	if err != nil {
		return unmade{err}, nil
	}
	return g.connections.join(c), nil
}

// pass waits for the gate and connects. Who waits is given a connection that comes free
// meanwhile.
func (g *gate) pass(ctx context.Context, network, addr string) (net.Conn, error) {
	for {
		wait, err := g.enter(time.Now())
		if err != nil {
			return nil, err
		}
		if wait == 0 {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
	c, err := g.connect(ctx, network, addr)
	g.passed(ctx, time.Now(), err)
	return c, err
}

func (g *gate) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if g.tls == nil {
		return g.dialer.DialContext(ctx, network, addr)
	}
	return (&tls.Dialer{NetDialer: &g.dialer, Config: g.tls}).DialContext(ctx, network, addr)
}

// unmade is a connection that could not be made.
type unmade struct{ err error }

func (u unmade) Read([]byte) (int, error)         { return 0, u.err }
func (u unmade) Write([]byte) (int, error)        { return 0, u.err }
func (u unmade) Close() error                     { return nil }
func (u unmade) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (u unmade) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (u unmade) SetDeadline(time.Time) error      { return nil }
func (u unmade) SetReadDeadline(time.Time) error  { return nil }
func (u unmade) SetWriteDeadline(time.Time) error { return nil }
