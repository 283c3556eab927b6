package http1

import (
	"slices"

	"github.com/holdfast-server/holdfast/http1/internal/exchange"
	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// SetDefault gives the response a field that it has unless the handler sets one of that
// name, however the response comes about: it survives [Response.Reset] and is part of a
// 500 after a panic and of the refusal of content. It is for what stands around a handler.
// A second default of a name takes the place of the first, and an empty value takes it
// back. It panics on what [Response.Set] does, and on all fields that frame the message.
func (w *Response) SetDefault(name, value string) {
	mustBeSendable(name, value)
	for _, framing := range []string{"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date", "Trailer", "Upgrade"} {
		if wire.SameName(name, framing) {
			panic("http1: " + name + " cannot be a default")
		}
	}
	if w.committed {
		return
	}
	w.defaults = slices.DeleteFunc(w.defaults, func(l exchange.Line) bool { return wire.SameName(l.Name, name) })
	if value != "" {
		w.defaults = append(w.defaults, exchange.Line{Name: name, Value: value})
	}
}

// addDefaults makes fields of the defaults that the handler set none for.
func (w *Response) addDefaults() {
	own := w.answer.Lines
	for _, d := range w.defaults {
		if !slices.ContainsFunc(own, func(l exchange.Line) bool { return wire.SameName(l.Name, d.Name) }) {
			w.answer.Lines = append(w.answer.Lines, d)
		}
	}
}

// restart forgets what the handler made of the response, and nothing of what stands around
// it.
func (w *Response) restart() {
	defaults, private := w.defaults, w.private
	w.defaults = nil
	w.reset(w.x)
	w.defaults, w.private = defaults, private
}

// Fail breaks the response off: no more can be written, and err is what the server logs. A
// response that is not committed becomes a 500, unless it is [Response.Reset] and made
// another one; of one that is, the client sees a cut. A response that is whole already
// stays whole, and one that failed keeps its first error.
func (w *Response) Fail(err error) {
	whole := w.committed && (!w.answer.Bodied || w.answer.Length != exchange.Unknown && w.written == w.answer.Length)
	if w.err == nil && !whole {
		w.err = err
	}
}
