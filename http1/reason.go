package http1

import (
	"strconv"

	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// A Reason says why a message is refused: a stable code such as "bad-chunk-size", the
// status that answers it, the section of the RFC it fails, and one sentence. It is an
// error. Reasons are compared by identity or by Code.
type Reason = wire.Reason

// Reasons are all there are, sorted by code.
func Reasons() []*Reason { return wire.Reasons() }

// refusalText is what the client of a refused message gets to read.
func refusalText(r *Reason) string {
	return strconv.Itoa(r.Status) + " " + wire.StatusText(r.Status) + "\n" + r.Error() + "\n"
}
