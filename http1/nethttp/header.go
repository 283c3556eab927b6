package nethttp

import (
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// contentLength is the length that a handler declares, -1 for none.
func contentLength(h http.Header, log *slog.Logger) int64 {
	value := h.Get("Content-Length")
	if value == "" {
		return -1
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		log.Warn("handler set an invalid Content-Length", "value", value)
		return -1
	}
	return n
}

// setFields gives the response the handler's fields as they stand now, those that frame
// it aside: the server has the say about framing.
func (w *writer) setFields() {
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		values := w.header[name]
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Connection":
			if hasToken(values, "close") {
				w.res.CloseAfter()
			}
		case "Transfer-Encoding":
			if hasToken(values, "identity") {
				w.res.CloseAfter() // as an event stream of old asked to end it
			}
		case "Content-Length", "Keep-Alive", "Trailer": // an Upgrade brings its Connection along
		case "Content-Type":
			if w.status != http.StatusNotModified {
				w.addField(name, values)
			}
		default:
			if !strings.HasPrefix(name, http.TrailerPrefix) {
				w.addField(name, values)
			}
		}
	}
}

// addField adds what of a field can be sent.
func (w *writer) addField(name string, values []string) {
	if !isToken(name) {
		w.log.Warn("handler set a field whose name is no token", "name", name)
		return
	}
	for _, v := range values {
		if v != "" || !strings.EqualFold(name, "Date") {
			w.res.Add(name, clean(v))
		}
	}
}

// informFields are the fields that can go with an informational response, name and value
// in turn.
func informFields(h http.Header) (pairs []string) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive":
			continue
		}
		if !isToken(name) {
			continue
		}
		for _, v := range h[name] {
			pairs = append(pairs, name, clean(v))
		}
	}
	return pairs
}

// clean makes of a value one that can be sent: a byte with which a field could become two,
// or a response be split, becomes a space (RFC 9110 §5.5), and spaces around it go.
func clean(value string) string {
	value = strings.Trim(value, " \t\r\n")
	if strings.IndexFunc(value, isControl) < 0 {
		return value
	}
	b := []byte(value)
	for i, c := range b {
		if isControl(rune(c)) {
			b[i] = ' '
		}
	}
	return string(b)
}

// isControl tells the bytes that a field value cannot hold (RFC 9110 §5.5).
func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F }

// isToken tells whether a name can be a field's (RFC 9110 §5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != ""
}

// members yields the members of a list that may be spread over several lines (RFC 9110
// §5.6.1), empty ones left out.
func members(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for m := range strings.SplitSeq(line, ",") {
				if m = strings.Trim(m, " \t"); m != "" && !yield(m) {
					return
				}
			}
		}
	}
}

// hasToken tells whether a list has such a member, in any case.
func hasToken(lines []string, token string) bool {
	for m := range members(lines) {
		if strings.EqualFold(m, token) {
			return true
		}
	}
	return false
}
