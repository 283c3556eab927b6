package route

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/holdfast-server/holdfast/http1"
)

// A Mux hands each request to the handler whose pattern fits it best. The zero value has no
// routes. Routes may be registered while requests are served, and are never taken back.
type Mux struct {
	mu      sync.Mutex
	entries []*entry // in the order of their registration

	// served is the tree of entries, built by the first lookup after a registration and never
	// changed: lookups take no lock. nil is for "to be built".
	served   atomic.Pointer[table]
	building table // holds all entries too, to find what conflicts; under mu
}

// A Route is what is registered.
type Route struct {
	Pattern string
	Handler http1.Handler
	// Name is what metrics and the access log call it; "" for the pattern.
	Name string
	// Place is where it was registered, for the message of a conflict; "" for the caller's
	// file and line.
	Place string
}

// Handle registers a handler for a pattern. It panics on a pattern that is not well-formed, on
// a nil handler, and where some request would match both this pattern and an earlier one with
// nothing to say which is meant: that is a mistake in the program. The message has both
// patterns and where they were registered.
func (m *Mux) Handle(pattern string, h http1.Handler) { m.root().Handle(pattern, h) }

// HandleFunc is [Mux.Handle] for a function.
func (m *Mux) HandleFunc(pattern string, f func(*http1.Response, *http1.Request)) {
	m.root().HandleFunc(pattern, f)
}

// Register is [Mux.Handle] with a name and a place, and an error in place of the panic: for
// patterns that are not the program's own. After an error the mux is what it was.
func (m *Mux) Register(r Route) error { return m.root().Register(r) }

// Group is a group of routes whose paths begin with prefix, behind middleware. See
// [Group.Group].
func (m *Mux) Group(prefix string, around ...Middleware) *Group {
	return m.root().Group(prefix, around...)
}

// Named is the mux as a group whose routes have this name.
func (m *Mux) Named(name string) *Group { return m.root().Named(name) }

func (m *Mux) root() *Group { return &Group{mux: m} }

// register adds a route whose pattern is whole.
func (m *Mux) register(r Route) error {
	if r.Handler == nil {
		return fmt.Errorf("route: pattern %q: its handler is nil", r.Pattern)
	}
	p, err := parsePattern(r.Pattern)
	if err != nil {
		return fmt.Errorf("route: pattern %q: %w", r.Pattern, err)
	}
	if r.Name == "" {
		r.Name = p.text
	}
	if r.Place == "" {
		r.Place = caller()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &entry{pattern: p, Route: r, number: len(m.entries)}
	if other := m.building.conflicting(e); other != nil {
		return fmt.Errorf("route: pattern %q (registered at %s) conflicts with pattern %q (registered at %s): %s",
			e.text, e.Place, other.text, other.Place, explain(e.pattern, other.pattern))
	}
	m.entries = append(m.entries, e)
	m.building.add(e)
	m.served.Store(nil)
	return nil
}

// conflicting is the first entry that conflicts with e, nil without one.
func (t *table) conflicting(e *entry) (first *entry) {
	if n := t.tree(e.host); n != nil {
		n.meeting(e.segments, func(other *entry) {
			if (first == nil || other.number < first.number) && relate(e.pattern, other.pattern).conflict() {
				first = other
			}
		})
	}
	return first
}

func (t *table) tree(host string) *node {
	if host == "" {
		return t.nowhere
	}
	return t.hosts[host]
}

func (t *table) add(e *entry) {
	n := t.tree(e.host)
	if n == nil {
		n = new(node)
		switch {
		case e.host == "":
			t.nowhere = n
		case t.hosts == nil:
			t.hosts = map[string]*node{e.host: n}
		default:
			t.hosts[e.host] = n
		}
	}
	n.insert(e)
}

// table is what lookups go by.
func (m *Mux) table() *table {
	if t := m.served.Load(); t != nil {
		return t
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &table{nowhere: new(node), methods: make(map[string]bool)}
	for _, e := range m.entries {
		t.add(e)
		t.methods[e.method] = true
	}
	t.allow = list(append(slices.Collect(maps.Keys(t.methods)), "GET")) // GET is every server's (RFC 9110 §9.1)
	m.served.Store(t)
	return t
}

// caller is the place outside this package that called into it.
func caller() string {
	var stack [16]uintptr
	frames := runtime.CallersFrames(stack[:runtime.Callers(2, stack[:])])
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, here) {
			return frame.File + ":" + strconv.Itoa(frame.Line)
		}
		if !more {
			return "a place unknown"
		}
	}
}

// here begins the names of this package's functions.
const here = "github.com/holdfast-server/holdfast/http1/route."

// Routes are all routes in the order of their registration, with their whole patterns, names
// and places.
func (m *Mux) Routes() []Route {
	m.mu.Lock()
	defer m.mu.Unlock()
	routes := make([]Route, len(m.entries))
	for i, e := range m.entries {
		routes[i] = e.Route
	}
	return slices.Clip(routes)
}
