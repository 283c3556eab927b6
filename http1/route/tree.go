package route

import "net/url"

// table is all the routes of a Mux: a tree of segments for each host, and one for the patterns
// without. How long a lookup takes depends on the path's segments, not on the number of routes,
// as long as few patterns share a beginning that differs in which segments are wildcards.
type table struct {
	hosts   map[string]*node
	nowhere *node // for patterns without a host; nil only while a table is built

	methods map[string]bool // that some pattern names
	allow   string          // all of them, as Allow lists them
}

// A node is reached by the segments of patterns so far.
type node struct {
	literals literals
	wildcard *node
	here     leaf // patterns that end with the segment that led here
	end      leaf // with the slash behind it
	rest     leaf // with that slash and whatever follows
}

// A leaf is the routes of one path, with a method each.
type leaf []*entry

// An entry is a route in a table.
type entry struct {
	*pattern
	Route
	number int // of those registered before it
}

// take is the entry for a method: its own, for HEAD that of GET, or the one for any.
func (l leaf) take(method string) (best *entry) {
	for _, e := range l {
		switch {
		case e.method == method:
			return e
		case e.method == "GET" && method == "HEAD", e.method == "" && best == nil:
			best = e
		}
	}
	return best
}

// literals are the children for literal segments. A few are compared in turn, more are hashed.
type literals struct {
	all    []child
	hashed map[string]*node // nil while there are few
}

type child struct {
	text string
	node *node
}

const fewChildren = 6 // from about here on the hash costs less

func (l *literals) find(segment []byte) *node {
	if l.hashed != nil {
		return l.hashed[string(segment)]
	}
	for i := range l.all {
		if l.all[i].text == string(segment) {
			return l.all[i].node
		}
	}
	return nil
}

func (l *literals) add(text string, n *node) {
	l.all = append(l.all, child{text, n})
	switch {
	case l.hashed != nil:
		l.hashed[text] = n
	case len(l.all) > fewChildren:
		l.hashed = make(map[string]*node)
		for _, c := range l.all {
			l.hashed[c.text] = c.node
		}
	}
}

// literal is the child for a segment as it stands in a path.
func (n *node) literal(segment []byte) *node {
	for _, c := range segment {
		if c == '%' {
			return n.escaped(string(segment))
		}
	}
	return n.literals.find(segment)
}

// escaped is literal for a segment with escapes in it, which are few enough to cost memory.
func (n *node) escaped(segment string) *node {
	if plain, err := url.PathUnescape(segment); err == nil {
		segment = plain
	}
	return n.literals.find([]byte(segment))
}

// insert puts e where its segments lead.
func (n *node) insert(e *entry) {
	for _, s := range e.segments {
		switch s.kind {
		case end:
			n.end = append(n.end, e)
			return
		case rest:
			n.rest = append(n.rest, e)
			return
		case wildcard:
			if n.wildcard == nil {
				n.wildcard = new(node)
			}
			n = n.wildcard
		case literal:
			next := n.literals.find([]byte(s.text))
			if next == nil {
				next = new(node)
				n.literals.add(s.text, next)
			}
			n = next
		}
	}
	n.here = append(n.here, e)
}

// match finds the entry for a method and a clean path, or what is left of one, and whether it
// matches exactly: not by a rest that holds more than a slash. Of the patterns that match, any
// two have passed relate, so the one with fewer paths has no more methods: the first that is
// met is the one, when literals go before wildcards and those before rests.
func (n *node) match(method string, path []byte) (e *entry, exact bool) {
	switch len(path) {
	case 0:
		return n.here.take(method), true
	case 1:
		if e = n.end.take(method); e == nil {
			e = n.rest.take(method)
		}
		return e, true
	}
	segment, after := cut(path)
	if next := n.literal(segment); next != nil {
		if e, exact = next.match(method, after); e != nil {
			return e, exact
		}
	}
	if n.wildcard != nil && len(segment) > 0 {
		if e, exact = n.wildcard.match(method, after); e != nil {
			return e, exact
		}
	}
	return n.rest.take(method), false
}

// each visits every entry of paths that match the given one, whatever its method.
func (n *node) each(path []byte, visit func(*entry)) {
	switch len(path) {
	case 0:
		n.here.visit(visit)
		return
	case 1:
		n.end.visit(visit)
		n.rest.visit(visit)
		return
	}
	segment, after := cut(path)
	if next := n.literal(segment); next != nil {
		next.each(after, visit)
	}
	if n.wildcard != nil && len(segment) > 0 {
		n.wildcard.each(after, visit)
	}
	n.rest.visit(visit)
}

// meeting visits every entry that shares a path with the pattern of these segments.
func (n *node) meeting(segments []segment, visit func(*entry)) {
	if len(segments) == 0 {
		n.here.visit(visit)
		return
	}
	n.rest.visit(visit)
	s, after := segments[0], segments[1:]
	switch s.kind {
	case end:
		n.end.visit(visit)
	case rest:
		n.below(visit)
	case wildcard:
		for _, c := range n.literals.all {
			c.node.meeting(after, visit)
		}
	case literal:
		if next := n.literals.find([]byte(s.text)); next != nil {
			next.meeting(after, visit)
		}
	}
	if n.wildcard != nil && s.kind <= wildcard {
		n.wildcard.meeting(after, visit)
	}
}

// below visits the entries behind a slash that follows n, but for its rest.
func (n *node) below(visit func(*entry)) {
	n.end.visit(visit)
	for _, next := range n.children() {
		next.here.visit(visit)
		next.rest.visit(visit)
		next.below(visit)
	}
}

func (n *node) children() (all []*node) {
	for _, c := range n.literals.all {
		all = append(all, c.node)
	}
	if n.wildcard != nil {
		all = append(all, n.wildcard)
	}
	return all
}

func (l leaf) visit(visit func(*entry)) {
	for _, e := range l {
		visit(e)
	}
}
