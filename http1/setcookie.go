package http1

import (
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// SetCookie sets a cookie by its Set-Cookie line, "name=value; Path=/", in place of one of that
// name: a response has no two (RFC 6265 §4.1.1). Those of other names stay. Otherwise it is as
// [Response.Add]; a line without a name panics.
func (w *Response) SetCookie(line string) {
	name, _, ok := strings.Cut(line, "=")
	if !ok || name == "" || strings.ContainsAny(name, "; \t") {
		panic("http1: SetCookie: a cookie begins with its name and \"=\"")
	}
	if w.committed {
		return
	}
	w.answer.Lines = slices.DeleteFunc(w.answer.Lines, func(l exchange.Line) bool {
		other, _, _ := strings.Cut(l.Value, "=")
		return wire.SameName(l.Name, "Set-Cookie") && other == name
	})
	w.Add("Set-Cookie", line)
}
