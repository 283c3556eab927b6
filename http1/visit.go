package http1

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

const (
	readBufferBytes  = 4 << 10  // to begin with; a longer head makes it grow
	keptBufferBytes  = 24 << 10 // a read buffer that grew past this is not pooled
	contentRoomBytes = 1 << 10  // the least room for content behind a head
	outBufferBytes   = 16 << 10 // responses wait up to this size; one TLS record
)

// visit is one connection's stay: what it holds even while it is parked. It gets its
// buffers from the pool when bytes arrive.
type visit struct {
	server *Server
	conn   *conn.Conn
	peer   exchange.Peer
	w      *work // nil while parked

	watcher watcher // for the client's departure while a handler runs
	keep    keeping // what a response says that does not end the connection

	seq     atomic.Uint64 // of the request under way, or of the last one
	begun   time.Time     // when its first byte was read
	from    conn.Traffic  // what the connection had carried before it
	pending bool          // it has not ended yet

	follower *conn.Follower // hears how it ended, once nobody asks any more; nil for nobody
}

// work is what it takes to serve requests; a parked connection has none.
type work struct {
	// buf[next:filled] came and is unread. While an exchange is under way its head
	// stays where it is, in front of pinned, for the views into it.
	buf          []byte
	next, filled int
	pinned       int

	out []byte // finished or committed, and not sent yet

	scan     wire.Scanner
	head     wire.Head
	chunked  wire.Chunked
	trailers wire.Trailers
	exchange exchange.Exchange
	sink     sink
}

var works = sync.Pool{New: func() any {
	return &work{buf: make([]byte, readBufferBytes), out: make([]byte, 0, readBufferBytes)}
}}

// Room is conn.Buffer: bytes may have come.
func (v *visit) Room() []byte {
	if v.w == nil {
		v.w = works.Get().(*work)
	}
	return v.w.buf
}

// Return is conn.Buffer, and the end of a burst of requests: the work goes back.
func (v *visit) Return() {
	w := v.w
	if v.w = nil; w == nil {
		return
	}
	w.next, w.filled, w.pinned, w.out = 0, 0, 0, w.out[:0]
	w.head.Reset()
	w.trailers.Reset()
	w.exchange, w.sink = exchange.Exchange{}, sink{}
	if len(w.buf) <= keptBufferBytes && cap(w.out) <= 2*outBufferBytes {
		works.Put(w)
	}
}

// keep puts back a byte that was read past the buffer, which is empty.
func (w *work) keep(c byte) {
	w.next, w.filled = w.pinned, w.pinned
	if w.filled == len(w.buf) {
		w.makeRoom(contentRoomBytes)
	}
	w.buf[w.filled] = c
	w.filled++
}

func (w *work) unread() []byte { return w.buf[w.next:w.filled] }

func (w *work) consume(n int) { w.next += n }

// reserve makes sure that behind a head of n bytes there is room for content. It comes
// before the head is parsed: afterwards views point into the buffer.
func (w *work) reserve(n int) {
	if len(w.buf)-w.next-n < contentRoomBytes {
		w.makeRoom(n + contentRoomBytes)
	}
}

// makeRoom makes the unread part able to grow to n bytes. It moves what is unread down to
// the pinned part, and to a larger buffer when that is not enough; views into the old
// buffer keep that alive.
func (w *work) makeRoom(n int) {
	if w.pinned+n <= len(w.buf) {
		w.filled = w.pinned + copy(w.buf[w.pinned:], w.unread())
		w.next = w.pinned
		return
	}
	size := 2 * len(w.buf)
	for size < w.pinned+n {
		size *= 2
	}
	buf := make([]byte, size)
	copy(buf, w.buf[:w.pinned])
	w.filled = w.pinned + copy(buf[w.pinned:], w.unread())
	w.next, w.buf = w.pinned, buf
}

// fill reads once from the connection, behind what is unread. It makes room as needed: its
// callers bound how much they let stay unread.
func (v *visit) fill() error {
	w := v.w
	if w.next == w.filled {
		w.next, w.filled = w.pinned, w.pinned
	}
	if w.filled == len(w.buf) {
		w.makeRoom(len(w.unread()) + contentRoomBytes)
	}
	n, err := v.conn.Read(w.buf[w.filled:])
	w.filled += n
	if n > 0 {
		return nil // an error that came with bytes comes again without them
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// nothingAtHand looks, during a stop, for a request that has reached us and was not read
// yet, and reports that there is none.
func (v *visit) nothingAtHand() bool {
	if reads, found := v.watcher.watched(); reads {
		return !found
	}
	n := v.conn.TakeAtHand(atHand{v.w})
	v.w.filled += n
	return n == 0
}

// atHand is room behind what is unread, as a conn.Buffer.
type atHand struct{ w *work }

func (a atHand) Room() []byte {
	if a.w.filled == len(a.w.buf) {
		a.w.makeRoom(len(a.w.unread()) + contentRoomBytes)
	}
	return a.w.buf[a.w.filled:]
}

func (a atHand) Return() {}

// flush sends what waits.
func (v *visit) flush() error {
	if v.w == nil || len(v.w.out) == 0 {
		return nil
	}
	_, err := v.conn.Write(v.w.out)
	v.w.out = v.w.out[:0]
	if err != nil {
		v.w.sink.fail()
	}
	return err
}

// poisoned overwrites what a request held, in tests, so that a view that outlived its
// handler shows.
func (v *visit) poisoned() {
	if !v.server.poison {
		return
	}
	for i := range v.w.buf[:v.w.next] {
		v.w.buf[i] = 0xDB
	}
}
