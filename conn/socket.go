package conn

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// rawConn is what a listener must accept: a connection with two halves. *net.TCPConn
// and *net.UnixConn are such.
type rawConn interface {
	net.Conn
	CloseWrite() error
}

// socket is the raw connection with the write clock on it. TLS, where there is any,
// runs above: a write that TLS begins is continued here until it is done or the peer is
// given up, so TLS never sees a timeout that it could not take back.
//
// One goroutine writes at a time; the read side is the raw connection's own.
type socket struct {
	rawConn
	// descriptor is for what the kernel is asked directly; nil for a connection in memory.
	descriptor syscall.RawConn
	limits     *Limits

	received atomic.Int64 // bytes read: the reader adds, anyone may look
	atOnce   bool         // reads take what there is, whatever the deadline; the reader's
	released atomic.Bool  // writes have no pace: whoever has the connection sets deadlines
	writing  atomic.Bool  // a write is under way

	timed    bool // one absolute deadline stands in place of the pace (handshake, close)
	armed    bool // a look is due, at the raw write deadline
	pace     pace
	sent     atomic.Int64 // bytes that the kernel took: writers add, anyone may look
	acked    int64        // of those, what the peer had acknowledged at the last look
	progress time.Time    // when the peer was last seen to acknowledge something
	owed     bool         // it had not acknowledged everything at the last look
	unsent   func(syscall.RawConn) (int64, bool)
}

func newSocket(raw rawConn, limits *Limits) *socket {
	unsent := unacknowledged
	if _, isUnix := raw.(*net.UnixConn); isUnix {
		unsent = untold
	}
	return &socket{rawConn: raw, descriptor: descriptorOf(raw), limits: limits, unsent: unsent}
}

// untold is unacknowledged of a unix socket, where SIOCOUTQ tells the memory that is taken
// and not the bytes. Progress there is what the kernel takes, 36 KiB at a time once the
// peer lags; and what it took is the peer's, even after our close.
func untold(syscall.RawConn) (int64, bool) { return 0, false }

// Read counts what comes: beneath TLS it shows of a record that has only half arrived.
func (k *socket) Read(p []byte) (int, error) {
	read := k.rawConn.Read
	if k.atOnce {
		read = k.readAtOnce
	}
	n, err := read(p)
	k.received.Add(int64(n))
	return n, err
}

// readAtOnce asks the kernel itself: Go would not once the deadline has passed.
func (k *socket) readAtOnce(p []byte) (n int, err error) {
	if k.descriptor == nil {
		return 0, os.ErrDeadlineExceeded
	}
	cerr := k.descriptor.Control(func(fd uintptr) { n, err = readDescriptor(fd, p) })
	if cerr != nil {
		return 0, cerr
	}
	if errors.Is(err, syscall.EAGAIN) {
		err = os.ErrDeadlineExceeded // as if it had just passed: TLS can go on afterwards
	}
	return n, err
}

// writeUntil gives all further writes one absolute deadline; the zero time returns them
// to the pace.
func (k *socket) writeUntil(t time.Time) {
	k.timed, k.armed = !t.IsZero(), false
	_ = k.SetWriteDeadline(t)
}

// release ends the pace for good.
func (k *socket) release() {
	k.released.Store(true)
	k.writeUntil(time.Time{})
}

