package http1

import (
	"iter"

	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// FieldViews is [Request.Values] as views into the connection's buffer: valid only until the
// handler returns, and not to be written to.
func (r *Request) FieldViews(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range r.x.Head.Fields {
			f := &r.x.Head.Fields[i]
			if wire.SameName(f.Name, name) && !yield(f.Value) {
				return
			}
		}
	}
}
