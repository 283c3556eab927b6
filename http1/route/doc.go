// Package route finds the handler for a request by its method, host and path.
//
//	m := new(route.Mux)
//	m.HandleFunc("GET /items/{id}", show)
//	m.HandleFunc("DELETE /items/{id}", remove)
//	api := m.Group("/api/v1", authenticate).Named("api")
//	api.Handle("GET /files/{path...}", download)
//
// # Patterns
//
// A pattern is "[METHOD ][HOST]/[PATH]", with the meaning and the precedence of the standard
// library's http.ServeMux: GET takes HEAD too; "{name}" stands for one segment, "{name...}" for
// all that is left, which may be nothing; a pattern that ends in a slash takes every path that
// begins with it, and "{$}" at the end takes that slash alone. A pattern with a host goes before
// one without. Of two that match, the one that matches fewer methods and paths wins; where
// neither does, both cannot be registered, in whatever order they come.
//
// A handler has the values of wildcards by [http1.Request.PathValue], and metrics and the access
// log have the route by its name, the pattern unless [Group.Named] gave another.
//
// # What no pattern takes
//
// A path that is not clean ("//", ".", "..") and one that lacks only the slash at its end are
// redirected, with 307 and the query kept. A method that others of the path's patterns take is
// missing gets 405 with Allow, OPTIONS 204 with Allow and no content, for "*" too; a method that is
// neither the standard's nor any pattern's gets 501 (RFC 9110 §15.6.2); anything else 404.
//
// # Percent-encoding
//
// As in ServeMux a path is cut at its slashes first and decoded a segment at a time for the
// comparison with literal segments, so "/%61" is "/a", and an encoded slash separates nothing;
// "%2e%2e" is cleaned by neither. Escapes that are no escapes and bytes such as '"', "<" and "\"
// never get here: the parser refuses them with 400.
//
// # Where ServeMux does otherwise
//
//   - OPTIONS is answered, and an unknown method gets 501; ServeMux gives both 405. Allow names
//     OPTIONS.
//   - A host's letters are the same in either case (RFC 3986 §3.2.2), and an IPv6 address has its
//     brackets with and without a port; ServeMux compares bytes, and takes the brackets off where
//     there is a port.
//   - "/%2F" is a segment that holds a slash, which "{name}" matches. ServeMux takes it for the
//     end of a path, and "{$}" matches it.
//   - A redirect keeps escapes as they came. ServeMux encodes them again when it cleans ("//a%20b"
//     leads to "/a%2520b"), and decodes slashes when it adds one.
//   - A path with one of ^ ` { | } and an encoded slash is still cut at its slashes only; ServeMux
//     decodes the latter first.
//   - A pattern whose path is not clean can never match, and is refused with a method and without;
//     ServeMux takes "//a" and has it match "/x/a".
//   - A request with CONNECT has no path (RFC 9112 §3.2.3), and no pattern takes it.
package route
