package files

import (
	"errors"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// compressFromBytes is how large a file must be to be compressed: a smaller one takes one
// packet either way.
const compressFromBytes = 1 << 10

// Why a file is not sent though it is there.
var (
	errUnacceptable = errors.New("files: the client refuses every coding there is")
	errBusy         = errors.New("files: all encoders are busy, and the client takes nothing else")
)

// siblings are the codings whose files are looked for, and live those that are made on the
// fly; of equals the first is taken. What is precompressed goes first: it is smaller, and
// has a length and ranges.
var (
	siblings = [...]coding.Coding{coding.Brotli, coding.Zstd, coding.Gzip}
	live     = [...]coding.Coding{coding.Zstd, coding.Gzip}
)

// A representation is one of the forms in which a file can be sent (RFC 9110 §3.2).
type representation struct {
	source  *file // what its validators speak of
	file    *file // whose bytes go out: the source, or what it was encoded to
	about   *about
	tags    validators
	coding  coding.Coding
	vary    bool            // another request may get another one
	live    bool            // encoded on the fly: there are no ranges of it
	error   bool            // the page of an error, to which no condition applies
	hot     bool            // the file may well change while it is sent
	encoder *coding.Encoder // of one that is encoded while it is sent; nil for HEAD
}

// close gives back what the representation holds beside the file it was made of.
func (rep *representation) close(original *file) {
	if rep.encoder != nil {
		rep.encoder.Release()
	}
	if rep.source != original {
		_ = rep.source.Close()
	}
}

// represent chooses the form of f that the client likes best. The caller closes it, and f.
func (h *Handler) represent(w *http1.Response, r *http1.Request, name string, f *file, now time.Time) (rep *representation, err error) {
	rep = h.asItIs(name, f)
	if err = h.negotiate(w, r, name, rep); err == nil {
		rep.tags, err = h.tags(r, name, rep.source, now)
	}
	if err != nil {
		rep.close(f)
		return nil, err
	}
	rep.hot = now.Sub(rep.source.modified) < hotFor
	if rep.coding != coding.Identity {
		rep.tags.etag = taggedWith(rep.tags.etag, rep.coding, rep.live)
	}
	return rep, nil
}

// asItIs is the form of f that needs no negotiation.
func (h *Handler) asItIs(name string, f *file) *representation {
	rep := &representation{source: f, file: f, about: f.about}
	if rep.about == nil {
		rep.about = h.about(name)
	}
	return rep
}

// negotiate settles the coding (RFC 9110 §12.5.3).
func (h *Handler) negotiate(w *http1.Response, r *http1.Request, name string, rep *representation) error {
	worth := h.encoders != nil && rep.about.texty && rep.file.size >= compressFromBytes
	rep.vary = worth || h.precompressed && !rep.about.dense && (rep.about.texty || h.anySibling(name, rep.file))
	value, sent := r.Lookup("Accept-Encoding")
	if !sent {
		return nil
	}
	n := negotiation{accepted: coding.Parse(value), ranged: r.Method() == "GET" && r.FieldView("Range") != nil, head: r.Method() == "HEAD"}
	n.must = !n.accepted.Accepts(coding.Identity)
	rep.vary = rep.vary || n.must
	if rep.file.size > cachedFileBytes && r.Proto() == "HTTP/1.0" {
		worth = false // it would end with the connection, whole or not
	}
	n.live = worth && !n.ranged || n.must && h.encoders != nil
	if !rep.vary {
		return nil
	}
	var next second
	if h.precompressed && !rep.about.dense {
		var taken bool
		if taken, next = h.takeSibling(name, rep, n); taken {
			return nil
		}
		defer next.close()
	}
	if n.live {
		n.must = n.must && next.file == nil
		if known, err := h.knows(r, name, rep, n); known || err != nil {
			return err
		}
		if done, err := h.encode(w, rep, n); done || err != nil {
			return err
		}
	}
	if next.take(rep) {
		return nil
	}
	if n.must {
		return errUnacceptable
	}
	return nil
}

// A negotiation is what a request says about codings, and what may be done for it.
type negotiation struct {
	accepted coding.Accepted
	must     bool // it refuses what is not encoded
	live     bool // it may get what is encoded on the fly
	ranged   bool
	head     bool
}
