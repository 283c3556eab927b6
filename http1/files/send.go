package files

import (
	"crypto/rand"
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
	if p.about.disposition != "" {
		w.Set("Content-Disposition", p.about.disposition)
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
	if err := s.first(p.parts, p.hot); err != nil {
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
