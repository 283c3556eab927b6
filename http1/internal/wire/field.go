package wire

import "bytes"

// control is what the fields that steer a message say, before it is judged. A field that
// came twice is counted, for two of a kind are what smuggling is made of.
type control struct {
	host, length, coding    []byte // the last one's value
	hosts, lengths, codings int

	close, keepAlive, upgrade bool // options of Connection
	upgrades                  bool // an Upgrade field came
	expect100, expectOther    bool
}

// parseFields reads field lines up to the empty line that must end b.
func (h *Head) parseFields(b []byte, limit int, c *control) *Reason {
	for len(b) != 2 || b[0] != '\r' || b[1] != '\n' {
		if len(h.Fields) >= limit {
			return TooManyFields
		}
		f := h.nextField()
		n, r := parseField(b, f)
		if r != nil {
			return h.refuseField(r)
		}
		if n := len(f.Name); n < len(steering) && steering[n] == f.Name[0]|0x20 {
			c.note(f.Name, f.Value)
		}
		b = b[n:]
	}
	return nil
}

// nextField lengthens h.Fields by a place to parse into: a Field is six words, and to copy
// it there costs as much as to parse a short one.
func (h *Head) nextField() *Field {
	n := len(h.Fields)
	if n < cap(h.Fields) {
		h.Fields = h.Fields[:n+1]
	} else {
		h.Fields = append(h.Fields, Field{})
	}
	return &h.Fields[n]
}

// refuseField drops the field that failed.
func (h *Head) refuseField(r *Reason) *Reason {
	h.Fields = h.Fields[:len(h.Fields)-1]
	if r == ObsFold && len(h.Fields) == 0 {
		return LeadingSpace
	}
	return r
}

// parseField reads the field line that b begins with into f (RFC 9112 §5) and tells its
// length.
func parseField(b []byte, f *Field) (n int, r *Reason) {
	i := 0
	for i < len(b) && class[b[i]]&tokenByte != 0 {
		i++
	}
	if i == 0 || i == len(b) || b[i] != ':' {
		return 0, badName(b)
	}
	f.Name = b[:i:i]
	i++
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	start := i
	i = textEnd(b, i)
	if len(b)-i < 2 || b[i] != '\r' || b[i+1] != '\n' {
		return 0, badValue(b[i:])
	}
	end := i
	for end > start && (b[end-1] == ' ' || b[end-1] == '\t') {
		end--
	}
	f.Value = b[start:end:end]
	return i + 2, nil
}

// badName says what is wrong with a line that does not begin with a token and a colon.
func badName(line []byte) *Reason {
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimSuffix(line, crlf[:1])
	colon := bytes.IndexByte(line, ':')
	switch {
	case len(line) == 0:
		return IncompleteHead
	case line[0] == ' ' || line[0] == '\t':
		return ObsFold
	case colon < 0:
		return MissingColon
	case colon > 0 && (line[colon-1] == ' ' || line[colon-1] == '\t'):
		return SpaceBeforeColon
	}
	return BadFieldName
}

// badValue says what is wrong with the byte that ended a value. Scan has seen to line ends
// in a head; a caller who skips it gets a Reason all the same.
func badValue(rest []byte) *Reason {
	switch {
	case len(rest) == 0 || len(rest) == 1 && rest[0] == '\r':
		return IncompleteHead
	case rest[0] == '\r':
		return BareCR
	case rest[0] == '\n':
		return BareLF
	}
	return BadFieldValue
}

// steering has the first letter of the one field name of each length that note looks for,
// so that a browser's twenty fields cost it two or three comparisons of names.
var steering = [...]byte{4: 'h', 6: 'e', 7: 'u', 10: 'c', 14: 'c', 17: 't'}

// note remembers a field that steers the message.
func (c *control) note(name, value []byte) {
	switch len(name) {
	case 4:
		if sameFold(name, "host") {
			c.host = value
			c.hosts++
		}
	case 6:
		if sameFold(name, "expect") {
			c.noteExpect(value)
		}
	case 7:
		if sameFold(name, "upgrade") {
			c.upgrades = true
		}
	case 10:
		if sameFold(name, "connection") {
			c.noteConnection(value)
		}
	case 14:
		if sameFold(name, "content-length") {
			c.length = value
			c.lengths++
		}
	case 17:
		if sameFold(name, "transfer-encoding") {
			c.coding = value
			c.codings++
		}
	}
}

// noteConnection reads a list of connection options; ones that we do not know mean nothing
// to an origin server (RFC 9110 §7.6.1).
func (c *control) noteConnection(list []byte) {
	if sameFold(list, "keep-alive") { // what browsers send
		c.keepAlive = true
		return
	}
	for len(list) > 0 {
		var option []byte
		option, list = cutList(list)
		switch len(option) {
		case 5:
			c.close = c.close || sameFold(option, "close")
		case 7:
			c.upgrade = c.upgrade || sameFold(option, "upgrade")
		case 10:
			c.keepAlive = c.keepAlive || sameFold(option, "keep-alive")
		}
	}
}

// noteExpect reads a list of expectations (RFC 9110 §10.1.1). Empty members do not count.
func (c *control) noteExpect(list []byte) {
	for len(list) > 0 {
		var member []byte
		member, list = cutList(list)
		switch {
		case sameFold(member, "100-continue"):
			c.expect100 = true
		case len(member) > 0:
			c.expectOther = true
		}
	}
}

// cutList takes the first member off a list (RFC 9110 §5.6.1).
func cutList(list []byte) (member, rest []byte) {
	member, rest, _ = bytes.Cut(list, []byte(","))
	return trim(member), rest
}
