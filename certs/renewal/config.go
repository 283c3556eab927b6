package renewal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/store"
)

// Config says for whom certificates are kept, and by what means.
type Config struct {
	// Hosts are the names to keep certificates for, one certificate each, most important
	// first.
	Hosts []string
	// Name is what Certificate.Source says, for people: "ACME example-ca".
	Name  string
	Store store.Store
	// Issuer places an order. A panic of it is a failed order.
	Issuer Issuer
	// Adviser tells when the CA wants a certificate renewed; nil if it never does.
	Adviser Adviser
	// Prove tells whether a chain can be served, by a handshake with it, before anybody
	// sees it. It must not judge dates: a clock that is wrong is no fault of the chain.
	// Nil is this package's Prove.
	Prove func(ctx context.Context, c *certs.Certificate) error
	// Now is the wall clock, which may jump. Nil is time.Now.
	Now func() time.Time
	// Random returns a number in [0, 1), for pauses. It may be called from several
	// goroutines. Nil is math/rand/v2's.
	Random func() float64
	Log    *slog.Logger
	// Holder names this replica to people: host and process.
	Holder string
	// CA tells the CA from others whose certificates are in the same store: a few letters
	// and digits of the store's alphabet, without '_'. It may be empty, for one of them. What
	// is kept of a host is kept for each CA apart, since neither a certificate of another CA
	// nor what that CA has refused says when this one should be asked.
	CA string
	// Account tells accounts at CAs apart in the store, in the store's alphabet: each
	// has a budget of its own. It may be empty.
	Account string
	Limits  Limits
}

// filled returns c with its defaults and with hosts in their normal form, or every fault
// of its hosts.
func (c Config) filled() (Config, error) {
	if c.Prove == nil {
		c.Prove = Prove
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.orDefaults()
	var hosts []string
	var faults []error
	for _, given := range c.Hosts {
		host, err := certs.HostName(given)
		if err == nil && slices.Contains(hosts, host) {
			err = fmt.Errorf("host %s is named twice: once is enough", host)
		}
		faults = append(faults, err)
		hosts = append(hosts, host)
	}
	c.Hosts = hosts
	return c, errors.Join(faults...)
}
