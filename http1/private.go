package http1

import (
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1/internal/wire"
)

// SetPrivate says that the response is for whoever asked and nobody else: for what stands
// around a handler that does not know for whom it answers. Whatever the handler says of caching,
// no cache that several share may keep the response (RFC 9111 §5.2.2.7): of Cache-Control,
// "public" and "s-maxage" are left out and "private" is added, unless there is "no-store"; and
// Vary gets "Cookie". It survives [Response.Reset].
func (w *Response) SetPrivate() { w.private = true }

// keepPrivate changes the fields that the response is about to begin with.
func (w *Response) keepPrivate() {
	if !w.private {
		return
	}
	if said, ok := privately(w.joined("Cache-Control")); !ok {
		w.Set("Cache-Control", said)
	}
	if vary := w.joined("Vary"); !lists(vary, "Cookie") && !lists(vary, "*") {
		w.Add("Vary", "Cookie")
	}
}

// joined is all lines of a field as one (RFC 9110 §5.3).
func (w *Response) joined(name string) string {
	var values []string
	for _, l := range w.answer.Lines {
		if wire.SameName(l.Name, name) {
			values = append(values, l.Value)
		}
	}
	return strings.Join(values, ", ")
}

// privately is a Cache-Control of which no shared cache makes use, and whether it was one already.
func privately(value string) (private string, already bool) {
	var kept []string
	for directive := range strings.SplitSeq(value, ",") {
		directive = strings.TrimSpace(directive)
		name, _, valued := strings.Cut(directive, "=")
		switch name = strings.ToLower(strings.TrimSpace(name)); {
		case name == "no-store", name == "private" && !valued: // with a list of fields it is for those alone
			return value, true
		case name == "", name == "public", name == "s-maxage", name == "private", name == "proxy-revalidate":
		default:
			kept = append(kept, directive)
		}
	}
	return strings.Join(append([]string{"private"}, kept...), ", "), false
}

// lists tells whether a field's list has a member, in whatever case.
func lists(value, member string) bool {
	return slices.ContainsFunc(strings.Split(value, ","), func(one string) bool {
		return wire.SameName(strings.TrimSpace(one), member)
	})
}
