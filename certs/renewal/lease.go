package renewal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// leaseShare is how often in its time to live a lease is renewed: three may fail.
const leaseShare = 4

// underLease runs work, whose context ends with store.ErrLost when the lease is lost, or
// may be: when it could not be renewed for so long that another can have it soon. The
// error is then store.ErrLost, unless work succeeded all the same. A nil lease cannot be
// lost.
func (k *keeper) underLease(ctx context.Context, lease store.Lease, work func(context.Context) error) error {
	if lease == nil {
		return work(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { k.renewLease(ctx, lease, cancel) })
	err := work(ctx)
	cancel(nil)
	renewing.Wait()
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, store.ErrLost) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// renewLease renews until ctx is done or the lease is lost.
func (k *keeper) renewLease(ctx context.Context, lease store.Lease, lost context.CancelCauseFunc) {
	limits := k.source.config.Limits
	step := limits.Lease / leaseShare
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	held := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		began := time.Now()
		call, cancel := context.WithTimeout(ctx, min(limits.StoreCall, step))
		err := lease.Renew(call)
		cancel()
		switch {
		case err == nil:
			held = began
		case errors.Is(err, store.ErrLost):
			lost(err)
			return
		case time.Since(held) >= limits.Lease-step:
			lost(fmt.Errorf("%w: it could not be renewed: %v", store.ErrLost, err))
			return
		}
	}
}
