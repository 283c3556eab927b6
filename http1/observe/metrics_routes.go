package observe

import (
	"maps"
	"sync"
	"sync/atomic"
)

// namedRoutesLimit is how many routes that routers named have series of their own. A route
// takes 17 to 500 series and some 10 KiB; a program with more routes than this groups them.
const namedRoutesLimit = 1000

// otherRoutes is the route of those above the limit.
const otherRoutes = "OTHER"

// namedRoutes are the routes that routers have named, made when they first end a request.
// Finding one takes no lock and no memory.
type namedRoutes struct {
	mu    sync.Mutex // held while one is added
	known atomic.Pointer[map[string]*route]
}

func (n *namedRoutes) find(name string, m *Metrics) *route {
	if known := n.known.Load(); known != nil {
		if r := (*known)[name]; r != nil {
			return r
		}
	}
	return n.add(name, m)
}

func (n *namedRoutes) add(name string, m *Metrics) *route {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := map[string]*route{}
	if old := n.known.Load(); old != nil {
		known = *old
	}
	if len(known) >= namedRoutesLimit && known[name] == nil {
		name = otherRoutes
	}
	if r := known[name]; r != nil {
		return r
	}
	r := m.newRoute(name)
	known = maps.Clone(known)
	known[name] = r
	n.known.Store(&known)
	return r
}
