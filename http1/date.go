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

// append appends the Date field line for now (RFC 9110 §6.6.1).
func (d *dates) append(dst []byte) []byte {
	now := time.Now().Unix()
	l := d.latest.Load()
	if l == nil || l.unix != now {
		line := append(wire.AppendDate([]byte("Date: "), now), '\r', '\n')
		l = &dateLine{unix: now, line: line}
		d.latest.Store(l)
	}
	return append(dst, l.line...)
}
