package http1

import (
	"iter"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// Trailers yields the field lines that followed the content (RFC 9110 §6.5), once
// [Request.Body] has returned io.EOF. Fields that must stand in a head are refused with
// the request, and never appear here.
func (r *Request) Trailers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, f := range r.x.Body.Trailers() {
			if !yield(string(f.Name), string(f.Value)) {
				return
			}
		}
	}
}

// DeclareTrailers announces fields that will follow the content, in a Trailer field. The
// response is then chunked, however short it is. Values come by [Response.SetTrailer].
func (w *Response) DeclareTrailers(names ...string) {
	if len(names) == 0 || w.committed {
		return
	}
	for _, name := range names {
		mustBeTrailer(name)
	}
	w.trailing = true
	w.Add("Trailer", strings.Join(names, ", "))
}

// SetTrailer gives a field that follows the content this one value, in place of all it had,
// until the handler returns.
// A response that is not chunked has no place for it: without [Response.DeclareTrailers]
// that depends on its length, and to an HTTP/1.0 client, or where there is no content, it
// is never sent. It panics on a name that belongs in a head (RFC 9110 §6.5.1) and on a
// value that cannot be sent.
func (w *Response) SetTrailer(name, value string) {
	mustBeTrailer(name)
	mustBeSendable(name, value)
	w.trailers = slices.DeleteFunc(w.trailers, func(l exchange.Line) bool { return wire.SameName(l.Name, name) })
	w.trailers = append(w.trailers, exchange.Line{Name: name, Value: value})
}

// AddTrailer appends a field line behind the content, beside those of the same name;
// otherwise as [Response.SetTrailer].
func (w *Response) AddTrailer(name, value string) {
	mustBeTrailer(name)
	mustBeSendable(name, value)
	w.trailers = append(w.trailers, exchange.Line{Name: name, Value: value})
}

// ValidTrailer tells whether a field of that name can follow the content: it is a token,
// and does not belong in a head (RFC 9110 §6.5.1). The other methods here panic on one
// that cannot.
func ValidTrailer(name string) bool {
	return wire.ValidFieldName(name) && !wire.ForbiddenInTrailer([]byte(name))
}

func mustBeTrailer(name string) {
	if !ValidTrailer(name) {
		panic("http1: " + name + " cannot be a trailer")
	}
}
