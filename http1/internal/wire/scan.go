package wire

import "bytes"

// A Scanner finds the end of a head in bytes that arrive in any pieces. It remembers how
// far it looked, so that a head costs the same whether it comes whole or a byte at a time.
// The zero value is ready for one message; Reset makes it ready for the next.
type Scanner struct {
	seen    int // bytes of the message that need no second look
	start   int // where the line under way begins
	lines   int // lines that ended, the request line among them
	inLines bool
}

// Reset makes s ready for the next message.
func (s *Scanner) Reset() { *s = Scanner{} }

// Scan looks at b, all that came of the message so far: the same bytes as the call before
// and usually more. With n > 0, b[:n] is a whole head with its empty line (and the one
// empty line that may stand before it, RFC 9112 §2.2), ready for Head.Parse. With n == 0
// and no Reason more bytes are needed. The verdict does not depend on how the bytes were
// cut into calls, and lim.HeadBytes of them always suffice for one.
//
// It refuses as soon as a byte makes the message hopeless, so that noise, a TLS
// handshake or an endless line is answered without waiting for an end that never comes.
func (s *Scanner) Scan(b []byte, lim *Limits) (n int, r *Reason) {
	b = b[:min(len(b), lim.HeadBytes)]
	if !s.inLines {
		if r = s.begin(b, lim); r != nil {
			return 0, r
		}
	}
	if s.inLines {
		if n, r = s.scanLines(b, lim); n > 0 || r != nil {
			return n, r
		}
	}
	if len(b) < lim.HeadBytes {
		return 0, nil
	}
	if s.lines == 0 {
		return 0, RequestLineTooLong
	}
	return 0, HeadTooLarge
}

// begin looks at the method and the empty line that may stand before it, a byte at a time:
// there are few of them, and each can show that this is not HTTP.
func (s *Scanner) begin(b []byte, lim *Limits) *Reason {
	for s.seen < len(b) {
		c := b[s.seen]
		switch {
		case is(c, tokenByte):
			if s.seen-s.start >= lim.MethodBytes {
				return MethodTooLong
			}
			s.seen++
			continue
		case s.seen > s.start:
			s.inLines = c == ' '
			return endOfMethod(c)
		case c != '\r':
			return notMethod(c, s.start)
		case s.start > 0:
			return LeadingLines
		case len(b) == 1:
			return nil
		case b[1] != '\n':
			return BareCR
		}
		s.seen, s.start = 2, 2
	}
	return nil
}

// endOfMethod judges the byte behind a method.
func endOfMethod(c byte) *Reason {
	switch c {
	case ' ':
		return nil
	case '\n':
		return BareLF
	case '\r':
		return BadRequestLine
	}
	return BadMethod
}

// notMethod judges a byte where a method should begin.
func notMethod(c byte, at int) *Reason {
	switch {
	case c == '\n':
		return BareLF
	case c == 0x16 && at == 0: // a TLS record of type handshake, RFC 8446 §5.1
		return TLSOnPlain
	}
	return BadMethod
}

// scanLines looks for the empty line. b is what came, cut to its limit. It judges in the
// order of the bytes, so that the verdict is that of a caller who brings one at a time.
func (s *Scanner) scanLines(b []byte, lim *Limits) (n int, r *Reason) {
	for s.seen < len(b) {
		end := lineEnd(b, s.seen)
		if r := s.tooLong(end-s.start, lim); r != nil {
			return 0, r
		}
		s.seen = end
		switch {
		case end == len(b):
			return 0, nil
		case b[end] == '\n':
			return 0, BareLF
		case end+1 == len(b):
			return 0, nil // only the next byte tells whether this CR is bare
		case b[end+1] != '\n':
			return 0, BareCR
		}
		empty := end == s.start
		s.seen, s.start = end+2, end+2
		if empty && s.lines > 0 {
			return s.seen, nil
		}
		s.lines++
	}
	return 0, nil
}

// tooLong judges a line of which so many bytes came, ended or not: the request line by its
// length, a field line by being one too many.
func (s *Scanner) tooLong(text int, lim *Limits) *Reason {
	switch {
	case s.lines == 0 && text > lim.LineBytes:
		return RequestLineTooLong
	case s.lines > lim.Fields && text > 0:
		return TooManyFields
	}
	return nil
}

// MethodOf is the method at the start of a message of which Scan refused the rest, nil if
// none can be told. The answer to a refused HEAD has no content either (RFC 9110 §9.3.2).
func MethodOf(b []byte) []byte {
	b = bytes.TrimPrefix(b, crlf)
	i := bytes.IndexByte(b, ' ')
	if i < 0 || !all(b[:i], tokenByte) {
		return nil
	}
	return b[:i]
}

var crlf = []byte("\r\n")
