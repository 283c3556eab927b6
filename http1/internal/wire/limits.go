package wire

// Limits bound what one request may cost. All are inclusive: a head of exactly
// HeadBytes passes. A zero field allows nothing.
type Limits struct {
	// HeadBytes is the size of a head: request line, fields, the empty lines around
	// them. It is also all that a caller ever needs to buffer for Scan to decide.
	HeadBytes int
	// LineBytes is the length of the request line without its CRLF.
	LineBytes int
	// MethodBytes is the length of the method. The longest registered one has 17.
	MethodBytes int
	// Fields is the number of field lines of a head, and again of a trailer section.
	Fields int
	// TrailerBytes is the size of a trailer section with its empty line.
	TrailerBytes int
	// ChunkLineBytes is the length of one chunk's size and extensions, without CRLF.
	ChunkLineBytes int
	// ChunkExcessBytes is how far a body's chunk lines may exceed what each chunk is
	// granted (see Chunked), summed over the body.
	ChunkExcessBytes int
	// BodyBytes is the length of a content, however it is framed.
	BodyBytes int64
}

// DefaultLimits suit a server on a public host: 16 KiB of head, of which 8 KiB are the
// request line (RFC 9112 §3 asks for at least 8000 bytes), 100 fields, a content of 1 GiB.
func DefaultLimits() Limits {
	return Limits{
		HeadBytes:        16 << 10,
		LineBytes:        8 << 10,
		MethodBytes:      32,
		Fields:           100,
		TrailerBytes:     8 << 10,
		ChunkLineBytes:   4 << 10,
		ChunkExcessBytes: 16 << 10,
		BodyBytes:        1 << 30,
	}
}

// OrElse is l with the fields of d where l has zero, and zero where l is negative.
func (l Limits) OrElse(d Limits) Limits {
	for _, f := range []struct{ have, other *int }{
		{&l.HeadBytes, &d.HeadBytes}, {&l.LineBytes, &d.LineBytes}, {&l.MethodBytes, &d.MethodBytes}, {&l.Fields, &d.Fields},
		{&l.TrailerBytes, &d.TrailerBytes}, {&l.ChunkLineBytes, &d.ChunkLineBytes}, {&l.ChunkExcessBytes, &d.ChunkExcessBytes},
	} {
		*f.have = orElse(*f.have, *f.other)
	}
	l.BodyBytes = orElse(l.BodyBytes, d.BodyBytes)
	return l
}

func orElse[N int | int64](have, other N) N {
	if have == 0 {
		return other
	}
	return max(have, 0)
}
