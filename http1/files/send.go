package files

import (
	"cmp"
	"crypto/rand"
	"hash/maphash"
	"io"
	"strings"
	"sync"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// pieceBytes is how much of a file is read into memory at a time: its beginning, before
// anything is promised, and its end, before the promise is kept. What lies between goes by
// sendfile where it can.
const pieceBytes = 32 << 10

// pieces are held for one read and one write. A slow reader of a large file, who spends his
// time in the sendfile between them, holds none.
var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

var seed = maphash.MakeSeed()

// A page is a response with content: which parts of the file, and what stands around them.
type page struct {
	*representation
	status       int
	contentType  string
	contentRange string // of a 206 with a single part
	parts        []part // at least one
	end          string // after the last part
}

type part struct {
	head string
	span
}

// newPage is the page for those spans of a file, or for all of it.
func newPage(status int, spans []span, rep *representation) *page {
	p := &page{representation: rep, status: status, contentType: rep.about.contentType}
	size := rep.file.size
	switch len(spans) {
	case 0:
		p.parts = []part{{span: span{0, size}}}
	case 1:
		p.contentRange = spans[0].field(size)
		p.parts = []part{{span: spans[0]}}
	default:
		p.multipart(spans, size)
	}
	return p
}

// multipart lays out several parts (RFC 9110 §14.6). The boundary is new each time: whoever
// wrote the file cannot have put it there.
func (p *page) multipart(spans []span, size int64) {
	boundary := rand.Text()
	for i, s := range spans {
		var b strings.Builder
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("--" + boundary + "\r\nContent-Type: " + p.contentType)
		b.WriteString("\r\nContent-Range: " + s.field(size) + "\r\n\r\n")
		p.parts = append(p.parts, part{head: b.String(), span: s})
	}
	p.end = "\r\n--" + boundary + "--\r\n"
	p.contentType = "multipart/byteranges; boundary=" + boundary
}

// length is that of the content, in bytes.
func (p *page) length() int64 {
	n := int64(len(p.end))
	for _, part := range p.parts {
		n += int64(len(part.head)) + part.length
	}
	return n
}

// begin sets everything that goes before the content.
func (p *page) begin(w *http1.Response) {
	w.SetStatus(p.status)
	w.Set("Content-Type", p.contentType)
	w.Set("X-Content-Type-Options", "nosniff")
	if p.status < 300 && !p.live {
		w.Set("Accept-Ranges", "bytes")
	}
	if p.contentRange != "" {
		w.Set("Content-Range", p.contentRange)
	}
	if p.coding != coding.Identity {
		w.Set("Content-Encoding", p.coding.String())
	}
	if p.about.attachment {
		w.Set("Content-Disposition", "attachment")
	}
	p.set(w)
	if !p.live || p.file.memory != nil {
		w.SetLength(p.length())
	}
}

// set puts in what a 304 has too (RFC 9110 §15.4.5).
func (rep *representation) set(w *http1.Response) {
	if rep.about.cacheControl != "" {
		w.Set("Cache-Control", rep.about.cacheControl)
	}
	if rep.vary {
		w.Add("Vary", "Accept-Encoding")
	}
	rep.tags.set(w)
}

// send answers with the page. An error means the disk's or errChanged; unless the response
// is committed by then, nothing was set in it. That the client left is no error here.
func send(w *http1.Response, r *http1.Request, p *page) error {
	switch {
	case p.live && p.file.memory == nil:
		return sendEncoded(w, r, p)
	case r.Method() == "HEAD":
		p.begin(w)
		return nil
	case p.file.memory != nil:
		sendMemory(w, p)
		return nil
	}
	s := sender{w: w, f: p.file}
	defer s.release()
	if err := s.first(p.parts[0].span); err != nil {
		return err
	}
	p.begin(w)
	for i, part := range p.parts {
		last := i == len(p.parts)-1
		if err := s.part(part, i == 0, last); err != nil || s.gone {
			return err
		}
	}
	if p.end != "" {
		s.write([]byte(p.end))
	}
	return nil
}

// sendMemory answers with a page that is in memory. A small one goes out in one write with
// its head.
func sendMemory(w *http1.Response, p *page) {
	p.begin(w)
	s := sender{w: w}
	for _, part := range p.parts {
		s.write([]byte(part.head))
		s.write(p.file.memory[part.start:part.end()])
	}
	s.write([]byte(p.end))
}

// A sender copies one file into one response.
type sender struct {
	w     *http1.Response
	f     *file
	piece *[pieceBytes]byte // nil while it is not needed
	begun span              // what first read
	sum   uint64            // its hash
	gone  bool              // nobody reads the response any more
}

// hold takes a piece of memory from the pool, release gives it back.
func (s *sender) hold(n int64) []byte {
	if s.piece == nil {
		s.piece = pieces.Get().(*[pieceBytes]byte)
	}
	return s.piece[:n]
}

func (s *sender) release() {
	if s.piece != nil {
		pieces.Put(s.piece)
		s.piece = nil
	}
}

// first reads the beginning of a span, while every answer is still possible.
func (s *sender) first(of span) error {
	s.begun = span{of.start, min(of.length, pieceBytes)}
	if s.begun.length == 0 {
		return nil
	}
	b := s.hold(s.begun.length)
	if err := s.read(b, of.start); err != nil {
		return err
	}
	s.sum = maphash.Bytes(seed, b)
	if same, _, err := s.compare(); err != nil || !same {
		return cmp.Or(err, errChanged)
	}
	return nil
}

// part sends one part; of the first, the beginning has been read already. The end of the last is held
// back until the file has proved to be the one that the head described.
func (s *sender) part(p part, first, last bool) error {
	if p.head != "" {
		s.write([]byte(p.head))
	}
	rest := p.span
	if first {
		s.write(s.piece0())
		s.release()
		rest = span{rest.start + s.begun.length, rest.length - s.begun.length}
	}
	kept := int64(0)
	if last {
		kept = min(rest.length, pieceBytes)
	}
	if err := s.bulk(span{rest.start, rest.length - kept}); err != nil || kept == 0 || s.gone {
		return err
	}
	return s.final(span{rest.end() - kept, kept})
}

// piece0 is what first read.
func (s *sender) piece0() []byte {
	if s.begun.length == 0 {
		return nil
	}
	return s.piece[:s.begun.length]
}

// bulk sends a span straight from the descriptor.
func (s *sender) bulk(of span) error {
	if of.length == 0 || s.gone {
		return nil
	}
	if _, err := s.f.Seek(of.start, io.SeekStart); err != nil {
		return err
	}
	n, err := s.w.ReadFrom(&io.LimitedReader{R: s.f.content, N: of.length})
	if err != nil {
		s.gone = true // or the disk's error: the response carries it to the server's log
		return nil
	}
	if n < of.length {
		return errChanged
	}
	return nil
}

// final sends the last span of the response, of at most pieceBytes.
func (s *sender) final(of span) error {
	b := s.hold(of.length)
	if err := s.read(b, of.start); err != nil {
		return err
	}
	if err := s.steady(); err != nil {
		return err
	}
	s.write(b)
	return nil
}

// read fills b from the file. An end that comes too early means that it was truncated.
func (s *sender) read(b []byte, at int64) error {
	switch n, err := s.f.ReadAt(b, at); {
	case n == len(b):
		return nil
	case err == io.EOF:
		return errChanged
	default:
		return err
	}
}

// write sends b unless nobody reads any more.
func (s *sender) write(b []byte) {
	if s.gone || len(b) == 0 {
		return
	}
	if _, err := s.w.Write(b); err != nil {
		s.gone = true
	}
}

// compare tells whether the file is what it was when it was opened, or has more in it.
func (s *sender) compare() (same, grew bool, err error) {
	info, err := s.f.Stat()
	if err != nil {
		return false, false, err
	}
	same = info.Size() == s.f.size && info.ModTime().Equal(s.f.modified)
	return same, info.Size() > s.f.size, nil
}

// steady fails with errChanged when the file is not what it was when it was opened. One
// that grew still is, if its beginning is: a log that is written to can be fetched.
func (s *sender) steady() error {
	same, grew, err := s.compare()
	if err != nil || same {
		return err
	}
	if !grew {
		return errChanged
	}
	again := pieces.Get().(*[pieceBytes]byte)
	defer pieces.Put(again)
	b := again[:s.begun.length]
	if err := s.read(b, s.begun.start); err != nil {
		return err
	}
	if maphash.Bytes(seed, b) != s.sum {
		return errChanged
	}
	return nil
}
