package wire

import "bytes"

// A Field is one field line: its name as it was sent and its value without the whitespace
// around it, both views into the parsed bytes.
type Field struct{ Name, Value []byte }

// Framing is how a request's content ends (RFC 9112 §6.3).
type Framing uint8

const (
	NoBody Framing = iota // there is none; "Content-Length: 0" is this too
	Length                // after Head.ContentLength bytes
	Chunks                // with its last chunk
)

// Head is a parsed request head. Its slices are views into the bytes that Parse was
// given, not to be written to and valid as long as those. A Head is used for any number
// of requests and keeps only the array behind Fields.
type Head struct {
	Method []byte // case-sensitive (RFC 9110 §9.1)
	Target []byte // as it was sent
	Minor  uint8  // of the version 1.x, as it was sent; above 1 it means 1
	Fields []Field

	Form      TargetForm
	Scheme    []byte // of absolute-form, as it was sent; else nil
	Authority []byte // the target's, else the Host field's; nil only in HTTP/1.0
	Path      []byte // still encoded; "/" for an empty one, "*" for the server as a whole, nil for CONNECT
	Query     []byte // still encoded, without its question mark
	HasQuery  bool   // tells an empty query from none

	Framing       Framing
	ContentLength int64 // of a content framed by Length; else 0

	KeepAlive bool // the client would go on after this request (RFC 9112 §9.3)
	Expect100 bool // it waits for a 100 before it sends its content (RFC 9110 §10.1.1)
	Upgrade   bool // it offers other protocols in an Upgrade field (RFC 9110 §7.8)
}

// Reset drops every view, so that a Head in a pool keeps no buffer alive.
func (h *Head) Reset() {
	clear(h.Fields[:cap(h.Fields)])
	*h = Head{Fields: h.Fields[:0]}
}

// Parse reads the head that Scan delimited: b is exactly its b[:n]. It returns nil and a
// filled Head, or why the request is refused. Method is set in a refusal too if it could
// be read, because the answer to HEAD has no content. UnknownExpectation, BodyTooLarge
// and UnknownCoding are found last, in an otherwise valid head.
func (h *Head) Parse(b []byte, lim *Limits) *Reason {
	*h = Head{Fields: h.Fields[:0]}
	b = bytes.TrimPrefix(b, crlf)
	end := bytes.IndexByte(b, '\n')
	if end < 1 || b[end-1] != '\r' {
		return IncompleteHead
	}
	if r := h.parseLine(b[:end-1]); r != nil {
		return r
	}
	if r := h.parseTarget(); r != nil {
		return r
	}
	var c control
	if r := h.parseFields(b[end+1:], lim.Fields, &c); r != nil {
		return r
	}
	if r := h.applyHost(&c); r != nil {
		return r
	}
	if r := h.frame(&c, lim.BodyBytes); r != nil {
		return r
	}
	return h.applyOptions(&c)
}

// parseLine reads the request line, without its CRLF (RFC 9112 §3). The version comes
// before the target: HTTP/2's preface should be told of its version, not of its "*".
func (h *Head) parseLine(line []byte) *Reason {
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		return BadRequestLine
	}
	if !all(line[:i], tokenByte) {
		return BadMethod
	}
	h.Method = line[:i]
	line = line[i+1:]
	i = bytes.IndexByte(line, ' ')
	switch {
	case i < 0:
		return NoVersion
	case i == 0:
		return BadRequestLine
	}
	h.Target = line[:i]
	return h.parseVersion(line[i+1:])
}

func (h *Head) parseVersion(v []byte) *Reason {
	switch {
	case len(v) == 0:
		return NoVersion
	case bytes.IndexByte(v, ' ') >= 0:
		return BadRequestLine
	case len(v) != 8 || string(v[:5]) != "HTTP/" || !is(v[5], digitByte) || v[6] != '.' || !is(v[7], digitByte):
		return BadVersion
	case v[5] != '1':
		return UnsupportedVersion
	}
	h.Minor = v[7] - '0'
	return nil
}

// Lookup is the value of the first field of that name, without regard to case, and
// whether there is one. The value is a view.
func (h *Head) Lookup(name string) (value []byte, ok bool) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if SameName(f.Name, name) {
			return f.Value, true
		}
	}
	return nil, false
}

// SameName tells whether got is the field name of that spelling in any case (RFC 9110
// §5.1). Both are tokens, which are ASCII.
func SameName[T []byte | string](got T, name string) bool {
	if len(got) != len(name) {
		return false
	}
	for i := range len(name) {
		if c, d := got[i], name[i]; c != d && lower(c) != lower(d) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
