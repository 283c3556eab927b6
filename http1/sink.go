package http1

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// sink writes a response as HTTP/1.1 (RFC 9112). What it takes waits in the work's out
// buffer until that is full, the handler flushes, or the loop is about to block.
type sink struct {
	visit  *visit
	body   *body // the request's content, nil for none
	coding coding
	closes bool    // the connection ends after this response
	broken bool    // a write failed
	stream *stream // what the handler took the connection over as; nil when it did not
}

// coding is how the response's content is framed.
type coding uint8

const (
	byLength coding = iota
	byChunks
	byClose
)

func (s *sink) Context() context.Context { return s.visit.watcher.of() }

func (s *sink) SetReadDeadline(t time.Time) error {
	s.visit.conn.ReadUntil(t)
	return nil
}

func (s *sink) SetWriteDeadline(t time.Time) error {
	s.visit.conn.WriteUntil(t)
	return nil
}

// Inform sends an informational response: what waits before it goes with it.
func (s *sink) Inform(status int, lines []exchange.Line) error {
	if s.body != nil { // until the response begins, what waits may be a reader's to send
		s.body.handover.Lock()
		defer s.body.handover.Unlock()
	}
	s.visit.w.out = appendHead(s.visit.w.out, &exchange.Answer{Status: status, Lines: lines})
	return s.visit.flush()
}

// appendHead appends a head without content.
func appendHead(out []byte, a *exchange.Answer) []byte {
	out = wire.AppendStatusLine(out, a.Status)
	for _, l := range a.Lines {
		out = wire.AppendField(out, l.Name, l.Value)
	}
	if a.Status == 101 {
		out = append(out, "Connection: Upgrade\r\n"...)
	}
	return append(out, '\r', '\n')
}

// Begin writes the head.
func (s *sink) Begin(a *exchange.Answer) error {
	w := s.visit.w
	old := w.head.Minor == 0
	s.closes = s.mustClose() || a.Close
	if a.Bodied && a.Length == exchange.Unknown {
		if s.coding = byChunks; old {
			s.coding, s.closes = byClose, true
		}
	}
	out := wire.AppendStatusLine(w.out, a.Status)
	if !a.DateSet {
		out = s.visit.server.dates.append(out, s.visit.begun)
	}
	for _, l := range a.Lines {
		out = wire.AppendField(out, l.Name, l.Value)
	}
	switch {
	case s.coding == byChunks:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case a.Length != exchange.Unknown && a.Status != 204:
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, a.Length, 10)
		out = append(out, '\r', '\n')
	}
	w.out = append(appendConnection(out, s.closes, old, a.Offers, s.visit.keep), '\r', '\n')
	return s.spill()
}

// appendConnection says what becomes of the connection, and names the fields that are for
// this connection alone (RFC 9110 §7.6.1). HTTP/1.0 has to be told that it is kept.
func appendConnection(out []byte, closes, old, offers bool, keep keeping) []byte {
	told := old || keep.timeout != ""
	switch {
	case closes && offers:
		return append(out, "Connection: close, Upgrade\r\n"...)
	case closes:
		return append(out, "Connection: close\r\n"...)
	case told && offers:
		out = append(out, "Connection: keep-alive, Upgrade\r\n"...)
	case told:
		out = append(out, "Connection: keep-alive\r\n"...)
	case offers:
		out = append(out, "Connection: Upgrade\r\n"...)
	}
	return append(out, keep.timeout...)
}

// mustClose tells whether this is the connection's last response: the client wants no
// other, its content will not be read to the end, or the server stops and nothing more
// of what the client sent is at hand. A request that was pipelined behind this one has
// reached us, so it is answered too.
func (s *sink) mustClose() bool {
	w := s.visit.w
	endsSoon, ended := true, true
	if s.body != nil {
		endsSoon, ended = s.body.answered()
	}
	if !ended {
		_ = s.visit.flush() // earlier responses: the handler may block in a read next
	}
	if !endsSoon || !w.head.KeepAlive {
		return true
	}
	return s.visit.conn.Closing() && (!ended || onlyEmptyLines(w.unread()) && s.visit.nothingAtHand())
}

