package renewal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

// savingLimit is how long what an order brought is saved after the server was told to
// stop.
const savingLimit = 10 * time.Second

// get reads a value from the store, and notes whether it could.
func (k *keeper) get(ctx context.Context, name string) ([]byte, error) {
	call, cancel := context.WithTimeout(ctx, k.source.config.Limits.StoreCall)
	defer cancel()
	value, err := k.source.config.Store.Get(call, name)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil || missing:
		k.unread = false
		k.source.reads.ended(k.source.config.Log, k.source.config.Store.String(), name)
	case ctx.Err() == nil:
		k.broke(&k.source.reads, name, !k.unread, fmt.Errorf("reading %s: %w", name, err))
		k.unread = true
	}
	return value, err
}

// put writes a value under the lease. A nil lease has nothing written: who could not get
// one does not know what another is writing.
func (k *keeper) put(ctx context.Context, name string, value []byte, under store.Lease) error {
	if under == nil {
		return errNoLease
	}
	call, cancel := context.WithTimeout(ctx, k.source.config.Limits.StoreCall)
	defer cancel()
	err := k.source.config.Store.Put(call, name, value, under)
	if err != nil && !errors.Is(err, store.ErrLost) && ctx.Err() == nil {
		k.writeFailed(fmt.Errorf("writing %s: %w", name, err))
	}
	return err
}

var errNoLease = errors.New("nothing is written without a lease")

// acquire takes the host's lease.
func (k *keeper) acquire(ctx context.Context) (store.Lease, error) {
	limits := k.source.config.Limits
	call, cancel := context.WithTimeout(ctx, limits.StoreCall)
	defer cancel()
	lease, err := k.source.config.Store.Acquire(call, "order/"+k.host, k.source.config.Holder, limits.Lease)
	switch {
	case errors.Is(err, store.ErrHeld):
		k.waiting = err.Error()
		k.lookAt = earlier(k.lookAt, time.Now().Add(k.source.pause(lookWaiting)))
		return nil, err
	case err != nil:
		if ctx.Err() == nil {
			k.writeFailed(fmt.Errorf("taking the lease: %w", err))
		}
		return nil, err
	}
	k.waiting = ""
	return lease, nil
}

// release gives a lease up; where that fails, it runs out.
func (k *keeper) release(ctx context.Context, lease store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.source.config.Limits.StoreCall)
	defer cancel()
	_ = lease.Release(ctx) // lost, or running out: neither is ours to mend
}

// storePause is the pause before the store is given something again.
func (k *keeper) storePause() time.Duration {
	return min(storeRetry<<min(k.refusals, 16), max(storeRetry, k.source.config.Limits.Look))
}

func (k *keeper) writeFailed(err error) {
	k.refusals++
	k.broke(&k.source.writes, k.host, k.storeDown.IsZero(), err)
	if k.storeDown.IsZero() {
		k.storeDown = time.Now()
	}
}

// written notes that the store took what it was given.
func (k *keeper) written() {
	k.storeDown, k.refusals = time.Time{}, 0
	k.source.writes.ended(k.source.config.Log, k.source.config.Store.String(), k.host)
}

func (k *keeper) broke(o *outage, name string, first bool, err error) {
	if first {
		k.tell(Event{Kind: EventStore, Words: err.Error()})
	}
	k.failed("the store failed: " + err.Error())
	k.source.counts.storeErrors.Add(1)
	o.began(k.source.config.Log, k.source.config.Store.String(), name, err.Error())
}

// readLedger takes in what the store has of the host's past. What another replica wrote
// goes before what we remember, unless ours could not be written.
func (k *keeper) readLedger(ctx context.Context) error {
	value, err := k.get(ctx, k.entry("ledger"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stored, err := parseLedger(value)
	if err != nil {
		k.tell(Event{Kind: EventBadEntry, Words: err.Error()})
		return nil // as if there were none: it is written anew with the next order
	}
	k.ledger.merge(stored.Events)
	settled := stored.Hold.settle(k.now())
	moved := settled != stored.Hold
	stored.Hold = settled
	if stored.Hold.Until.After(k.ledger.Hold.Until) || !k.unsaved {
		k.ledger.Failures, k.ledger.Hold = stored.Failures, stored.Hold
	}
	k.unsaved = k.unsaved || moved // or it would be moved again with the next try
	if k.served == nil || k.foreign {
		k.ledger.Life = stored.Life
	}
	if k.ledger.Hold.active(k.now()) && !k.stop.active(k.now()) {
		k.stop, k.why = k.ledger.Hold, "an order failed"
	}
	return nil
}

// writeLedger stores the ledger, with what others wrote since we read it: nobody has,
// while we hold the lease.
func (k *keeper) writeLedger(ctx context.Context, lease store.Lease) {
	value, err := k.ledger.encode()
	if err == nil {
		err = k.put(ctx, k.entry("ledger"), value, lease)
	}
	k.unsaved = err != nil
}

// storeAgain gives the certificate served to a store that does not have it.
func (k *keeper) storeAgain(ctx context.Context) {
	k.storeAt = time.Now().Add(k.source.pause(k.storePause()))
	lease, err := k.acquire(ctx)
	if err != nil {
		return
	}
	defer k.release(ctx, lease)
	k.look(ctx) // another may have stored a better one since
	k.unstored = k.unstored && k.storable()
	if !k.unstored || k.unread || ctx.Err() != nil {
		return
	}
	if k.put(ctx, k.entry("cert"), k.bundle, lease) != nil {
		return
	}
	k.written()
	k.unstored = false
	_ = k.readLedger(ctx)
	k.tell(Event{Kind: EventStored, Serial: k.served.Serial, NotAfter: k.served.NotAfter})
	k.saveBudget(ctx, lease)
	k.writeLedger(ctx, lease)
	k.log().Info("stored the certificate at last", "serial", k.served.Serial)
}
