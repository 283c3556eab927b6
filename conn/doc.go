// Package conn accepts, tracks, limits, paces and drains connections. It knows no HTTP:
// a [Handler] speaks the protocol, and tells a [Conn] where in it the peer stands.
//
// # Who owns what
//
// A [Server] owns every connection from its accept to its close: it tracks it, runs the
// TLS handshake in the connection's own goroutine, calls the handler, and closes it when
// the handler has returned. The handler is the only reader and the only writer while it
// runs. One exception: [Server.Cut] closes the raw socket under both.
//
// A [Listener] is closed by [Server.CloseListeners] and by nobody else.
//
// # States and clocks
//
// A connection is in one state, and its state decides which clock runs. State and clock
// change together, under the connection's lock, in [Conn.change] and nowhere else.
//
//	from -> to          when                                    read clock                     write clock
//	-> New              accepted; preface, TLS handshake        handshake, then head: absolute handshake
//	New, Idle -> Active the first byte of a request arrived     head: absolute, never extended
//	Active, in the body [Conn.BeginBody]; the handler reads     stall and minimum rate
//	Active, writing     any write                                                              stall, renewed by progress; minimum rate
//	Active -> Idle      [Conn.Await] with nothing at hand       idle
//	Active -> Detached  [Conn.Detach]                           the handler's                  the handler's
//	any -> Closed       the handler returned                    linger: 1 s idle, 5 s and 256 KiB in all
//
// In a drain the handshake and head clocks become the smaller of what is left and 1 s,
// and an idle connection gets a last look: Go reports a deadline that has passed without
// looking at what the kernel has received, so a request that was sent before the drain
// would be lost by waking its reader alone.
//
// # Rest
//
// Idle costs little. What waits holds no read buffer, and after a second or two no grown
// stack either: the handler is left with [ErrResting], a new goroutine waits for the
// socket, and the handler is called again when there is something to do. State, clock and
// drain are the same for a connection at rest.
//
// # Proxies
//
// A [Listener] may trust peers. From those, and from nobody else, a [Preface] says who the
// client is: that address is what a handler, the log and the limit of connections per
// address see.
//
// # Pacing
//
// The write clock sits below TLS, where a partial write can be continued: a deadline
// over a whole Write would cut a slow but living reader of a large file. Progress is
// what the peer acknowledged, not what the kernel's send buffer took.
package conn
