package http1

import (
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// dates makes Date field lines, one a second.
type dates struct{ latest atomic.Pointer[dateLine] }

type dateLine struct {
	unix int64
	line []byte
}

// append appends the Date field line for now (RFC 9110 §6.6.1). A request that began less
// than a second ago saves the look at the wall clock.
func (d *dates) append(dst []byte, begun time.Time) []byte {
	since := time.Since(begun)
	at := begun.Add(since)
	if since >= time.Second {
		at = time.Now()
	}
	now := at.Unix()
	l := d.latest.Load()
	if l == nil || l.unix != now {
		line := append(wire.AppendDate([]byte("Date: "), now), '\r', '\n')
		l = &dateLine{unix: now, line: line}
		d.latest.Store(l)
	}
	return append(dst, l.line...)
}
