package conn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// State is where a connection stands; the package comment has the table.
type State uint8

// The states of a connection.
const (
	New State = iota
	Idle
	Active
	Detached
	Closed
)

// String is the state's name in lower case.
func (s State) String() string {
	return [...]string{"new", "idle", "active", "detached", "closed"}[s]
}

// clock says which read clock runs. Each has its error.
type clock uint8

const (
	clockHandshake clock = iota
	clockHead
	clockIdle
	clockBody
	clockStopped // StopReading: ran out until another one is started
	clockNone
)

// expired is the error of a clock that ran out.
func (k clock) expired() error {
	return [...]error{ErrHandshakeTimeout, ErrHeadTimeout, ErrIdleTimeout, ErrStalled, ErrStopped, nil}[k]
}

// past is a deadline that makes a blocked read return at once.
var past = time.Unix(1, 0)

// A Conn is one connection, as its handler sees it. Its methods are for the goroutine
// that runs the handler, except where they say otherwise. The handler does not close it.
type Conn struct {
	server   *Server
	listener *Listener
	id       uint64
	counted  uint64
	accepted time.Time
	remote   netip.AddrPort
	local    netip.AddrPort
	sock     *socket
	stream   net.Conn // sock, or TLS on it
	tls      *tls.ConnectionState
	waiter   waiter

	begun   time.Time   // when the latest request's head clock began
	body    pace        // of the content being read
	slow    bool        // it was too slow: said with the bytes, and again at the next read
	resting bool        // Await gave its wait up for a rest
	trusted bool        // the listener trusts the peer
	counts  bool        // under its client's address; the tracker's
	gaveWay bool        // to another, so it counts for no limit any more; the tracker's
	opened  bool        // preface and handshake are behind it
	preface uint16      // how many bytes its preface had
	unnamed bool        // a trusted peer's preface named nobody
	broken  atomic.Bool // the peer must see a cut
	forced  atomic.Bool // Cut closed it
	evicted atomic.Bool // another connection takes its place
	ended   atomic.Bool // the peer sent its FIN or broke the connection: no use in lingering

	mu       sync.Mutex
	lifetime *lifetime // nil until somebody asks for its context
	state    State
	clock    clock
	over     bool          // the context has ended, or would have
	draining bool          // the server's drain has reached this connection
	looked   bool          // the last look was given
	inHead   bool          // more of a head is being read
	untold   bool          // idle since the announcement, behind a response that does not repeat it
	halfway  bool          // and, when it showed half a TLS record, the time for the rest
	turned   turned        // why it never came to its handler; of its goroutine, and here because there is room
	until    time.Time     // when the clock runs out; for clockBody it moves with each read
	armed    time.Time     // what the raw read deadline was last set to
	bound    time.Time     // ReadUntil's; zero for none
	readFrom time.Duration // from the accept to the read of content under way
	readAt   int64         // raw bytes that had come by then
	seen     int64         // raw bytes that the stall clock has seen, or that had come when a wait began
	tell     Tell          // nil while the handler tells nothing
}

// Count numbers what the handler serves on this connection, from 1, over any rests.
func (c *Conn) Count() uint64 {
	c.counted++
	return c.counted
}

// ID is the connection's number, from 1, in the order of accepts.
func (c *Conn) ID() uint64 { return c.id }

// Accepted is when the connection was accepted.
func (c *Conn) Accepted() time.Time { return c.accepted }

// Remote is the client's address: the peer's, unless the [Preface] of a trusted one says
// otherwise. It is not valid for a unix socket.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Unnamed tells that a trusted peer speaks for somebody else and did not say for whom: its
// [Preface] named no client. Remote is the peer's then, and nothing that comes on the
// connection has the peer's word.
func (c *Conn) Unnamed() bool { return c.unnamed }

// Local is the address that the client connected to: our own, unless the preface says
// otherwise. It is not valid for a unix socket.
func (c *Conn) Local() netip.AddrPort { return c.local }

