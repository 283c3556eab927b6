package route

import (
	"fmt"
	"strings"
)

// A relation is how the requests of two patterns lie to each other. For patterns as for their
// parts, of which each bounds the requests by itself: two products of sets meet where all of
// their parts meet, and one holds something that the other lacks where any of its parts does.
type relation struct {
	meet          bool // some request matches both
	first, second bool // the first, the second, matches something that the other does not
}

// and is the relation of the products of what a and b relate.
func (a relation) and(b relation) relation {
	return relation{a.meet && b.meet, a.first || b.first, a.second || b.second}
}

var (
	same     = relation{meet: true}
	broader  = relation{meet: true, first: true}
	narrower = relation{meet: true, second: true}
	apart    = relation{first: true, second: true}
)

// conflict tells whether some request matches both and nothing says which one is meant: they
// match the same, or each something of its own.
func (a relation) conflict() bool { return a.meet && a.first == a.second }

// relate compares two patterns of one host.
func relate(a, b *pattern) relation {
	return relateMethods(a.method, b.method).and(relatePaths(a.segments, b.segments))
}

func relateMethods(a, b string) relation {
	switch {
	case a == b:
		return same
	case a == "", a == "GET" && b == "HEAD":
		return broader
	case b == "", b == "GET" && a == "HEAD":
		return narrower
	}
	return apart
}

// relatePaths compares segment by segment. A rest holds whatever the other still has.
func relatePaths(a, b []segment) relation {
	r := same
	for i := 0; i < len(a) && i < len(b); i++ {
		r = r.and(relateSegments(a[i], b[i]))
		if a[i].kind == rest || b[i].kind == rest || !r.meet {
			return r
		}
	}
	if len(a) != len(b) {
		return apart
	}
	return r
}

func relateSegments(a, b segment) relation {
	switch {
	case a.kind == b.kind && (a.kind != literal || a.text == b.text):
		return same
	case a.kind == rest, a.kind == wildcard && b.kind == literal:
		return broader
	case b.kind == rest, b.kind == wildcard && a.kind == literal:
		return narrower
	}
	return apart
}

// explain says why two patterns conflict.
func explain(a, b *pattern) string {
	if r := relate(a, b); !r.first {
		return "both match the same requests"
	}
	switch m := relateMethods(a.method, b.method); {
	case m == broader:
		return fmt.Sprintf("%s takes more methods and %s more paths, so neither is for fewer requests", a.text, b.text)
	case m == narrower:
		return fmt.Sprintf("%s takes more methods and %s more paths, so neither is for fewer requests", b.text, a.text)
	}
	return fmt.Sprintf("both match %s, and each matches paths that the other does not", sharedPath(a.segments, b.segments))
}

// sharedPath is a path that both match.
func sharedPath(a, b []segment) string {
	var path strings.Builder
	for i := range max(len(a), len(b)) {
		var s segment
		switch {
		case i >= len(a):
			s = b[i]
		case i >= len(b) || a[i].kind < b[i].kind: // the narrower kinds come first
			s = a[i]
		default:
			s = b[i]
		}
		path.WriteByte('/')
		if s.kind == literal || s.kind == wildcard {
			path.WriteString(s.text)
		}
	}
	return path.String()
}
