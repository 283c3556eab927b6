package nethttp

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// declareTrailers announces the trailers that the handler names before its head goes out:
// in a Trailer field, or by http.TrailerPrefix. Content of a declared length has no place
// for any: there the field is one like others.
func (w *writer) declareTrailers() {
	if w.length >= 0 {
		w.addField("Trailer", w.header["Trailer"])
		return
	}
	var names []string
	for name := range members(w.header["Trailer"]) {
		if name = textproto.CanonicalMIMEHeaderKey(name); w.mayTrail(name) {
			names = append(names, name)
		}
	}
	w.trailers = names
	w.res.DeclareTrailers(slices.Concat(names, w.prefixed())...)
}

// prefixed are the names of the trailers set by http.TrailerPrefix so far.
func (w *writer) prefixed() (names []string) {
	for _, key := range slices.Sorted(maps.Keys(w.header)) {
		if name, ok := strings.CutPrefix(key, http.TrailerPrefix); ok && w.mayTrail(name) {
			names = append(names, name)
		}
	}
	return names
}

// setTrailers hands over the trailers as the handler left them.
func (w *writer) setTrailers() {
	late := w.prefixed()
	if w.length < 0 && len(w.trailers) == 0 {
		w.res.DeclareTrailers(late...) // nothing happens where the head has gone
	}
	for _, name := range w.trailers {
		w.addTrailer(name, w.header[name])
	}
	for _, name := range late {
		w.addTrailer(name, w.header[http.TrailerPrefix+name])
	}
}

func (w *writer) addTrailer(name string, values []string) {
	for _, v := range values {
		w.res.AddTrailer(name, clean(v))
	}
}

// mayTrail tells whether http1 takes a trailer of that name. It panics on one that it does
// not, for that is a bug of a handler of its own; to net/http it never was.
func (w *writer) mayTrail(name string) bool {
	if !http1.ValidTrailer(name) {
		w.log.Warn("handler set a trailer that must stand in a head", "name", name)
		return false
	}
	return true
}
