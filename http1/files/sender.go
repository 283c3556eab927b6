package files

import (
	"cmp"
	"hash/maphash"
	"io"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

const (
	// hotFor is how long ago a file's last change is when it is no longer expected to change
	// while it is sent: a log between two of its lines is younger.
	hotFor = time.Minute

	// provenBytes is how much of a hot file is read ahead of its head: 16 MiB in memory take
	// about 5 ms, which a client who hangs up at once can have us waste.
	provenBytes = 16 << 20
)

// seed is new in each process: nobody outside can make two contents of one hash.
var seed = maphash.MakeSeed()

// A sender copies one file into one response. What it sends is one state of the file, or it
// ends before its length. A file that lies still goes by sendfile, and is looked at once more
// before its last piece: one that changed at all is cut, for neither its size nor its beginning
// tells a log that grew from an image that another is written over. A hot one is hashed
// before the head goes out and again as it goes, and may change as it likes unless it comes
// out different.
type sender struct {
	w     *http1.Response
	f     *file
	piece *[pieceBytes]byte // nil while it is not needed
	begun span              // what first read
	gone  bool              // nobody reads the response any more

	proven   bool         // by the hashes, not by a look at the file
	promised uint64       // the hash of all that is to be sent
	sent     maphash.Hash // of what has been read for sending
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

// first reads the beginning of the first part, and the whole of a hot file's parts for their
// hash, while every answer is still possible.
func (s *sender) first(parts []part, hot bool) error {
	of, total := parts[0].span, int64(0)
	for _, p := range parts {
		total += p.length
	}
	s.begun = span{of.start, min(of.length, pieceBytes)}
	if s.begun.length == 0 {
		return nil
	}
	if s.proven = hot && s.begun.length < total && total <= provenBytes; s.proven {
		s.sent.SetSeed(seed)
		if err := s.promise(parts); err != nil {
			return err
		}
	}
	if err := s.read(s.hold(s.begun.length), of.start); err != nil {
		return err
	}
	if same, err := s.compare(); err != nil || !same {
		return cmp.Or(err, errChanged)
	}
	return nil
}

// promise hashes all that is to be sent.
func (s *sender) promise(parts []part) error {
	var sum maphash.Hash
	sum.SetSeed(seed)
	for _, p := range parts {
		for at := p.start; at < p.end(); at += pieceBytes {
			b := s.hold(min(p.end()-at, pieceBytes))
			if err := s.fill(b, at); err != nil {
				return err
			}
			_, _ = sum.Write(b)
		}
	}
	s.promised = sum.Sum64()
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

// bulk sends a span straight from the descriptor, or through memory where a hash of it is due.
func (s *sender) bulk(of span) error {
	switch {
	case of.length == 0 || s.gone:
		return nil
	case s.proven:
		return s.copy(of)
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

// copy sends a span piece by piece.
func (s *sender) copy(of span) error {
	defer s.release()
	for at := of.start; at < of.end() && !s.gone; at += pieceBytes {
		b := s.hold(min(of.end()-at, pieceBytes))
		if err := s.read(b, at); err != nil {
			return err
		}
		s.write(b)
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

// read fills b from the file with what will be sent next.
func (s *sender) read(b []byte, at int64) error {
	err := s.fill(b, at)
	if err == nil && s.proven {
		_, _ = s.sent.Write(b)
	}
	return err
}

// fill fills b from the file. An end that comes too early means that it was truncated.
func (s *sender) fill(b []byte, at int64) error {
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

// compare tells whether the file is what it was when it was opened.
func (s *sender) compare() (same bool, err error) {
	info, err := s.f.Stat()
	if err != nil {
		return false, err
	}
	return s.f.stamp.stands(stampOf(info)), nil
}

// steady fails with errChanged when what was read is not, or may not be, what the file held when
// the head went out.
func (s *sender) steady() error {
	if s.proven {
		if s.sent.Sum64() != s.promised {
			return errChanged
		}
		return nil
	}
	if same, err := s.compare(); err != nil || !same {
		return cmp.Or(err, errChanged)
	}
	return nil
}
