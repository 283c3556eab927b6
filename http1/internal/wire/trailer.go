package wire

// Trailers reads the trailer section behind the last chunk (RFC 9112 §7.1.2): no or any
// field lines and an empty line. The zero value is ready for one section; Reset makes it
// ready for the next.
type Trailers struct {
	// Fields are what Parse read: views, valid as long as the bytes it was given.
	Fields []Field
	lines  Scanner
}

// Reset makes t ready for the next section and drops its views.
func (t *Trailers) Reset() {
	clear(t.Fields[:cap(t.Fields)])
	*t = Trailers{Fields: t.Fields[:0]}
}

// Scan looks for the end of the section in b, all that came of it so far, as Scanner.Scan
// does for a head: with n > 0, b[:n] is whole; with n == 0 and no Reason more bytes are
// needed, at most lim.TrailerBytes in all.
func (t *Trailers) Scan(b []byte, lim *Limits) (n int, r *Reason) {
	b = b[:min(len(b), lim.TrailerBytes)]
	if t.lines.lines == 0 {
		t.lines.lines = 1 // no request line comes
	}
	n, r = t.lines.scanLines(b, lim)
	if n == 0 && r == nil && len(b) == lim.TrailerBytes {
		r = TrailersTooLarge
	}
	return n, r
}

// Parse reads the section that Scan delimited: b is exactly its b[:n]. Fields that would
// have changed how the message is read, had they stood in the head, are refused.
func (t *Trailers) Parse(b []byte, lim *Limits) *Reason {
	h := Head{Fields: t.Fields[:0]}
	var ignored control
	r := h.parseFields(b, lim.Fields, &ignored)
	t.Fields = h.Fields
	if r == LeadingSpace {
		r = ObsFold
	}
	if r != nil {
		return r
	}
	for i := range t.Fields {
		if ForbiddenInTrailer(t.Fields[i].Name) {
			return ForbiddenTrailer
		}
	}
	return nil
}

// ForbiddenInTrailer tells whether a field of that name, in any case, must not stand in a
// trailer section because it must be known before the content is (RFC 9110 §6.5.1).
func ForbiddenInTrailer(name []byte) bool {
	const content, forwarded = "content-", "x-forwarded-"
	switch {
	case len(name) > len(content) && sameFold(name[:len(content)], content):
		return !sameFold(name, "content-digest") // made for trailers, RFC 9530 §2
	case len(name) > len(forwarded) && sameFold(name[:len(forwarded)], forwarded):
		return true
	}
	for _, f := range headOnly {
		if sameFold(name, f) {
			return true
		}
	}
	return false
}

// headOnly are the names that count in the head alone, beside those by prefix.
var headOnly = [...]string{
	// framing and the connection
	"transfer-encoding", "trailer", "te", "connection", "keep-alive", "proxy-connection", "upgrade", "http2-settings",
	// routing and where a request came from
	"host", "forwarded", "via", "x-real-ip", "origin", "max-forwards",
	// credentials
	"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie",
	// request modifiers and conditions
	"expect", "range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
	"cache-control", "pragma", "x-http-method-override",
	// response controls
	"age", "expires", "date", "location", "retry-after", "vary", "warning",
}
