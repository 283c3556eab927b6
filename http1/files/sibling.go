package files

import (
	"encoding/binary"
	"io"

	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// A second is a precompressed file that is sent where what the client likes better cannot be made.
type second struct {
	file   *file // nil for none
	coding coding.Coding
}

// close gives the file back, unless it was taken.
func (s *second) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// take makes it the content.
func (s *second) take(rep *representation) (taken bool) {
	if s.file == nil {
		return false
	}
	rep.source, rep.file, rep.coding = s.file, s.file, s.coding
	s.file = nil
	return true
}

// takeSibling makes a precompressed file the content, if the client likes one best among
// those and what can be made on the fly. Otherwise the best of them is the second choice, which
// the caller closes.
func (h *Handler) takeSibling(name string, rep *representation, n negotiation) (taken bool, next second) {
	var found [coding.Gzip + 1]*file
	offers := make([]coding.Coding, 0, len(siblings)+len(live))
	for _, c := range siblings {
		if !n.accepted.Accepts(c) {
			continue
		}
		if s, ok := h.sibling(name, c, rep.source); ok {
			found[c], offers = s, append(offers, c)
		}
	}
	chosen, ok := n.accepted.Choose(offers...)
	if ok && found[chosen] != nil {
		next, found[chosen] = second{found[chosen], chosen}, nil
	}
	for _, s := range found {
		if s != nil {
			_ = s.Close()
		}
	}
	if n.live {
		best, ok := n.accepted.Choose(append(offers, live[:]...)...)
		if ok && best != next.coding {
			return false, next
		}
	}
	return next.take(rep), next
}

// anySibling tells whether there is a precompressed form of a file, whoever may like it.
func (h *Handler) anySibling(name string, f *file) bool {
	for _, c := range siblings {
		if s, ok := h.sibling(name, c, f); ok {
			_ = s.Close()
			return true
		}
	}
	return false
}

// sibling is the file that holds f in that coding. One that is older than f holds an older
// state and counts as none, as does one that cannot be served, and one that is still being written
// by all that can be told.
func (h *Handler) sibling(name string, c coding.Coding, f *file) (*file, bool) {
	if name += c.Extension(); len(name) > nameBytes {
		return nil, false
	}
	s, err := h.openUsuallyAbsent(name)
	if err != nil {
		return nil, false
	}
	if s.modified.Before(f.modified) || h.now().Sub(s.modified) < clockOf(s.modified) || !complete(s, c, f.size) {
		_ = s.Close()
		return nil, false
	}
	return s, true
}

// openUsuallyAbsent opens a file that is looked for on behalf of others, which clients cannot
// name at will.
func (h *Handler) openUsuallyAbsent(name string) (*file, error) {
	if k, ok := h.disk.(*keeper); ok {
		return k.openUsuallyAbsent(name)
	}
	return h.disk.open(name)
}

// complete tells whether a sibling can be all of a file of that size: it is not empty, and where
// the coding says what comes out, that is the size. Brotli does not say, nor does zstd always, and
// gzip in several members says it of the last alone: such a sibling is not taken.
func complete(s *file, c coding.Coding, size int64) bool {
	if s.size == 0 {
		return false
	}
	var head [zstdHeaderBytes]byte
	n, err := s.peek(head[:], 0)
	if err != nil {
		return false
	}
	switch c {
	case coding.Gzip:
		return completeGzip(s, head[:n], size)
	case coding.Zstd:
		told, ok := zstdSize(head[:n])
		return !ok || told == uint64(size)
	}
	return true
}

// peek reads from the file, or its end, wherever it is.
func (f *file) peek(b []byte, at int64) (int, error) {
	if f.memory != nil {
		return copy(b, f.memory[min(at, int64(len(f.memory))):]), nil
	}
	n, err := f.ReadAt(b, at)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// completeGzip compares the length modulo 2^32 that gzip ends in (RFC 1952 §2.3.1).
func completeGzip(s *file, head []byte, size int64) bool {
	if len(head) < 2 || head[0] != 0x1F || head[1] != 0x8B {
		return true // it is no gzip at all, which is not for us to mend
	}
	var end [4]byte
	n, err := s.peek(end[:], max(s.size-4, 0))
	return err == nil && n == 4 && binary.LittleEndian.Uint32(end[:]) == uint32(size)
}

// zstdHeaderBytes is the longest beginning of a zstd frame, up to its content's size.
const zstdHeaderBytes = 4 + 1 + 1 + 4 + 8

// zstdSize is the size of the content that a zstd frame begins with, if it does (RFC 8878 §3.1.1.1).
func zstdSize(head []byte) (size uint64, ok bool) {
	const magic = 0xFD2FB528
	if len(head) < 5 || binary.LittleEndian.Uint32(head) != magic {
		return 0, false
	}
	descriptor := head[4]
	single := descriptor>>5&1 == 1
	at := 5 + [4]int{0, 1, 2, 4}[descriptor&3]
	if !single {
		at++ // the window's size
	}
	width := 1 << (descriptor >> 6)
	if width == 1 && !single {
		return 0, false
	}
	if at+width > len(head) {
		return 0, false
	}
	var b [8]byte
	copy(b[:], head[at:at+width])
	size = binary.LittleEndian.Uint64(b[:])
	if width == 2 {
		size += 256
	}
	return size, true
}
