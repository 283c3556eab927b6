package conn

import (
	"net/netip"
	"time"
)

// Giving way. Whoever holds connections on which nothing is asked could keep everybody else out
// of a small limit for as long as the clocks let it. With [Limits.GiveWay] a new connection
// takes the place of the one that has kept us waiting the longest: those who come and ask at
// once are always the youngest. A connection on which a request is under way keeps its place.

// makeRoom has the one that waits the longest give way to c, among those of c's address or,
// for an invalid one, among all. It gives up its place at once and ends soon after, so
// twice the limit can be open for that moment, and no more: false when nobody gives way. The
// caller holds t.mu.
func (t *tracker) makeRoom(c *Conn, source netip.Addr, l *Limits) bool {
	if !l.GiveWay || t.leaving >= max(l.Connections, l.ConnectionsPerIP) {
		return false
	}
	var oldest *Conn
	var longest time.Duration
	for other := range t.conns {
		if other == c || other.gaveWay || source.IsValid() && !(other.counts && sourceOf(other.whose()) == source) {
			continue
		}
		if waited := other.waited(); waited > longest || waited == longest && oldest != nil && other.id < oldest.id {
			oldest, longest = other, waited
		}
	}
	if oldest == nil {
		return false
	}
	t.uncount(oldest)
	oldest.gaveWay = true
	t.leaving++
	oldest.giveWay()
	return true
}

// waited is how long the connection has been waiting for its peer to ask something, or to
// finish that; 0 when it is not.
func (c *Conn) waited() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waits()
}

// waits is waited for a caller that holds c.mu. The head clock stands until somebody reads
// content: what tells a head from a handler at work is that more of the head is being read.
func (c *Conn) waits() time.Duration {
	var length time.Duration
	switch l := &c.server.limits; {
	case c.state == Closed && c.sock.leaving():
		return 0 // its answer is on the way
	case c.state == Closed:
		return 1 // it only lingers: the last resort
	case c.until.IsZero() && c.state == New: // its goroutine has yet to begin
		return time.Since(c.accepted) + 1
	case c.clock == clockHandshake:
		length = l.HandshakeTimeout
	case c.clock == clockHead && (c.state == New || c.inHead):
		length = l.HeadTimeout
	case c.clock == clockIdle:
		length = l.IdleTimeout
	default:
		return 0
	}
	return c.now().Sub(c.until.Add(-length)) + 1 // one that began this very moment waits too
}

// giveWay ends the wait, unless it ended this very moment. What has arrived by then is still
// answered, for the last time: see [Conn.Await].
func (c *Conn) giveWay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits() > 0 {
		c.evicted.Store(true)
		c.until = past
		if c.state == Closed {
			_ = c.sock.SetReadDeadline(past) // readOut's are its own
		}
		c.arm(past)
	}
}

// leaveHead notes that bytes of a head have come, perhaps the last.
func (c *Conn) leaveHead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inHead = false
}
