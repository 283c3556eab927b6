package conn

import (
	"runtime"
	"time"
)

// Limits bound what a peer can cost. A zero field means its default.
type Limits struct {
	// Connections is how many connections may be open at once; 0 for no limit. One
	// more is refused: reset at once and counted.
	Connections int
	// ConnectionsPerIP is the same for one IPv4 address or one IPv6 /64; 0 for no limit.
	// A trusted proxy has none, nor does a unix socket.
	ConnectionsPerIP int

	// GiveWay has a new connection that is over one of the two limits take the place of
	// another, of its own address where that limit is the address's: of the one that has been
	// waiting the longest without a whole request, which is closed. Only where there is none
	// is the new one refused. It looks at all connections: for limits of some dozens.
	GiveWay bool

	// Handshakes is how many TLS handshakes may compute at once; 8 for each core that Go
	// may use, and 16 at least. More of them wait for their turn, under their clock. One
	// computes from bytes of its peer to ours: the signature, and the tls.Config's callbacks,
	// which should not wait for anything.
	Handshakes int

	HandshakeTimeout time.Duration // for a preface and the whole TLS handshake; 10 s
	HeadTimeout      time.Duration // for a whole head, never extended; 10 s
	IdleTimeout      time.Duration // between requests; 60 s
	StallTimeout     time.Duration // without progress, either way; 30 s

	// MinBytesPerSecond is the least average rate, either way, over any stretch of
	// RateGrace that was spent waiting for the peer. 240 B/s over 5 s; a negative
	// rate asks for none.
	MinBytesPerSecond int64
	RateGrace         time.Duration
}

// DefaultLimits are the limits of the zero Limits, spelled out.
func DefaultLimits() Limits {
	return Limits{
		Handshakes:        max(16, 8*runtime.GOMAXPROCS(0)),
		HandshakeTimeout:  10 * time.Second,
		HeadTimeout:       10 * time.Second,
		IdleTimeout:       60 * time.Second,
		StallTimeout:      30 * time.Second,
		MinBytesPerSecond: 240,
		RateGrace:         5 * time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct {
		have  *time.Duration
		value time.Duration
	}{
		{&l.HandshakeTimeout, d.HandshakeTimeout}, {&l.HeadTimeout, d.HeadTimeout},
		{&l.IdleTimeout, d.IdleTimeout}, {&l.StallTimeout, d.StallTimeout}, {&l.RateGrace, d.RateGrace},
	} {
		if *f.have <= 0 {
			*f.have = f.value
		}
	}
	if l.Handshakes <= 0 {
		l.Handshakes = d.Handshakes
	}
	if l.MinBytesPerSecond == 0 {
		l.MinBytesPerSecond = d.MinBytesPerSecond
	}
	return l
}

// IdleTimeout is how long this connection may be idle between two requests. Any goroutine
// may ask.
func (c *Conn) IdleTimeout() time.Duration { return c.server.limits.IdleTimeout }

// Fixed limits of closing and draining.
const (
	lingerIdle  = time.Second     // how long a half-closed peer may say nothing
	lingerTotal = 5 * time.Second // how long it may go on in all
	lingerBytes = 256 << 10       // how much of it is read
	// lingerBufferBytes is what it is read into: a flood of refused connections lingers.
	lingerBufferBytes = 2 << 10

	// lastLook is what a read gets to fetch a request that was already received when
	// the drain reached an idle connection. It need only be long enough for one read.
	lastLook = 5 * time.Millisecond
	// drainGrace is what a peer that has begun something, a handshake or a head, or
	// that is new, still gets in a drain.
	drainGrace = time.Second

	// emptyAccept is the fresh deadline of each accept while the queue is emptied, and
	// emptyTotal the end of that: a flood of new connections must not prolong a stop.
	emptyAccept = 20 * time.Millisecond
	emptyTotal  = 2 * time.Second

	// acceptPauseMin and acceptPauseMax bound the pause after an accept failed for want
	// of descriptors or memory. The longest is what recovery may take.
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = 500 * time.Millisecond

	// refusalInterval is the least time between two lines about refused connections, and
	// between two about failed accepts.
	refusalInterval = 10 * time.Second

	// sendfilePiece bounds one sendfile call, and with it how much goes out between
	// two looks at the clock.
	sendfilePiece = 1 << 20
)
