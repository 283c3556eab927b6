package route

import (
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// A Finding is what the mux does with a request.
type Finding struct {
	// Status is 0 where Route answers, else that of the mux's own answer: 204, 307, 404, 405, 501.
	Status int
	// Route is what answers or, for a 307, what would answer there; nil for none.
	Route *Route
	// Location is where a 307 leads, without a query.
	Location string
	// Allow are the methods that the path's routes take, for 204 and 405.
	Allow string

	wildcards http1.Wildcards
	path      []byte
}

// PathValue is what [http1.Request.PathValue] will be in the route's handler.
func (f *Finding) PathValue(name string) string {
	return decoded(f.EscapedPathValue(name))
}

// EscapedPathValue is what [http1.Request.EscapedPathValue] will be there.
func (f *Finding) EscapedPathValue(name string) string {
	if f.Status != 0 || f.wildcards == nil {
		return ""
	}
	return string(f.wildcards.Find(f.path, name))
}

// Lookup tells what the mux would do with a request for this method, authority (a host with or
// without a port) and path, percent-encoded.
func (m *Mux) Lookup(method, authority, path string) Finding {
	t := m.table()
	at := []byte(path)
	s := t.search(method, []byte(authority), at)
	return t.finding(method, []byte(authority), at, s)
}

// Find sets the request's route and returns its handler, where a route takes the request as it
// is. It returns nil where the mux itself would answer: it is for one that stands in front of
// another handler, which may have an answer of its own for a path that lacks a slash or is not
// clean.
func (m *Mux) Find(r *http1.Request) http1.Handler {
	e := m.table().asItIs(r.Method(), r.AuthorityView(), r.PathView())
	if e == nil {
		return nil
	}
	r.SetRoute(e.Name, e.pattern)
	return e.Handler
}

// LookupAsIs tells which route [Mux.Find] would have for a request for this method, authority and
// path, percent-encoded. Its Route is nil for none, and its Status is 0.
func (m *Mux) LookupAsIs(method, authority, path string) Finding {
	at := []byte(path)
	e := m.table().asItIs(method, []byte(authority), at)
	if e == nil {
		return Finding{}
	}
	return Finding{Route: &e.Route, wildcards: e.pattern, path: at}
}

// asItIs finds the entry that takes a path without a redirect, nil for none.
func (t *table) asItIs(method string, authority, path []byte) *entry {
	if len(path) == 0 || path[0] != '/' || !isClean(path) {
		return nil
	}
	e, _ := t.match(t.host(authority), method, path)
	return e
}

// Serve is http1.Handler.
func (m *Mux) Serve(w *http1.Response, r *http1.Request) {
	t := m.table()
	method, path, authority := r.Method(), r.PathView(), r.AuthorityView()
	s := t.search(method, authority, path)
	if s.entry != nil {
		var found http1.Wildcards
		if s.location == "" && len(s.entry.names) > 0 {
			found = s.entry.pattern
		}
		r.SetRoute(s.entry.Name, found)
		if s.location == "" {
			s.entry.Handler.Serve(w, r)
			return
		}
	}
	f := t.finding(method, authority, path, s)
	answer(w, r, &f)
}

// A search is the outcome of one.
type search struct {
	entry    *entry // nil for none
	location string // to redirect to; "" for nowhere
}

// slashRoomBytes is how long a path may be for its redirect to be tried without an allocation.
const slashRoomBytes = 256

// search finds the entry that answers, or the redirect that leads to one. A path that is not
// clean is redirected even to where nothing is, as ServeMux does.
func (t *table) search(method string, authority, path []byte) search {
	if len(path) == 0 || len(path) == 1 && path[0] == '*' {
		return search{}
	}
	var location string
	if !isClean(path) {
		location = cleaned(string(path))
		path = []byte(location)
	}
	n := t.host(authority)
	e, exact := t.match(n, method, path)
	if (e == nil || !exact) && path[len(path)-1] != '/' {
		var room [slashRoomBytes]byte
		slashed := append(append(room[:0], path...), '/')
		if other, exact := t.match(n, method, slashed); other != nil && exact {
			return search{other, string(slashed)}
		}
	}
	return search{e, location}
}

// match looks for a host's own routes first; n is its tree, nil for none.
func (t *table) match(n *node, method string, path []byte) (e *entry, exact bool) {
	if n != nil {
		if e, exact = n.match(method, path); e != nil {
			return e, exact
		}
	}
	return t.nowhere.match(method, path)
}

// hostRoomBytes is the longest name that DNS has, and a dot.
const hostRoomBytes = 254

// host is the tree for an authority, whose port means nothing.
func (t *table) host(authority []byte) *node {
	if len(t.hosts) == 0 {
		return nil
	}
	host := withoutPort(authority)
	if n := t.hosts[string(host)]; n != nil {
		return n
	}
	if len(host) > hostRoomBytes {
		return nil
	}
	var room [hostRoomBytes]byte
	lower := room[:len(host)]
	for i, c := range host {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	return t.hosts[string(lower)]
}

// withoutPort takes the port off an authority; an IPv6 address keeps its brackets.
func withoutPort(authority []byte) []byte {
	for i := len(authority) - 1; i >= 0; i-- {
		switch authority[i] {
		case ':':
			return authority[:i]
		case ']':
			return authority
		}
	}
	return authority
}

// finding says what becomes of a search.
func (t *table) finding(method string, authority, path []byte, s search) Finding {
	f := Finding{Location: s.location}
	if s.entry != nil {
		f.Route, f.wildcards, f.path = &s.entry.Route, s.entry.pattern, path
	}
	switch {
	case s.location != "":
		f.Status = 307
		return f
	case s.entry != nil:
		return f
	case len(path) == 1 && path[0] == '*':
		f.Allow = t.allow // of the server as a whole (RFC 9110 §9.3.7)
	case len(path) == 0:
		f.Allow = t.allowed(authority, "/")
	default:
		f.Allow = t.allowed(authority, string(path))
	}
	switch {
	case method == "OPTIONS" && f.Allow != "":
		f.Status = 204
	case !isStandard(method) && !t.methods[method]:
		f.Status = 501
	case f.Allow != "":
		f.Status = 405
	default:
		f.Status = 404
	}
	return f
}

// answer is the mux's own.
func answer(w *http1.Response, r *http1.Request, f *Finding) {
	if f.Allow != "" && f.Status != 501 {
		w.Set("Allow", f.Allow)
	}
	switch f.Status {
	case 204:
		w.SetStatus(204)
	case 307:
		location := f.Location
		if query := r.Query(); query != "" {
			location += "?" + query
		}
		w.Set("Location", location)
		w.Text(307, "307 Temporary Redirect\n")
	case 405:
		w.Text(405, "405 Method Not Allowed\n")
	case 501:
		w.Text(501, "501 Not Implemented\n")
	default:
		w.Text(404, "404 Not Found\n")
	}
}

// allowed lists the methods that some pattern takes for the path, or for it with a slash: then
// they are redirected. It is empty for none.
func (t *table) allowed(authority []byte, path string) string {
	var methods []string
	note := func(e *entry) { methods = append(methods, e.method) }
	for _, n := range []*node{t.host(authority), t.nowhere} {
		if n == nil {
			continue
		}
		n.each([]byte(path), note)
		if !strings.HasSuffix(path, "/") {
			n.each([]byte(path+"/"), note)
		}
	}
	return list(methods)
}

// list sorts methods for Allow, with HEAD beside GET, and OPTIONS, which is always answered.
func list(methods []string) string {
	methods = slices.DeleteFunc(methods, func(m string) bool { return m == "" })
	if len(methods) == 0 {
		return ""
	}
	if slices.Contains(methods, "GET") {
		methods = append(methods, "HEAD")
	}
	methods = append(methods, "OPTIONS")
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}

// isStandard tells whether RFC 9110 §9 or RFC 5789 define the method.
func isStandard(method string) bool {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
		return true
	}
	return false
}