// TLS describes the session; nil without TLS. It is not to be changed.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// Closing tells whether the server's stop was announced, or the connection has to give way
// ([Limits.GiveWay]). From then on every message should say that it is the connection's
// last. Any goroutine may ask.
func (c *Conn) Closing() bool { return c.server.announced.Load() || c.evicted.Load() }

// Forced tells whether [Server.Cut] cut this connection. Any goroutine may ask.
func (c *Conn) Forced() bool { return c.forced.Load() }

// State is where the connection stands now. Any goroutine may ask.
func (c *Conn) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// enter moves the connection to a state and starts its clock.
func (c *Conn) enter(state State, k clock, length time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change(state, k, length, c.now())
}

// now is the time by the monotonic clock, at half the price of a look at both clocks.
func (c *Conn) now() time.Time { return c.accepted.Add(time.Since(c.accepted)) }

// change is the one place where state and clock change, so a drain always finds the two
// in step. The caller holds c.mu.
func (c *Conn) change(state State, k clock, length time.Duration, now time.Time) {
	c.state, c.clock = state, k
	c.untold = k == clockIdle && c.server.announced.Load()
	switch {
	case k == clockNone:
		c.until = time.Time{}
	case !c.draining || k == clockBody:
		c.until = now.Add(length)
	default:
		// Idle too: its last response began before the stop was announced and did not say
		// that it was the last, so the next request may be on its way.
		c.looked = c.looked || k == clockIdle
		c.until = now.Add(min(length, drainGrace))
	}
	if c.evicted.Load() && k != clockNone && k != clockBody { // what was at hand is answered, no more
		c.until = past
	}
}

// BeginHead starts the head clock for a request whose first bytes are already at hand. A
// deadline that [Conn.WriteUntil] set for the one before is over.
func (c *Conn) BeginHead() {
	now := time.Now()
	c.begun = now
	if c.sock.timed {
		c.sock.writeUntil(time.Time{})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change(Active, clockHead, c.server.limits.HeadTimeout, now)
}

// Begun is when the latest request's first bytes came to hand.
func (c *Conn) Begun() time.Time { return c.begun }

// BeginBody stops the head clock: from now on reads have the stall clock and the
// minimum rate.
func (c *Conn) BeginBody() {
	c.body, c.slow = pace{}, false
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound = time.Time{}
	c.change(Active, clockBody, c.server.limits.StallTimeout, c.now())
}

// Detach hands both halves of the connection to the handler: no clock runs any more, and
// deadlines are its own to set. The connection stays counted, and [Conn.Announced] tells
// of the drain.
func (c *Conn) Detach() {
	c.enter(Detached, clockNone, 0)
	_ = c.SetReadDeadline(time.Time{})
	c.sock.release()
}

// Announced is closed when the server's stop is announced. Any goroutine may use it.
func (c *Conn) Announced() <-chan struct{} { return c.server.announcement }

// WriteUntil gives all further writes one absolute deadline, in place of the stall clock
// and the minimum rate; the zero time gives them back to those, as the next BeginHead does.
func (c *Conn) WriteUntil(t time.Time) { c.sock.writeUntil(t) }

// SetReadDeadline sets the read deadline of a detached connection. It does not undo
// [Conn.StopReading]. Any goroutine may call it.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock == clockStopped {
		return nil
	}
	c.armed = t
	return c.sock.SetReadDeadline(t)
}

// SetWriteDeadline sets the write deadline of a detached connection. Over TLS a write
// that ran into one was the last: the session cannot go on behind half a record. Any
// goroutine may call it.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.sock.SetWriteDeadline(t) }

// CloseWrite ends our half of a detached connection: close_notify where there is TLS, then
// the FIN. Nothing can be written afterwards; reads go on.
func (c *Conn) CloseWrite() error {
	if t, ok := c.stream.(*tls.Conn); ok {
		if err := t.CloseWrite(); err != nil {
			return err
		}
	}
	return c.sock.CloseWrite()
}

