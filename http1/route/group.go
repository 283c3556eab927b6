package route

import (
	"fmt"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// Middleware is a handler around another.
type Middleware func(next http1.Handler) http1.Handler

// A Group registers routes that have something in common. It is not changed by what is made of
// it, and holds no routes itself: all are the mux's, and conflict across groups.
type Group struct {
	mux    *Mux
	prefix string // "[HOST]/path" without a slash at its end, or ""
	around []Middleware
	name   string
}

// Group is a group within g whose paths begin with prefix, and whose handlers are called through
// the middleware, of which the first is the outermost and all are inside that of g. The prefix is
// "[HOST][/PATH]", where wildcards may stand too; a slash at its end means nothing. Handlers see
// the whole path.
func (g *Group) Group(prefix string, around ...Middleware) *Group {
	inner := *g
	inner.prefix = strings.TrimSuffix(joined(g.prefix, prefix), "/")
	inner.around = append(g.around[:len(g.around):len(g.around)], around...)
	return &inner
}

// Named is g with a name that its routes share in metrics and the access log; "" gives each the
// name of its pattern.
func (g *Group) Named(name string) *Group {
	inner := *g
	inner.name = name
	return &inner
}

// Handle registers a handler, as [Mux.Handle].
func (g *Group) Handle(pattern string, h http1.Handler) {
	if err := g.Register(Route{Pattern: pattern, Handler: h}); err != nil {
		panic(err.Error())
	}
}

// HandleFunc is [Group.Handle] for a function.
func (g *Group) HandleFunc(pattern string, f func(*http1.Response, *http1.Request)) {
	if f == nil {
		panic(fmt.Sprintf("route: pattern %q: its handler is nil", pattern))
	}
	g.Handle(pattern, http1.HandlerFunc(f))
}

// Register registers a route, as [Mux.Register]. A name of its own goes before the group's.
func (g *Group) Register(r Route) error {
	if g.prefix != "" {
		method, where := "", r.Pattern
		if i := strings.IndexAny(where, " \t"); i >= 0 {
			method, where = where[:i]+" ", strings.TrimLeft(where[i:], " \t")
		}
		if where == "" || where[0] != '/' {
			return fmt.Errorf("route: pattern %q: in the group of %q it has to begin with a slash", r.Pattern, g.prefix)
		}
		r.Pattern = method + g.prefix + where
	}
	if r.Name == "" {
		r.Name = g.name
	}
	if r.Handler != nil {
		for i := len(g.around) - 1; i >= 0; i-- {
			r.Handler = g.around[i](r.Handler)
		}
	}
	return g.mux.register(r)
}

// joined puts the prefix of a group within another behind that one's.
func joined(outer, inner string) string {
	if outer != "" && inner != "" && inner[0] != '/' {
		panic(fmt.Sprintf("route: group %q in the group of %q has to begin with a slash", inner, outer))
	}
	return outer + inner
}
