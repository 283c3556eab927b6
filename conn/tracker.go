package conn

import (
	"net/netip"
	"sync"
	"time"
)

// tracker knows every connection from its accept to its end. Its WaitGroup is added to
// only under mu and only before it is sealed, and waited for only after: so Add and Wait
// never race.
type tracker struct {
	mu      sync.Mutex
	sealed  bool
	last    uint64 // the newest connection's number
	conns   map[*Conn]struct{}
	perIP   map[netip.Addr]int
	books   Ledger
	turned  [turnedKinds]int64
	leaving int   // of conns, those that gave way and are about to end
	roll    *roll // nil until the stop is announced
	wg      sync.WaitGroup
}

// admit counts an accepted connection and tracks it. It returns false, with the
// connection already booked as refused, when a limit is reached.
func (t *tracker) admit(c *Conn, l *Limits) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.books.Accepted++
	t.last++
	c.id = t.last
	source := c.remote
	if c.trusted {
		source = netip.AddrPort{} // it comes for many
	}
	switch {
	case t.sealed:
		c.turned = stopping
	case t.full(l) && !l.GiveWay:
		c.turned = overConnections
	case !t.count(c, source, l):
		c.turned = overConnectionsPerIP
	case t.full(l) && !t.makeRoom(c, netip.Addr{}, l):
		t.uncount(c)
		c.turned = overConnections
	default:
		t.open(c)
		return true
	}
	t.books.Refused++
	t.turned[c.turned]++
	return false
}

// full tells whether one more connection is over the limit. The caller holds t.mu.
func (t *tracker) full(l *Limits) bool {
	return l.Connections > 0 && len(t.conns)-t.leaving >= l.Connections
}

// open tracks a connection that was let in. The caller holds t.mu.
func (t *tracker) open(c *Conn) {
	if t.conns == nil {
		t.conns = map[*Conn]struct{}{}
	}
	t.conns[c] = struct{}{}
	t.books.Open++
	t.wg.Add(1)
}

// count counts c under its client's address, unless that has reached its limit. The caller
// holds t.mu.
func (t *tracker) count(c *Conn, client netip.AddrPort, l *Limits) bool {
	source := sourceOf(client)
	if l.ConnectionsPerIP <= 0 || !source.IsValid() {
		return true
	}
	if t.perIP[source] >= l.ConnectionsPerIP && !t.makeRoom(c, source, l) {
		return false
	}
	if t.perIP == nil {
		t.perIP = map[netip.Addr]int{}
	}
	c.counts = true
	t.perIP[source]++
	return true
}

// attribute counts a proxy's connection under the client that it turned out to be for. It
// returns false when that one has reached its limit.
func (t *tracker) attribute(c *Conn, l *Limits) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count(c, c.remote, l)
}

// forget ends the tracking of c and books how it ended. It is the last thing that c's
// goroutine does.
func (t *tracker) forget(c *Conn, e ending, late int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
	t.uncount(c)
	if c.gaveWay {
		t.leaving--
	}
	t.books.Open--
	*t.books.column(e)++
	if e == refused || e == handshakeFailed {
		t.turned[c.turned]++
	}
	t.books.LateBytes += late
	t.roll.ended(c, e, late)
	t.wg.Done()
}

// uncount undoes count. The caller holds t.mu.
func (t *tracker) uncount(c *Conn) {
	if !c.counts {
		return
	}
	c.counts = false
	source := sourceOf(c.whose())
	if t.perIP[source]--; t.perIP[source] == 0 {
		delete(t.perIP, source)
	}
}

// seal lets no further connection in. Only then may anyone wait.
func (t *tracker) seal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sealed = true
}

// all are the connections that are open now.
func (t *tracker) all() []*Conn {
	t.mu.Lock()
	defer t.mu.Unlock()
	conns := make([]*Conn, 0, len(t.conns))
	for c := range t.conns {
		conns = append(conns, c)
	}
	return conns
}

func (t *tracker) ledger() Ledger {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.books
}

// sourceOf is what a per-address limit counts by: one host has a whole IPv6 /64 to
// choose addresses from.
func sourceOf(a netip.AddrPort) netip.Addr {
	ip := a.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// newConn makes the record of a connection that was just accepted.
func (s *Server) newConn(raw rawConn, l *Listener) *Conn {
	c := &Conn{
		server: s, listener: l, accepted: time.Now(), sock: newSocket(raw, &s.limits),
		remote: addrPort(raw.RemoteAddr()), local: addrPort(raw.LocalAddr()),
	}
	c.trusted = l.trusts(c.remote.Addr())
	c.stream = c.sock
	return c
}
