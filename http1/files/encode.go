package files

import (
	"bytes"
	"io"
	"sync/atomic"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// kept is what stays with a file in memory.
type kept struct {
	entry   *entry // in a cache; nil outside
	about   *about
	tags    *validators
	encoded [coding.Gzip + 1]atomic.Pointer[[]byte] // made when first asked for
}

// encode makes the file's encoding the content. It is not done where the client likes
// identity better, where it would not be shorter, or while all encoders are busy, unless
// the client takes nothing else.
func (h *Handler) encode(w *http1.Response, rep *representation, n negotiation) (done bool, err error) {
	best, ok := n.accepted.Choose(live[:]...)
	if !ok || best == coding.Identity {
		return false, nil
	}
	if rep.file.size <= cachedFileBytes {
		done, err = h.encodeWhole(rep, best, n.must)
	} else {
		done = n.head
		if !n.head {
			rep.encoder, done = h.encoders.Begin(best, w)
		}
		if !done && n.must {
			return false, errBusy
		}
	}
	if done {
		rep.coding, rep.live = best, true
	}
	return done, err
}

// knows settles for a form of a large file that the client says it has, if that is one that it accepts: the
// answer is 304 or a HEAD's, and takes no encoder. So it is whether or not one is free.
func (h *Handler) knows(r *http1.Request, name string, rep *representation, n negotiation) (known bool, err error) {
	list, sent := r.Lookup("If-None-Match")
	if !sent || rep.error || rep.file.size <= cachedFileBytes {
		return false, nil
	}
	v, err := h.tags(r, name, rep.source, h.now())
	if err != nil || v.etag == "" {
		return false, err
	}
	for _, c := range append(live[:], coding.Identity) {
		if !n.accepted.Accepts(c) {
			continue
		}
		tag := v.etag
		if c != coding.Identity {
			tag = taggedWith(tag, c, true)
		}
		if listed(list, tag, weakly) {
			rep.coding, rep.live = c, c != coding.Identity
			return true, nil
		}
	}
	return false, nil
}

// encodeWhole encodes a small file in memory, which gives it a length that HEAD can tell. A
// file in a cache is encoded once.
func (h *Handler) encodeWhole(rep *representation, c coding.Coding, must bool) (done bool, err error) {
	f := rep.file
	if f.memory == nil {
		if f, err = f.whole(); err != nil {
			return false, err
		}
	}
	encoded := f.encoded[c].Load()
	if encoded == nil {
		var buf bytes.Buffer
		e, ok := h.encoders.Begin(c, &buf)
		if !ok && must {
			return false, errBusy
		} else if !ok {
			return false, nil
		}
		err := writeAll(e, f.memory)
		e.Release()
		if err != nil {
			return false, err
		}
		b := bytes.Clone(buf.Bytes())
		encoded = &b
		if f.encoded[c].CompareAndSwap(nil, encoded) && f.entry != nil {
			f.entry.key.of.cache.grew(f.entry, len(b))
		}
	}
	if len(*encoded) >= len(f.memory) && !must {
		return false, nil
	}
	rep.file = &file{stamp: f.stamp, memory: *encoded}
	rep.file.size = int64(len(*encoded))
	return true, nil
}

// writeAll writes b and ends the content.
func writeAll(e io.WriteCloser, b []byte) error {
	if _, err := e.Write(b); err != nil {
		return err
	}
	return e.Close()
}

// sendEncoded answers with the page, whose content is encoded as it goes: it has no
// length. The head goes out at once, so that HEAD and GET have the same.
func sendEncoded(w *http1.Response, r *http1.Request, p *page) error {
	if r.Method() == "HEAD" {
		p.begin(w)
		_ = w.Flush()
		return nil
	}
	s := sender{w: w, f: p.file}
	defer s.release()
	if err := s.first(p.parts, p.hot); err != nil {
		return err
	}
	p.begin(w)
	if w.Flush() != nil {
		return nil // nobody is there any more
	}
	b := s.piece0()
	for at := s.begun.length; ; at += int64(len(b)) {
		if _, err := p.encoder.Write(b); err != nil {
			return nil
		}
		if at >= p.file.size {
			break
		}
		b = s.hold(min(p.file.size-at, pieceBytes))
		if err := s.read(b, at); err != nil {
			return err
		}
		if at+int64(len(b)) == p.file.size {
			if err := s.steady(); err != nil {
				return err
			}
		}
	}
	_ = p.encoder.Close()
	return nil
}