// Write writes all of p. A peer that makes no progress, or too little, is given up with
// [ErrStalled] or [ErrTooSlow]. After a failed write the close is a reset, as after
// [Conn.Break].
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.stream.Write(p)
	if err != nil {
		c.giveUp()
	}
	return n, err
}

// WriteBoth writes head and then content, on plain TCP by one system call: the peer wakes
// once. It is Write for both of them otherwise, and how many bytes were written.
func (c *Conn) WriteBoth(head, content []byte) (int, error) {
	if c.tls != nil {
		n, err := c.Write(head)
		if err != nil {
			return n, err
		}
		m, err := c.Write(content)
		return n + m, err
	}
	n, err := c.sock.writeBoth(head, content)
	if err != nil {
		c.giveUp()
	}
	return n, err
}

// giveUp follows a failed write: half a message went out, and the kernel may hold
// megabytes more for a peer that does not read. A plain close would leave it holding
// them for minutes.
func (c *Conn) giveUp() {
	c.ended.Store(true)
	c.broken.Store(true)
}

// ReadFrom writes what r has left: by sendfile where r is an *os.File behind an
// *io.LimitedReader and the connection is plain TCP, else through a pooled buffer.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if lr, ok := r.(*io.LimitedReader); ok && c.tls == nil {
		if _, ok := lr.R.(*os.File); ok {
			if to, ok := c.sock.rawConn.(io.ReaderFrom); ok {
				n, err := c.sock.sendFile(lr, to)
				if fromPeer(err) {
					c.giveUp()
				}
				return n, err
			}
		}
	}
	return copyTo(c, r)
}

// fromPeer tells an error of the connection from one of the file that was sent on it.
func fromPeer(err error) bool {
	for _, e := range []error{ErrStalled, ErrTooSlow, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET, syscall.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Ended tells whether the peer is known to read or to write no more: it closed its half,
// or a read or a write failed. Any goroutine may ask.
func (c *Conn) Ended() bool { return c.ended.Load() }

// drain is the drain reaching this connection; the server calls it once.
func (c *Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	switch {
	case c.state == Closed:
	case c.clock == clockIdle:
		c.until = c.lastChance(time.Now())
		c.arm(c.until)
	case c.clock == clockHandshake, c.clock == clockHead:
		if soon := time.Now().Add(drainGrace); soon.Before(c.until) {
			c.until = soon
		}
		c.arm(c.until)
	}
}

// lastChance is how long an idle connection waits on when the drain reaches it. One whose
// last response began before the announcement and ended after it has been idle for a
// moment perhaps, and its peer was not told: it has the same second as one that becomes idle
// later. The caller holds c.mu.
func (c *Conn) lastChance(now time.Time) time.Time {
	idleSince := c.until.Add(-c.server.limits.IdleTimeout)
	if until := idleSince.Add(drainGrace); c.untold && until.After(now.Add(lastLook)) {
		c.looked = true
		return until
	}
	return past
}

// Break makes the close of this connection a reset, so that the peer cannot take what it
// got for a whole message.
func (c *Conn) Break() { c.broken.Store(true) }

// TakeAtHand reads what the peer has sent already, without waiting for more, and returns how
// much that was.
func (c *Conn) TakeAtHand(b Buffer) int { return c.waiter.look(b) }

// cut resets the raw connection under whoever uses it.
// One that only lingers has nothing left to lose but its peer's last bytes: it is closed
// and not counted. cut reports whether it counts.
func (c *Conn) cut() bool {
	c.mu.Lock()
	lingers := c.state == Closed
	c.mu.Unlock()
	defer c.finish() // last: a handler that it wakes must not say goodbye to the peer first
	if lingers && !c.sock.leaving() {
		_ = c.sock.Close()
		return false
	}
	c.forced.Store(true)
	c.sock.reset()
	return true
}
