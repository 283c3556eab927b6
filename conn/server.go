package conn

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A Handler speaks a protocol on connections.
type Handler interface {
	// ServeConn serves c until it is of no more use. It returns nil when no request was
	// pending then, else what broke one off. It neither closes c nor keeps it: the
	// Server lingers over and closes c after ServeConn returned. When Await says
	// [ErrResting] it returns that, and is called again for the same c later.
	ServeConn(c *Conn) error
}

// A Listener is where connections come from and what becomes of them. The Server closes
// it in its drain; nobody else does.
type Listener struct {
	net.Listener
	// TLS, when not nil, is spoken on every connection. It is shared, never cloned.
	TLS     *tls.Config
	Handler Handler
	// NotTLS makes what is sent, in clear, to a peer that does not speak TLS where TLS
	// is expected: a short message in the protocol it will have meant. It is called by
	// the connection's goroutine; nil for no message.
	NotTLS func(*Conn) []byte

	// Trusts, when not nil, tells whether the peer at an address is a proxy of ours; an
	// address that is not valid is a unix socket's peer. Its connections come for many
	// clients, so ConnectionsPerIP does not bound them, and one that it closes without a
	// byte was a health check. It is called once for a connection, and must not block.
	Trusts func(peer netip.Addr) bool
	// Preface, when not nil, is read from trusted peers, which must send it, and looked for
	// with nobody else. ConnectionsPerIP then counts the client that it names.
	Preface Preface

	handed atomic.Bool // another process has the socket too, and accepts
}

// Server accepts, tracks and drains connections from any number of listeners. Its fields
// are set before the first Serve and not changed afterwards; the zero value works.
//
// It ends by Announce, CloseListeners, Drain and, where that is not enough, Cut, called
// in this order by one goroutine.
type Server struct {
	Limits Limits
	// Log gets what an operator should know. A peer's faults go there at debug level.
	// Nil discards.
	Log *slog.Logger

	once      sync.Once
	limits    Limits
	log       *slog.Logger
	tracker   tracker
	acceptors acceptors

	handshakes  chan struct{} // holds one for each that computes
	drained     chan struct{} // closed once the drain has reached every connection
	drainedOnce sync.Once

	tag          uint64       // tells this server's goroutines from another's
	refusalTold  atomic.Int64 // when, in Unix seconds
	announced    atomic.Bool
	announcement chan struct{}
}

// setUp runs before anything else touches the unexported fields.
func (s *Server) setUp() {
	s.once.Do(func() {
		s.limits = s.Limits.withDefaults()
		s.log = s.Log
		if s.log == nil {
			s.log = slog.New(slog.DiscardHandler)
		}
		s.announcement = make(chan struct{})
		s.tag = servers.Add(1)
		s.handshakes = make(chan struct{}, s.limits.Handshakes)
		s.drained = make(chan struct{})
		s.acceptors.closing = make(chan struct{})
	})
}

// Ledger is the connections' account as it stands.
func (s *Server) Ledger() Ledger { return s.tracker.ledger() }

// start tracks an accepted connection and serves it in a goroutine of its own, which
// the tracker's WaitGroup owns.
func (s *Server) start(nc net.Conn, l *Listener) {
	raw, ok := nc.(rawConn)
	if !ok {
		panic("conn: listener accepts connections that cannot be half-closed")
	}
	c := s.newConn(raw, l)
	if !s.tracker.admit(c, &s.limits) {
		c.sock.reset()
		s.tellRefused(c, 0)
		return
	}
	go s.run(c)
}

// tellRefused logs that a limit is reached: once at first and then once an interval with
// what the ledger counts, and is about to, for a flood must not flood the log.
func (s *Server) tellRefused(c *Conn, unbooked int64) {
	now := time.Now().Unix()
	last := s.refusalTold.Load()
	if now-last < int64(refusalInterval/time.Second) || !s.refusalTold.CompareAndSwap(last, now) {
		return
	}
	l := s.tracker.ledger()
	s.log.Warn("connections refused: over a limit", "latest_client", c.client(), "refused", l.Refused+unbooked, "open", l.Open,
		"limit", s.limits.Connections, "limit_per_ip", s.limits.ConnectionsPerIP)
}

// run is a connection's life, or as much of it as is between two rests.
func (s *Server) run(c *Conn) {
	end := forced // unless something better is known: a panic cuts
	var late int64
	closed, rests := false, false
	defer func() {
		if rests {
			return
		}
		if v := recover(); v != nil {
			s.log.Error("connection handler panicked", "client", c.client(), "panic", v, "stack", string(debug.Stack()))
		}
		if !closed { // by a panic or runtime.Goexit
			c.cut()
		}
		s.tracker.forget(c, end, late)
	}()
	var result ending
	if result, rests = s.serve(c, [2]uint64{s.tag, c.id}); rests {
		go s.rest(c)
		return
	}
	c.finish()
	read := c.close()
	closed = true
	if result == quiet && c.Closing() {
		late = read
	}
	if end = result; c.Forced() {
		end = forced
	}
}

// serve begins the connection, the first time, and lets the handler speak. Nobody reads
// the tag but a stack's reader: see [stacksOf].
//
//go:noinline
func (s *Server) serve(c *Conn, _ [2]uint64) (end ending, rests bool) {
	if !c.opened {
		if err := c.begin(); err != nil {
			return s.unbegun(c, err), false
		}
		c.opened = true
	}
	if c.waiter == nil {
		c.waiter = newWaiter(c.stream, c.sock)
	}
	err := c.listener.Handler.ServeConn(c)
	c.TellBy(nil)
	switch {
	case c.resting && errors.Is(err, ErrResting):
		return quiet, true
	case err != nil:
		s.tellBroken("connection broke off", c, err)
		return peerLeft, false
	}
	return quiet, false
}

// tellBroken stays out of the frame of its caller, which is on the stack of every
// connection: 200 bytes there make the smallest stack too small for one that waits.
//
//go:noinline
func (s *Server) tellBroken(what string, c *Conn, err error) {
	s.log.Debug(what, "client", c.client(), "error", err)
}

// begin reads the preface and makes the TLS handshake, where they are asked for. One clock
// is over both, absolute and for both directions.
func (c *Conn) begin() error {
	if !c.hasPreface() && c.listener.TLS == nil {
		return nil
	}
	c.enter(New, clockHandshake, c.server.limits.HandshakeTimeout)
	c.armRead()
	c.sock.writeUntil(time.Now().Add(c.server.limits.HandshakeTimeout))
	defer c.sock.writeUntil(time.Time{})
	if c.hasPreface() {
		if err := c.readPreface(); err != nil {
			return err
		}
	}
	if c.listener.TLS == nil {
		return nil
	}
	return c.handshake()
}

// refuseHandshake tells a peer that does not speak TLS so, in its own words.
func (c *Conn) refuseHandshake(err error) {
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil && looksLikeText(header.RecordHeader) && c.listener.NotTLS != nil {
		_, _ = c.sock.Write(c.listener.NotTLS(c))
	}
}

// looksLikeText tells a clear-text request, which deserves an answer that a person can
// read, from noise.
func looksLikeText(header [5]byte) bool {
	for _, b := range header {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}

// client is the peer as a log names it.
func (c *Conn) client() string { return clientText(c.remote) }

func clientText(remote netip.AddrPort) string {
	if !remote.IsValid() {
		return "unix"
	}
	return remote.String()
}

// addrPort is a's address and port, the zero value for one that has none.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
