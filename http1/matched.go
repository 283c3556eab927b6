package http1

import (
	"iter"
	"net/url"
)

// Wildcards finds in a path the parts that the wildcards of a pattern match. A router keeps one
// for each pattern, so that a match costs no memory; it is called when a value is asked for.
type Wildcards interface {
	// Names are the wildcards' names in the order of the pattern. They are not to be changed.
	Names() []string
	// Find is the part of a matching path that the named wildcard stands for, still
	// percent-encoded, as a part of that path's memory. It is nil for a name that is none of Names.
	Find(path []byte, name string) []byte
}

// SetRoute says what a router has found for the request: the route's name, which is the
// program's and no client's, and the wildcards of its pattern, nil for none. The request's
// [Record] has the name too. A later call takes the place of an earlier one.
func (r *Request) SetRoute(name string, w Wildcards) {
	r.x.Route = name
	r.wildcards, r.matched = w, r.x.Head.Path
}

// Route is the name of the route that a router has found, "" without one.
func (r *Request) Route() string { return r.x.Route }

// PathValue is what the named wildcard of the route's pattern stands for, decoded; "" where the
// pattern has none of that name. It can hold anything that can be written in a path: a slash,
// "..", or a NUL. Each call decodes anew.
func (r *Request) PathValue(name string) string {
	part := r.EscapedPathValue(name)
	if value, err := url.PathUnescape(part); err == nil {
		return value
	}
	return part
}

// EscapedPathValue is [Request.PathValue] as it stands in the path, percent-encoded.
func (r *Request) EscapedPathValue(name string) string {
	if r.wildcards == nil {
		return ""
	}
	return string(r.wildcards.Find(r.matched, name))
}

// PathValues yields the name and the value of each wildcard, in the order of the pattern.
func (r *Request) PathValues() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if r.wildcards == nil {
			return
		}
		for _, name := range r.wildcards.Names() {
			if !yield(name, r.PathValue(name)) {
				return
			}
		}
	}
}

// SetPath gives the handlers that see the request from now on another path, percent-encoded.
// It is for middleware that rewrites paths: [Request.Target], the access log and the values of
// wildcards stay what they are. A path that does not begin with "/" panics.
func (r *Request) SetPath(path string) {
	if path == "" || path[0] != '/' {
		panic("http1: SetPath: a path begins with a slash")
	}
	r.path, r.x.Head.Path, r.rewritten, r.directory = path, []byte(path), true, ""
}

// SetDirectory says under which path, percent-encoded and with a slash at its end, the client
// reaches what Path names if that is a directory. It is for who rewrites a path: references in a
// directory's pages are relative to the client's path, of which the handler knows nothing.
func (r *Request) SetDirectory(path string) { r.directory = path }

// Directory is what [Request.SetDirectory] said, "" for nothing: then the client's path is good
// as soon as it ends in a slash.
func (r *Request) Directory() string { return r.directory }

// Rewritten tells whether [Request.SetPath] was called: then Path is not the target's.
func (r *Request) Rewritten() bool { return r.rewritten }

// AuthorityView is [Request.Authority] as a view: valid only until the handler returns.
func (r *Request) AuthorityView() []byte { return r.x.Head.Authority }