// fail is a write that failed: nobody is reading.
func (s *sink) fail() {
	s.broken = true
	if s.visit != nil {
		s.visit.watcher.departed()
	}
}

// spill sends what waits once it is more than the buffer is for.
func (s *sink) spill() error {
	if len(s.visit.w.out) < outBufferBytes {
		return nil
	}
	return s.visit.flush()
}

// Write takes content.
func (s *sink) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w := s.visit.w
	if s.coding == byChunks {
		w.out = wire.AppendChunkSize(w.out, int64(len(p)))
	}
	if len(w.out)+len(p) <= outBufferBytes {
		w.out = append(w.out, p...)
	} else if n, err := s.writeThrough(p); err != nil {
		return n, err
	}
	if s.coding == byChunks {
		w.out = append(w.out, '\r', '\n')
	}
	return len(p), s.spill()
}

// writeThrough sends what waits and then p, which is too large to wait with it.
func (s *sink) writeThrough(p []byte) (int, error) {
	w := s.visit.w
	if s.visit.conn.TLS() != nil && len(w.out) > 0 && len(w.out) < outBufferBytes {
		return s.writeRecords(p)
	}
	waiting := len(w.out)
	n, err := s.visit.conn.WriteBoth(w.out, p)
	w.out = w.out[:0]
	if err != nil {
		s.fail()
	}
	return max(n-waiting, 0), err
}

// writeRecords is writeThrough over TLS, where each write is a record of its own: what fits
// beside the head goes out in one with it.
func (s *sink) writeRecords(p []byte) (int, error) {
	w := s.visit.w
	first := min(len(p), outBufferBytes-len(w.out))
	w.out = append(w.out, p[:first]...)
	if err := s.visit.flush(); err != nil {
		return 0, err
	}
	n, err := s.visit.conn.Write(p[first:])
	if err != nil {
		s.fail()
	}
	return first + n, err
}

// ReadFrom takes content from r: a small one of known length joins its head, a large one
// goes by the connection's own ReadFrom.
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	if s.coding == byChunks {
		return copyContent(s, r)
	}
	w := s.visit.w
	if lr, ok := r.(*io.LimitedReader); ok && lr.N <= int64(outBufferBytes-len(w.out)) {
		return s.readSmall(lr)
	}
	if err := s.visit.flush(); err != nil {
		return 0, err
	}
	n, err := s.visit.conn.ReadFrom(r)
	if err != nil && s.visit.conn.Ended() { // else it is r that failed
		s.fail()
	}
	return n, err
}

// readSmall reads what r has left, which fits, behind what waits.
func (s *sink) readSmall(r *io.LimitedReader) (n int64, err error) {
	w := s.visit.w
	if need := len(w.out) + int(r.N); cap(w.out) < need {
		w.out = append(make([]byte, 0, outBufferBytes), w.out...)
	}
	for r.N > 0 {
		m, err := r.Read(w.out[len(w.out):cap(w.out)])
		w.out = w.out[:len(w.out)+m]
		n += int64(m)
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, err
		}
	}
	return n, s.spill()
}

// copyContent writes r to s in chunks of a buffer of its own.
func copyContent(s *sink, r io.Reader) (int64, error) {
	buf := make([]byte, outBufferBytes)
	return io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{r}, buf)
}

// Flush sends all that was taken.
func (s *sink) Flush() error { return s.visit.flush() }

// End closes the content.
func (s *sink) End(trailers []exchange.Line) error {
	if s.coding == byChunks {
		out := append(s.visit.w.out, "0\r\n"...)
		for _, l := range trailers {
			out = wire.AppendField(out, l.Name, l.Value)
		}
		s.visit.w.out = append(out, '\r', '\n')
	}
	return s.spill()
}

// Abort makes the peer see a cut. Earlier responses that wait are sent: they are whole.
// So the end of the connection is a reset, which may destroy them on their way, only
// where an end would complete the content, or where the peer no longer takes anything.
func (s *sink) Abort() {
	if !s.broken {
		_ = s.visit.flush()
	}
	s.closes = true
	if s.broken || s.coding == byClose {
		s.visit.conn.Break()
	}
}
