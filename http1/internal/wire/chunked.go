package wire

import "math"

// Chunked reads content in the chunked transfer coding (RFC 9112 §7.1), in whatever
// pieces it comes, up to and with the last chunk. The trailer section behind that is
// Trailers' to read. Reset makes it ready for a body.
//
// A sender chooses how its chunks cost: 1-byte chunks are legal, and an extension can
// make each of them as long as a chunk line may be. With the longest lines one byte of
// content would cost us thousands to read. So each chunk is granted 16 bytes of framing
// and twice its content, which every honest sender stays below; what goes beyond is
// summed, a chunk's unused grant taken off again, and the body refused when the sum
// passes Limits.ChunkExcessBytes.
type Chunked struct {
	state  chunkState
	digits int   // of the size under way
	line   int   // bytes of the chunk line under way, without CRLF
	size   int64 // under way, then what is left of the chunk's content
	excess int64 // framing bytes beyond what was granted
	credit int64 // content that the limit still allows
	limit  chunkLimits
	failed *Reason
}

type chunkLimits struct{ lineBytes, excessBytes int64 }

// chunkState is where in the grammar of a chunk the next byte stands.
type chunkState uint8

const (
	inSize     chunkState = iota // chunk-size
	inExtName0                   // the first byte of chunk-ext-name
	inExtName                    // chunk-ext-name
	inExtVal0                    // the first byte of chunk-ext-val
	inExtToken                   // a token as chunk-ext-val
	inQuoted                     // quoted-string
	inEscape                     // the byte behind a backslash in quoted-string
	afterQuoted
	inLineLF // behind the CR of a chunk line
	inData   // chunk-data
	inDataCR // the CR behind it
	inDataLF
	afterLast
)

// maxChunkDigits is enough for 64 bits. More could only be zeros in front, which nobody
// needs and some parsers drop.
const maxChunkDigits = 16

// Reset makes d ready for a body within lim. Before the first Reset it accepts none.
func (d *Chunked) Reset(lim *Limits) {
	*d = Chunked{
		credit: lim.BodyBytes,
		limit:  chunkLimits{int64(lim.ChunkLineBytes), int64(lim.ChunkExcessBytes)},
	}
}

// Done tells whether the CRLF of the last chunk was consumed. The trailer section follows.
func (d *Chunked) Done() bool { return d.state == afterLast }

// Remaining is how much of the current chunk's content is still to come; 0 where framing
// comes next.
func (d *Chunked) Remaining() int64 {
	if d.state != inData {
		return 0
	}
	return d.size
}

// Consumed tells d that the caller took n of the Remaining bytes itself, past Next.
// It panics if that is not so.
func (d *Chunked) Consumed(n int64) {
	if n < 0 || n > d.Remaining() {
		panic("wire: consumed more of a chunk than remained")
	}
	d.take(n)
}

func (d *Chunked) take(n int64) {
	if d.size -= n; d.state == inData && d.size == 0 {
		d.state = inDataCR
	}
}

// Next consumes the first n bytes of b and returns the content among them, a view into
// b[:n] that may be empty. It stops behind each run of content and behind the last chunk:
// call it until Done, or until n is 0, when it needs more bytes. A refusal is final. Neither
// content nor verdict depend on how the bytes were cut into calls.
func (d *Chunked) Next(b []byte) (payload []byte, n int, r *Reason) {
	for n < len(b) && d.state != afterLast && d.failed == nil {
		if d.state == inData {
			m := min(int64(len(b)-n), d.size)
			end := n + int(m)
			d.take(m)
			return b[n:end:end], end, nil
		}
		d.failed = d.step(b[n])
		n++
	}
	return nil, n, d.failed
}

// step consumes one byte of framing.
func (d *Chunked) step(c byte) *Reason {
	switch d.state {
	case inDataCR:
		return d.expect(c, '\r', inDataLF)
	case inDataLF:
		return d.expect(c, '\n', inSize)
	case inLineLF:
		if c != '\n' {
			return BareCR
		}
		return d.endLine()
	}
	if c == '\r' && d.mayEndLine() {
		d.state = inLineLF
		return nil
	}
	if c == '\n' {
		return BareLF
	}
	if d.line++; int64(d.line) > d.limit.lineBytes {
		return ChunkLineTooLong
	}
	if d.state == inSize {
		return d.stepSize(c)
	}
	return d.stepExtension(c)
}

func (d *Chunked) expect(c, want byte, next chunkState) *Reason {
	if c != want {
		return BadChunkEnd
	}
	d.state = next
	return nil
}

// mayEndLine tells whether a chunk line is complete here.
func (d *Chunked) mayEndLine() bool {
	switch d.state {
	case inSize:
		return d.digits > 0
	case inExtName, inExtToken, afterQuoted:
		return true
	}
	return false
}

func (d *Chunked) stepSize(c byte) *Reason {
	switch {
	case c == ';' && d.digits > 0:
		d.state = inExtName0
		return nil
	case !is(c, hexByte):
		return BadChunkSize
	}
	if d.digits++; d.digits > maxChunkDigits || d.size > math.MaxInt64>>4 {
		return ChunkSizeOverflow
	}
	d.size = d.size<<4 | hexValue(c)
	return nil
}

func hexValue(c byte) int64 {
	if is(c, digitByte) {
		return int64(c - '0')
	}
	return int64(c|0x20-'a') + 10
}

// stepExtension follows chunk-ext of RFC 9112 §7.1.1. What an extension says is ignored, as
// the RFC asks; what it looks like is not, for a lenient reader finds line ends in it.
func (d *Chunked) stepExtension(c byte) *Reason {
	next, token := chunkState(inSize), is(c, tokenByte)
	switch d.state {
	case inExtName0:
		next = when(token, inExtName)
	case inExtName:
		next = when(token, inExtName) | when(c == '=', inExtVal0) | when(c == ';', inExtName0)
	case inExtVal0:
		next = when(token, inExtToken) | when(c == '"', inQuoted)
	case inExtToken:
		next = when(token, inExtToken) | when(c == ';', inExtName0)
	case inQuoted:
		next = when(is(c, quotedByte), inQuoted) | when(c == '\\', inEscape) | when(c == '"', afterQuoted)
	case inEscape:
		next = when(is(c, textByte), inQuoted)
	case afterQuoted:
		next = when(c == ';', inExtName0)
	}
	if next == inSize {
		return BadChunkExtension
	}
	d.state = next
	return nil
}

// when is a row of a transition table: s where the condition holds, else nothing. The
// conditions of one state exclude each other.
func when(ok bool, s chunkState) chunkState {
	if ok {
		return s
	}
	return 0
}

// endLine judges a whole chunk line and begins its chunk.
func (d *Chunked) endLine() *Reason {
	if d.size > d.credit {
		return BodyTooLarge
	}
	d.credit -= d.size
	const ends = 4 // the CRLF of the line and that of the content
	granted := 16 + 2*min(d.size, d.limit.excessBytes+d.limit.lineBytes)
	d.excess = max(0, d.excess+int64(d.line)+ends-granted)
	if d.excess > d.limit.excessBytes {
		return ChunkOverhead
	}
	d.state = inData
	if d.size == 0 {
		d.state = afterLast
	}
	d.line, d.digits = 0, 0
	return nil
}