// reset closes the connection so that the peer gets a reset where the transport has one:
// a plain close would look like the end of a message that only the close delimits. It
// never blocks.
func (k *socket) reset() {
	if l, ok := k.rawConn.(interface{ SetLinger(int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = k.Close()
}

// leaving tells whether the kernel holds bytes that the peer has not acknowledged.
func (k *socket) leaving() bool {
	queued, ok := k.unsent(k.descriptor)
	return ok && queued > 0
}

// tick is how often a blocked write looks at the peer's progress.
func (k *socket) tick() time.Duration {
	return min(k.limits.StallTimeout/4, k.limits.RateGrace)
}

// Write writes all of b, as slowly as the peer's progress allows.
func (k *socket) Write(b []byte) (int, error) {
	n, err := k.paced(func(done int64) (int64, error) {
		n, err := k.rawConn.Write(b[done:])
		return int64(n), err
	})
	return int(n), err
}

// vector is what a gathering write needs beyond the call.
type vector struct {
	pair [2][]byte
	rest net.Buffers
}

var vectors = sync.Pool{New: func() any { return new(vector) }}

// writeBoth is Write for a and then b. net.Buffers is writev on what is TCP, and one write
// after the other on what is not.
func (k *socket) writeBoth(a, b []byte) (int, error) {
	v := vectors.Get().(*vector)
	v.pair = [2][]byte{a, b}
	v.rest = v.pair[:]
	n, err := k.paced(func(int64) (int64, error) { return v.rest.WriteTo(k.rawConn) }) // it goes on where it was
	v.pair, v.rest = [2][]byte{}, nil
	vectors.Put(v)
	return int(n), err
}

// sendFile sends what r, which limits a file, has left by sendfile, in pieces.
func (k *socket) sendFile(r *io.LimitedReader, to io.ReaderFrom) (int64, error) {
	var total int64
	for r.N > 0 {
		piece := &io.LimitedReader{R: r.R, N: min(r.N, sendfilePiece)}
		want := piece.N
		n, err := k.paced(func(int64) (int64, error) { return sendPiece(piece, to) })
		total += n
		r.N -= n
		if err != nil || n < want {
			return total, err
		}
	}
	return total, nil
}

// sendPiece is one ReadFrom that leaves the file where the peer's bytes end. Where
// sendfile cannot be had, Go copies through memory, and a deadline between its read and
// its write would lose what was read: the response would go on with a hole in it.
func sendPiece(piece *io.LimitedReader, to io.ReaderFrom) (int64, error) {
	before := piece.N
	n, err := to.ReadFrom(piece)
	lost := before - piece.N - n
	if lost <= 0 {
		return n, err
	}
	s, ok := piece.R.(io.Seeker)
	if !ok {
		return n, io.ErrUnexpectedEOF
	}
	if _, serr := s.Seek(-lost, io.SeekCurrent); serr != nil {
		return n, serr
	}
	piece.N += lost
	return n, err
}

// paced runs op, which gets the number of bytes done so far, again and again until it
// ends with something else than the write deadline. It is where the write clock lives.
//
// Most writes never wait and ask no clock. A wait is judged by the looks at what the peer
// has acknowledged: one that began in an earlier write goes on in this one, or a peer that
// reads nothing would live on what the kernel's buffer takes.
func (k *socket) paced(op func(done int64) (int64, error)) (done int64, err error) {
	k.writing.Store(true)
	defer k.writing.Store(false)
	if k.timed || k.released.Load() { // who took the connection over may write with many goroutines
		done, err = op(0)
		k.sent.Add(done)
		return done, err
	}
	var looked time.Time // in this write
	if !k.armed {
		looked = time.Now()
		k.progress = looked
		k.arm(looked)
	}
	for {
		n, err := op(done)
		done += n
		k.sent.Add(n)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
		now, owed := time.Now(), k.owed
		moved := k.moved()
		if moved > 0 || looked.IsZero() && !owed {
			k.progress = now
		}
		if now.Sub(k.progress) >= k.limits.StallTimeout {
			return done, ErrStalled
		}
		if !looked.IsZero() && k.pace.wrote(now.Sub(looked), moved, k.limits.MinBytesPerSecond, k.limits.RateGrace) {
			return done, ErrTooSlow
		}
		looked = now
		k.arm(now)
	}
}

// arm sets the raw deadline to the next look. It stands for the writes that follow, until
// it passes: so it may come early in one of them, or before it.
func (k *socket) arm(now time.Time) {
	next := now.Add(k.tick())
	if stall := k.progress.Add(k.limits.StallTimeout); stall.Before(next) {
		next = stall
	}
	k.armed = true
	_ = k.SetWriteDeadline(next)
}

// moved is how many bytes the peer acknowledged since the last look, or, where the
// kernel does not tell, how many it took. Those of the writes in between, which needed no
// look, count too.
func (k *socket) moved() int64 {
	queued, ok := k.unsent(k.descriptor)
	if !ok {
		queued = 0
	}
	before := k.acked
	k.acked, k.owed = k.sent.Load()-queued, queued > 0
	return k.acked - before
}

// copyBytes is how much of content that cannot go by sendfile is read at a time: four TLS
// records. A reader who stalls holds as much, and so do 10,000 of them.
const copyBytes = 64 << 10

var copies = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// copyTo writes what r has left to w.
func copyTo(w io.Writer, r io.Reader) (total int64, err error) {
	buf := copies.Get().(*[copyBytes]byte)
	defer copies.Put(buf)
	for {
		n, rerr := r.Read(buf[:])
		if n > 0 {
			m, werr := w.Write(buf[:n])
			total += int64(m)
			if werr != nil {
				return total, werr
			}
		}
		if rerr == io.EOF {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
	}
}
