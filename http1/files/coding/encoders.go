package coding

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// zstdWindowBytes bounds what an encoder, and who decodes, keeps in memory. Browsers take
// up to 8 MiB (RFC 9659); texts hardly gain beyond this.
const zstdWindowBytes = 512 << 10

// Encoders make gzip and zstd, so many at a time and no more. An encoder that is not in
// use waits in a pool, since a new one costs hundreds of kilobytes.
type Encoders struct {
	slots      chan struct{}
	gzip, zstd sync.Pool
}

// NewEncoders allows atOnce encoders at a time, at least 1.
func NewEncoders(atOnce int) *Encoders {
	return &Encoders{slots: make(chan struct{}, max(atOnce, 1))}
}

// engine is what both libraries' writers are.
type engine interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// An Encoder encodes what is written to it. Its owner calls Release in the end.
type Encoder struct {
	engine
	of   *Encoders
	pool *sync.Pool
}

// Begin is an encoder that writes to w, or false when all are busy: it never waits. The
// coding is [Gzip] or [Zstd]; another panics. Close ends the content; it does not close w.
func (e *Encoders) Begin(c Coding, w io.Writer) (*Encoder, bool) {
	select {
	case e.slots <- struct{}{}:
	default:
		return nil, false
	}
	pool, make := &e.gzip, newGzip
	switch c {
	case Gzip:
	case Zstd:
		pool, make = &e.zstd, newZstd
	default:
		<-e.slots
		panic(fmt.Sprintf("coding: %v is not made on the fly", c))
	}
	inner, ok := pool.Get().(engine)
	if !ok {
		inner = make()
	}
	inner.Reset(w)
	return &Encoder{engine: inner, of: e, pool: pool}, true
}

// Release gives the encoder back, whether or not it was closed. It may be called again.
func (e *Encoder) Release() {
	if e.engine == nil {
		return
	}
	e.Reset(io.Discard) // the pool must not keep a response alive
	e.pool.Put(e.engine)
	e.engine = nil
	<-e.of.slots
}

// newGzip encodes at the least level: a file that is worth more is precompressed.
func newGzip() engine {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // only for a level that does not exist
	}
	return w
}

// newZstd encodes in the caller's goroutine and starts none.
func newZstd() engine {
	w, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindowBytes), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // only for options out of their ranges
	}
	return w
}
