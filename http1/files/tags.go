package files

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// An ETag says what entity tags are made of.
type ETag uint8

const (
	// ETagByTime makes them of size and modification time, which costs nothing. A file whose
	// time is a build's constant has a tag by content as below, and else none.
	ETagByTime ETag = iota
	// ETagByContent makes them of a hash of the content, so that a file that was copied or
	// deployed anew keeps its tag. A file of up to 64 MiB is read for it when it is first
	// asked for after a change; a larger one, or one that changed within the last seconds,
	// has a tag by time.
	ETagByContent
	// ETagNone sends none. Conditions and resumed downloads go by Last-Modified.
	ETagNone
)

const (
	// summedBytes is how large a file may be of which a hash is made: a tenth of a second.
	summedBytes = 64 << 20
	// sumsKept bounds the hashes that are remembered, of about 300 bytes each.
	sumsKept = 4096
	// sumsAtOnce is how many files are read for their hashes at a time.
	sumsAtOnce = 2
)

// tags are the validators of a file on its own.
func (h *Handler) tags(r *http1.Request, name string, f *file, now time.Time) (validators, error) {
	if f.tags != nil {
		return *f.tags, nil
	}
	v := validatorsOf(f.size, f.modified, now)
	switch {
	case h.etag == ETagNone:
		v.etag = ""
	case h.etag == ETagByContent, constant(f.modified):
		if f.memory != nil {
			v.etag = contentTag(sumOf(f.memory))
		} else if f.size <= summedBytes && f.stamp.telling(now) {
			sum, err := h.sums.of(r.Context().Done(), name, f)
			if err != nil {
				return v, err
			}
			v.etag = contentTag(sum)
		}
	}
	return v, nil
}

// A sum is the first half of a SHA-256: nobody finds two contents with one.
type sum [16]byte

func sumOf(b []byte) sum {
	full := sha256.Sum256(b)
	return sum(full[:16])
}

func contentTag(s sum) string { return `"` + base64.RawURLEncoding.EncodeToString(s[:]) + `"` }

// taggedWith is the tag of an encoded form. What is encoded on the fly has a weak one: another
// release of the encoder may make other bytes of the same content (RFC 9110 §8.8.3.3).
func taggedWith(etag string, c coding.Coding, live bool) string {
	if etag == "" {
		return ""
	}
	etag = etag[:len(etag)-1] + "-" + c.String() + `"`
	if live && !strings.HasPrefix(etag, "W/") {
		etag = "W/" + etag
	}
	return etag
}

// sums remembers the hashes of files on the disk.
type sums struct {
	slots chan struct{}

	mu    sync.Mutex
	known map[inode]summed
}

// An inode tells a file from others, whatever its names; where the system does not say, its name does.
type inode struct {
	device, number uint64
	name           string
}

type summed struct {
	stamp stamp
	sum   sum
}

func newSums() *sums {
	return &sums{slots: make(chan struct{}, sumsAtOnce), known: make(map[inode]summed)}
}

// of is the hash of f's content, read where it is not known. It fails with errChanged
// when the file changes meanwhile, and with errGone once gone says that nobody waits.
func (s *sums) of(gone <-chan struct{}, name string, f *file) (sum, error) {
	key := inodeOf(f.info, name)
	if known, ok := s.find(key, f); ok {
		return known, nil
	}
	select {
	case s.slots <- struct{}{}:
	case <-gone:
		return sum{}, errGone
	}
	defer func() { <-s.slots }()
	if known, ok := s.find(key, f); ok { // somebody else has just read it
		return known, nil
	}
	hash := sha256.New()
	n, err := io.Copy(hash, io.NewSectionReader(f, 0, f.size))
	if err != nil {
		return sum{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return sum{}, err
	}
	if n != f.size || !f.stamp.same(stampOf(info)) {
		return sum{}, errChanged
	}
	made := sum(hash.Sum(nil)[:16])
	s.keep(key, summed{f.stamp, made})
	return made, nil
}

func (s *sums) find(key inode, f *file) (sum, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.known[key]
	return known.sum, ok && known.stamp.same(f.stamp)
}

// keep remembers a hash, in place of any other when there are too many.
func (s *sums) keep(key inode, made summed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other := range s.known {
		if len(s.known) < sumsKept {
			break
		}
		delete(s.known, other)
	}
	s.known[key] = made
}
