package traffic

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An Endpoint is a server that clients may ask.
type Endpoint struct {
	addr    netip.AddrPort
	tls     *tls.Config // nil for none; not changed
	leaving atomic.Pointer[time.Time]
}

// NewEndpoint is the server at addr, asked over TLS unless config is nil. It refuses any
// address but one of the loopback: the load is for nobody else.
func NewEndpoint(addr string, config *tls.Config) (*Endpoint, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if !at.Addr().Unmap().IsLoopback() || at.Port() == 0 {
		return nil, fmt.Errorf("endpoint %s is not on the loopback, and nothing else is put under load", at)
	}
	return &Endpoint{addr: at, tls: config}, nil
}

// Leave notes that the endpoint was told to stop at this time.
func (e *Endpoint) Leave(now time.Time) { e.leaving.Store(&now) }

// sinceLeaving is how long before t the endpoint was told to stop; false if it was not.
func (e *Endpoint) sinceLeaving(t time.Time) (time.Duration, bool) {
	at := e.leaving.Load()
	if at == nil {
		return 0, false
	}
	return t.Sub(*at), !t.Before(*at)
}

// A Balancer is the endpoints that new connections go to. Connections that there are stay
// where they are, as they do when a Service loses an endpoint. The zero value has none.
type Balancer struct {
	mu        sync.Mutex
	endpoints []*Endpoint
}

// Add lets new connections go to e.
func (b *Balancer) Add(e *Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endpoints = append(b.endpoints, e)
}

// Remove keeps new connections from e.
func (b *Balancer) Remove(e *Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endpoints = slices.DeleteFunc(b.endpoints, func(have *Endpoint) bool { return have == e })
}

// pick chooses an endpoint at random, nil when there is none.
func (b *Balancer) pick() *Endpoint {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.endpoints) == 0 {
		return nil
	}
	return b.endpoints[rand.IntN(len(b.endpoints))]
}
