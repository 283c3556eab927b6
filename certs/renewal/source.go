package renewal

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// lookupsAtOnce bounds the looks at the store that one process has under way: a store
// that hangs holds as many calls, each for at most Limits.StoreCall.
const lookupsAtOnce = 16

// Source serves certificates that a CA issues, and renews them while Run runs. A
// handshake reads what it serves and can cause nothing: no order, no look at the store.
type Source struct {
	shelf   certs.Shelf
	config  Config
	keepers []*keeper
	byHost  map[string]*keeper

	orders  chan struct{} // one slot for each order under way
	lookups chan struct{} // and for each look at the store
	account chan struct{} // and the one in which the account's budget is changed
	serving sync.Mutex    // held while the list is built, so that the newest is served last
	counts  counts
	reads   outage
	writes  outage
	begun   sync.Once
	ended   chan struct{}
	retire  sync.Once
	retired chan struct{}
}

// New returns a source for the hosts of config, which serves nothing until Run has found
// certificates in the store or ordered them. A host that is no host name or is named
// twice is an error.
func New(config Config) (*Source, error) {
	config, err := config.filled()
	if err != nil {
		return nil, err
	}
	s := &Source{
		config:  config,
		byHost:  make(map[string]*keeper),
		orders:  make(chan struct{}, config.Limits.OrdersAtOnce),
		lookups: make(chan struct{}, lookupsAtOnce),
		account: make(chan struct{}, 1),
		ended:   make(chan struct{}),
		retired: make(chan struct{}),
	}
	s.counts.orders.init()
	s.reads.what, s.writes.what = "reading", "writing"
	for _, host := range config.Hosts {
		k := newKeeper(s, host)
		s.keepers = append(s.keepers, k)
		s.byHost[host] = k
	}
	return s, nil
}

// Certificates implements certs.Source.
func (s *Source) Certificates() []*certs.Certificate { return s.shelf.Certificates() }

// OnChange implements certs.Source.
func (s *Source) OnChange(f func()) { s.shelf.OnChange(f) }

// Run finds or orders each host's certificate and keeps it fresh. It returns nil once
// ctx is done and what it was saving is saved, at the latest after 10 s; also once Retire
// was called and the orders under way have come to their ends. It may be called once.
func (s *Source) Run(ctx context.Context) error {
	first := false
	s.begun.Do(func() { first = true })
	if !first {
		return errors.New("renewal: Run was called twice")
	}
	defer close(s.ended)
	var all sync.WaitGroup
	for _, k := range s.keepers {
		all.Go(func() { k.run(ctx) })
	}
	all.Go(func() { s.watchClock(ctx) })
	all.Wait()
	return nil
}

// AwaitLook returns once Run has looked for each host in the store, and what it found is
// served, or with ctx's error. A server that follows another waits for it before it accepts:
// what the other served must not meet an alert.
func (s *Source) AwaitLook(ctx context.Context) error {
	for _, k := range s.keepers {
		select {
		case <-k.looked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Retire has no further order placed. One that is under way goes on until Run's context
// ends: the CA counts what it has begun, and what it brings is the next start's too.
func (s *Source) Retire() { s.retire.Do(func() { close(s.retired) }) }

func (s *Source) isRetired() bool {
	select {
	case <-s.retired:
		return true
	default:
		return false
	}
}

var errEnded = errors.New("certificates are no longer renewed: the server is stopping")

// publish serves what the keepers have now.
func (s *Source) publish() {
	s.serving.Lock()
	defer s.serving.Unlock()
	list := make([]*certs.Certificate, 0, len(s.keepers))
	for _, k := range s.keepers {
		if c := k.published.Load(); c != nil {
			list = append(list, c)
		}
	}
	s.shelf.Put(list)
}

// slot waits for one of a bounded number of places, or looks whether one is free.
func slot(ctx context.Context, places chan struct{}, wait bool) (release func(), ok bool) {
	release = func() { <-places }
	select {
	case places <- struct{}{}:
		return release, true
	default:
	}
	if !wait {
		return nil, false
	}
	select {
	case places <- struct{}{}:
		return release, true
	case <-ctx.Done():
		return nil, false
	}
}

// pause is a random time in [d, 2d): replicas that were started together drift apart.
func (s *Source) pause(d time.Duration) time.Duration {
	return d + time.Duration(s.config.Random()*float64(d))
}
