package wire

import "math"

// frame decides how the content ends (RFC 9112 §6.3). Wherever two readers could come to
// two answers it gives none: what follows a refused request is never read as another.
func (h *Head) frame(c *control, limit int64) *Reason {
	switch {
	case c.codings > 0 && c.lengths > 0:
		return LengthAndCoding
	case c.codings > 0:
		return h.frameCoding(c)
	case c.lengths == 0:
		return nil
	case c.lengths > 1:
		return DuplicateLength
	}
	n, r := parseLength(c.length)
	switch {
	case r != nil:
		return r
	case n > limit:
		return BodyTooLarge
	case n > 0:
		h.Framing, h.ContentLength = Length, n
	}
	return nil
}

// frameCoding takes "chunked" and nothing else. A list could name chunked twice or not
// last, a parameter could hide anything, and HTTP/1.0 peers do not see the field at all.
func (h *Head) frameCoding(c *control) *Reason {
	switch {
	case h.Minor == 0:
		return CodingIn10
	case c.codings > 1:
		return DuplicateCoding
	case sameFold(c.coding, "chunked"):
		h.Framing = Chunks
		return nil
	case all(c.coding, tokenByte):
		return UnknownCoding
	}
	return BadCoding
}

// parseLength reads 1*DIGIT (RFC 9110 §8.6); leading zeros are in the grammar.
func parseLength(v []byte) (n int64, r *Reason) {
	if !all(v, digitByte) {
		return 0, BadLength
	}
	for _, c := range v {
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, LengthOverflow
		}
		n = n*10 + d
	}
	return n, nil
}

// applyOptions settles what Connection, Upgrade and Expect mean for this version. HTTP/1.0
// knows neither Upgrade nor a 100 (RFC 9110 §7.8, §10.1.1), and without content there is
// nothing to wait for.
func (h *Head) applyOptions(c *control) *Reason {
	h.KeepAlive = !c.close && (h.Minor > 0 || c.keepAlive)
	h.Upgrade = h.Minor > 0 && c.upgrade && c.upgrades
	h.Expect100 = h.Minor > 0 && c.expect100 && h.Framing != NoBody
	if c.expectOther {
		return UnknownExpectation
	}
	return nil
}
