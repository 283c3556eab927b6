package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

const (
	// accountLease is how long one replica may take to count an order of the account,
	// accountTries how often a replica asks for that lease, accountPause the pause between.
	accountLease = 10 * time.Second
	accountTries = 20
	accountPause = 100 * time.Millisecond
)

// blocked is why no order may be placed now.
type blocked struct {
	until time.Time
	words string
}

func (b *blocked) Error() string {
	return fmt.Sprintf("no order is placed before %s: %s", stamp(b.until), b.words)
}

// spend counts an order that is about to be placed, here and in the store, and returns
// its id. The error is blocked, or the store's; what could not be
// counted in the store is counted here all the same when the order is placed without it. Force counts
// the order and is blocked by nothing.
func (k *keeper) spend(ctx context.Context, lease store.Lease, force bool) (id string, err error) {
	if err := k.readBudget(ctx); err != nil && lease != nil {
		return "", err
	}
	now := k.now().UTC().Truncate(time.Millisecond)
	moved := k.budget.tidy(now, k.life())
	if free, words := k.budget.check(k.life(), k.source.config.Limits); now.Before(free) && !force {
		if moved && lease != nil {
			_ = k.saveBudget(ctx, lease) // else it is moved again with the next try
		}
		return "", &blocked{free, words}
	}
	if lease != nil {
		if err := k.spendAccount(ctx, now, force); err != nil {
			return "", err
		}
	}
	id = now.Format(time.RFC3339Nano) + " " + k.source.config.Holder
	k.budget.Orders = append(k.budget.Orders, placed{ID: id, At: now, Outcome: orderOpen})
	if lease == nil {
		return id, nil
	}
	if err := k.saveBudget(ctx, lease); err != nil {
		k.budget.Orders = k.budget.Orders[:len(k.budget.Orders)-1]
		return "", err
	}
	return id, nil
}

func (k *keeper) readBudget(ctx context.Context) error {
	value, err := k.get(ctx, k.entry("budget"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	stored, err := parseBudget[hostBudget](value)
	if err != nil {
		k.tell(Event{Kind: EventBadEntry, Words: err.Error()})
	}
	k.budget.merge(stored)
	return nil
}

func (k *keeper) saveBudget(ctx context.Context, lease store.Lease) error {
	value, err := json.Marshal(k.budget)
	if err != nil {
		return err
	}
	return k.put(ctx, k.entry("budget"), value, lease)
}

// spendAccount counts the order for the account, whose record all hosts and replicas
// share: hence a lease of its own, for the moment that it takes.
func (k *keeper) spendAccount(ctx context.Context, now time.Time, force bool) error {
	s := k.source
	free, ok := slot(ctx, s.account, true)
	if !ok {
		return context.Cause(ctx)
	}
	defer free()
	name := "budget/account_" + s.config.Account
	lease, err := k.acquireSoon(ctx, name)
	if err != nil {
		return err
	}
	defer k.release(ctx, lease)
	value, err := k.get(ctx, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var record accountBudget
	if err == nil {
		record, _ = parseBudget[accountBudget](value) // damaged: counted anew
	}
	err = nil
	moved := record.tidy(now)
	next, words := record.take(now, windowFor(accountWindow, k.life()), s.config.Limits.OrdersPerAccount)
	if words != "" && force {
		record.count(now, s.config.Limits.OrdersPerAccount)
		words = ""
	}
	if words == "" || moved {
		value, err = json.Marshal(record)
		if err == nil {
			err = k.put(ctx, name, value, lease)
		}
	}
	if words != "" {
		return &blocked{next, words}
	}
	return err
}

// acquireSoon takes a lease that others hold for moments only.
func (k *keeper) acquireSoon(ctx context.Context, name string) (store.Lease, error) {
	limits := k.source.config.Limits
	for try := 1; ; try++ {
		call, cancel := context.WithTimeout(ctx, limits.StoreCall)
		lease, err := k.source.config.Store.Acquire(call, name, k.source.config.Holder, accountLease)
		cancel()
		switch {
		case err == nil:
			return lease, nil
		case !errors.Is(err, store.ErrHeld):
			if ctx.Err() == nil {
				k.writeFailed(fmt.Errorf("taking the lease of %s: %w", name, err))
			}
			return nil, err
		case try == accountTries:
			return nil, fmt.Errorf("the lease of %s: %w", name, err)
		}
		timer := time.NewTimer(k.source.pause(accountPause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
	}
}
