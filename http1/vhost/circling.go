package vhost

import (
	"slices"
	"strings"
)

// something stands for a wildcard's value where a redirect is followed without a request. It is
// nothing that a pattern would have as a literal.
const something = "~0~"

// Circling are redirects that lead a client round for ever: one of each circle. Browsers give up
// after some twenty rounds. It is asked once all rules are added, for another rule may take a
// target and lead out. A redirect to a URL is followed where own says that its scheme and its
// authority are this site's; nil has none.
func (s *Rules) Circling(own func(scheme, authority string) bool) (circling []Rule) {
	var told []string // the patterns that are on circles already
	for _, r := range s.redirects {
		for _, method := range methodsOf(r.From) {
			around := s.follow(r, method, own)
			if around == nil || slices.Contains(told, r.From) {
				continue
			}
			told = append(told, around...)
			circling = append(circling, r.Rule)
		}
	}
	return circling
}

// methodsOf are the methods that a pattern is tried with. Of those that one without a method
// takes, GET and POST stand for the ones that a 303 leaves and changes.
func methodsOf(pattern string) []string {
	if i := strings.IndexAny(pattern, " \t"); i >= 0 {
		return []string{pattern[:i]}
	}
	return []string{"GET", "POST"}
}

// follow does what a client does that was redirected, and returns the patterns on its way if it
// comes to the same redirect again, nil if not.
func (s *Rules) follow(first redirection, method string, own func(scheme, authority string) bool) (way []string) {
	at, value := first, func(string) string { return something }
	for range len(s.redirects) {
		way = append(way, at.From)
		path, ok := at.to.within(value, own)
		if !ok {
			return nil
		}
		if at.Status < 307 && method == "POST" || at.Status == 303 && method != "HEAD" {
			method = "GET" // RFC 9110 §15.4.2 to §15.4.4
		}
		f := s.mux.LookupAsIs(method, "", path)
		if f.Route == nil {
			return nil
		}
		i := slices.IndexFunc(s.redirects, func(r redirection) bool { return r.From == f.Route.Pattern })
		switch {
		case i < 0:
			return nil // a rewrite
		case f.Route.Pattern == first.From:
			return way
		}
		at, value = s.redirects[i], f.EscapedPathValue
	}
	return nil
}

// within is the target's path, and whether it is on the same site.
func (t *target) within(value func(name string) string, own func(scheme, authority string) bool) (path string, ok bool) {
	place := t.path(value)
	if t.isLocal() {
		return place, true
	}
	scheme, rest, _ := strings.Cut(place, "://")
	authority, path, _ := strings.Cut(rest, "/")
	return "/" + path, own != nil && own(scheme, authority)
}
