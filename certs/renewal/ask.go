package renewal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// ask is somebody's wish for a certificate. It is kept until the keeper gets to it,
// whether or not whoever asked still waits: a keeper may be busy for minutes.
type ask struct {
	why   Reason
	at    time.Time // by the monotonic clock
	reply chan<- error
}

// ErrAsked is that Renew was called for a host before, and its order is to come yet.
var ErrAsked = errors.New("it was asked for already, and comes next")

// Renew orders a certificate for host now, whether or not it is time, and returns when it
// is served. What stops it is the error: another replica that is ordering, the budget, the
// time that the CA asked us to wait, the store, the CA's refusal; ErrAsked. A cooldown of
// our own does not, and with force neither does our budget. What ended an order already
// under way while it waited is its end too. A ctx that ends stops the waiting; the order
// is placed all the same, unless something stops it.
func (s *Source) Renew(ctx context.Context, host string, force bool) error {
	name, err := certs.HostName(host)
	if err != nil {
		return err
	}
	k := s.byHost[name]
	if k == nil {
		return fmt.Errorf("no certificate is kept for %s: it is not one of the configured hosts", name)
	}
	if s.isRetired() {
		return errEnded
	}
	reply, why := make(chan error, 1), Asked
	if force {
		why = Forced
	}
	select {
	case k.asks <- ask{why, time.Now(), reply}:
	case <-s.ended:
		return errEnded
	default:
		return ErrAsked
	}
	select {
	case err := <-reply:
		return err
	case <-s.ended:
		return errEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// manual tells whether an operator wants the order.
func manual(why Reason) bool { return why == Asked || why == Forced }

// asked tells whether somebody wanted another certificate, whenever it ends.
func asked(why Reason) bool { return manual(why) || why == Advised }
