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
	mu     sync.Mutex
	places []place
}

// A place is an endpoint's.
type place struct {
	*Endpoint
	until time.Time // when it is removed; zero for an endpoint that stays
}

// Add lets new connections go to e.
func (b *Balancer) Add(e *Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.places = append(b.places, place{Endpoint: e})
}

// Remove keeps new connections from e.
func (b *Balancer) Remove(e *Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.places = slices.DeleteFunc(b.places, func(have place) bool { return have.Endpoint == e })
}

// RemoveAt keeps new connections from e from that time on, to the moment: on a machine
// that is busy a caller who waits and removes would be late.
func (b *Balancer) RemoveAt(e *Endpoint, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.places {
		if b.places[i].Endpoint == e {
			b.places[i].until = until
		}
	}
}

// pick chooses an endpoint at random, nil when there is none.
func (b *Balancer) pick(now time.Time) *Endpoint {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.places = slices.DeleteFunc(b.places, func(p place) bool { return !p.until.IsZero() && !now.Before(p.until) })
	if len(b.places) == 0 {
		return nil
	}
	return b.places[rand.IntN(len(b.places))].Endpoint
}
