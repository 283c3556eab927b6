package renewal

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/store"
)

// attempt tries to get a certificate: the slot, the lease, another look at what others
// did, the budget, the order. nil means that a certificate was got for why; whatever
// stopped it has been noted for the next turn, and for people.
func (k *keeper) attempt(ctx context.Context, why Reason) error {
	k.tryAfter(slotRetry)
	free, ok := slot(ctx, k.source.orders, manual(why))
	if !ok {
		return errors.New("other hosts' orders come first")
	}
	defer free()
	lease, err := k.acquire(ctx)
	switch {
	case errors.Is(err, store.ErrHeld):
		k.show()
		return fmt.Errorf("another replica is ordering: %w", err)
	case err != nil && !k.desperate():
		k.tryAfter(k.storePause())
		return fmt.Errorf("the store gives no lease: %w", err)
	case err == nil:
		defer k.release(ctx, lease)
	}
	id, err := k.prepare(ctx, lease, why)
	if err != nil && lease != nil && k.desperate() && !k.stop.active(k.now()) {
		id, err = k.prepare(ctx, nil, why) // a store that gives leases and takes nothing
	}
	if err != nil || id == "" {
		return err
	}
	return k.order(ctx, lease, why, id)
}

// desperate tells whether an order may be placed although the store takes nothing, which
// means that no other replica knows of it and that a crash forgets it: halfway between
// the time to renew and the end, or when a first certificate has been waited for long.
func (k *keeper) desperate() bool {
	if k.storeDown.IsZero() {
		return false
	}
	if k.served == nil || k.foreign {
		return time.Since(k.storeDown) >= storeless
	}
	due := k.next().at
	return !k.now().Before(due.Add(k.served.NotAfter.Sub(due) / 2))
}

// prepare looks at what others have done, now that nobody else can do anything, and
// counts the order, whose id it returns. None says that there is nothing left to order.
func (k *keeper) prepare(ctx context.Context, lease store.Lease, why Reason) (id string, err error) {
	before := k.served
	if lease != nil {
		k.look(ctx)
		if k.unread {
			return "", errors.New("the store cannot be read: " + k.fault.words)
		}
		if k.served != before && !manual(why) && k.now().Before(k.next().at) {
			return "", nil // another replica has renewed
		}
		if err := k.readLedger(ctx); err != nil {
			return "", err
		}
		if k.unsaved {
			k.writeLedger(ctx, lease)
		}
		if k.stop.active(k.now()) && (!manual(why) || k.stop.Kind == holdRetryAfter) {
			return "", k.stopped()
		}
	}
	id, err = k.spend(ctx, lease, why == Forced)
	var stop *blocked
	switch {
	case errors.As(err, &stop):
		k.outOfBudget(stop)
	case err != nil:
		k.tryAfter(k.storePause())
	case lease != nil:
		k.written()
	}
	return id, err
}

func (k *keeper) outOfBudget(b *blocked) {
	repeated := k.stop.Kind == holdBudget && k.stop.Until.Equal(b.until)
	k.stop, k.why = hold{Since: k.now(), Until: b.until, Kind: holdBudget}, b.words
	k.failed(b.Error())
	k.source.counts.orders.add("budget")
	if repeated {
		return
	}
	k.tell(Event{Kind: EventBudget, Until: b.until, Words: b.words})
	k.log().Error("no certificate is ordered: the local budget is used up, so that the CA's limits are not", "why", b.words, "free_again", b.until)
}

// stopped is what keeps the host from ordering, in words.
func (k *keeper) stopped() error { return &blocked{k.stop.Until, k.stopWords()} }

func (k *keeper) stopWords() string {
	switch k.stop.Kind {
	case holdRetryAfter:
		return "the CA asked us to wait: " + k.why
	case holdBudget:
		return "the local budget is used up: " + k.why
	case holdEarly:
		return "what was issued is not valid yet by the clock: the replica that has it serves it then"
	case holdClock:
		return "the clock seems wrong: " + k.why
	default:
		return "resting after a failure: " + k.why
	}
}

// order places the order that was counted under id, and keeps what comes of it.
func (k *keeper) order(ctx context.Context, lease store.Lease, why Reason, id string) error {
	k.tell(Event{Kind: EventOrdered, Reason: why})
	k.log().Info("ordering a certificate", "why", string(why))
	k.showOrdering()
	var bundle []byte
	err := k.underLease(ctx, lease, func(ctx context.Context) (err error) {
		bundle, err = k.issue(ctx)
		return err
	})
	// What the order has brought is kept, even if the server is being stopped.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), savingLimit)
	defer cancel()
	switch {
	case err == nil:
		return k.receive(saving, lease, why, id, bundle)
	case errors.Is(err, store.ErrLost):
		k.lost(id, err)
	case ctx.Err() != nil: // told to stop: nobody failed
		k.brokenOff(id, err)
		_ = k.saveBudget(saving, lease) // else the order stays counted as open
	default:
		k.budget.set(id, orderFailed)
		k.refused(err)
		k.save(saving, lease)
	}
	return err
}

// brokenOff gives an order that was not brought to its end the outcome that it may have
// had. Restarts that each break one off would otherwise use up a week's certificates
// without there being one.
func (k *keeper) brokenOff(id string, err error) {
	if errors.Is(err, ErrUnissued) {
		k.budget.set(id, orderFailed)
	}
}

// lost rests, as after a failure: a store that loses every lease would otherwise have an
// order placed every second until the budget is used up.
func (k *keeper) lost(id string, err error) {
	k.brokenOff(id, err)
	k.beginRest("the lease was lost while ordering", time.Time{})
	k.source.counts.orders.add("lease-lost")
	k.tell(Event{Kind: EventLost, Words: err.Error(), Until: k.stop.Until})
	k.log().Warn("lost the lease while ordering: another replica may order", "error", err, "next_try", k.stop.Until)
}

// save stores the budget and the ledger after an order.
func (k *keeper) save(ctx context.Context, lease store.Lease) {
	_ = k.saveBudget(ctx, lease) // the order stays counted as open: too much, not too little
	k.writeLedger(ctx, lease)
}

// refused begins a rest after an order that failed.
func (k *keeper) refused(err error) {
	kind, retryAfter := "error", time.Time{}
	var refusal Refusal
	switch {
	case errors.As(err, &refusal):
		kind, retryAfter = refusal.Kind(), refusal.RetryAfter()
		if kind != "rate-limited" {
			retryAfter = earlier(retryAfter, k.now().Add(longestAway))
		}
	case errors.Is(err, context.DeadlineExceeded):
		kind = "timeout"
	}
	k.rested(Event{Kind: EventFailed, Words: kind + ": " + err.Error()}, kind, retryAfter)
}

// rested writes a failure into the ledger and rests.
func (k *keeper) rested(e Event, kind string, retryAfter time.Time) {
	k.beginRest(e.Words, retryAfter)
	e.Until = k.stop.Until
	k.source.counts.orders.add(kind)
	k.tell(e)
	k.log().Error("could not get a certificate: what is served stays", "error", e.Words, "failures", k.ledger.Failures, "next_try", k.stop.Until)
}

func (k *keeper) beginRest(words string, retryAfter time.Time) {
	k.ledger.Failures++
	k.unsaved = true
	k.ledger.Hold = restAfter(k.now(), k.ledger.Failures, k.life(), retryAfter, k.source.config.Random())
	k.stop, k.why = k.ledger.Hold, words
	k.failed(words)
}

// issue calls the issuer, whose panic is a failure like another: the server goes on.
func (k *keeper) issue(ctx context.Context) (bundle []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, k.source.config.Limits.Order)
	defer cancel()
	ctx, notes := withNotes(ctx)
	defer func() {
		if p := recover(); p != nil {
			k.log().Error("the issuer panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("the issuer panicked: %v", p)
		}
		for len(notes) > 0 {
			k.tell(Event{Kind: EventNote, Words: <-notes})
		}
	}()
	return k.source.config.Issuer.Issue(ctx, k.host)
}

// receive proves, stores and serves what was issued, in this order. What the store does
// not take is served all the same, and stored later.
func (k *keeper) receive(ctx context.Context, lease store.Lease, why Reason, id string, bundle []byte) error {
	k.budget.set(id, orderIssued)
	defer k.save(ctx, lease)
	fresh, err := k.sound(ctx, bundle)
	if err != nil {
		k.rested(Event{Kind: EventProof, Words: err.Error()}, "proof", time.Time{})
		return fmt.Errorf("what the CA issued is no good: %w", err)
	}
	if k.served != nil && !k.foreign && fresh.NotAfter.Before(k.served.NotAfter) && !asked(why) {
		k.keepLonger(fresh)
		return nil
	}
	if k.tooEarly(fresh) {
		return k.holdBack(early{fresh, bundle, why})
	}
	err = k.put(ctx, k.entry("cert"), bundle, lease)
	k.take(fresh, bundle, why, err)
	return nil
}

// take serves a certificate that was issued just now.
func (k *keeper) take(fresh *certs.Certificate, bundle []byte, why Reason, putErr error) {
	old := k.served
	k.serve(fresh, bundle, k.now())
	k.gotAt = time.Now()
	k.ledger.Failures, k.ledger.Hold, k.stop = 0, hold{}, hold{}
	e := Event{Kind: EventIssued, Reason: why, Serial: fresh.Serial, NotAfter: fresh.NotAfter}
	if old != nil {
		e.OldSerial = old.Serial
	}
	k.tell(e)
	k.source.counts.orders.add("issued")
	k.logServed("got a certificate", old)
	k.unstored = putErr != nil
	if k.unstored {
		k.storeAt = time.Now().Add(k.source.pause(k.storePause()))
		k.log().Error("the new certificate could not be stored: it is served from memory, and will be stored later", "serial", fresh.Serial, "error", putErr)
	}
	k.checkClock(fresh)
}

// checkClock stops orders when a certificate that was issued just now has ended by our
// clock: it is the clock that is wrong, and the next one would look no better.
func (k *keeper) checkClock(fresh *certs.Certificate) {
	now := k.now()
	if now.Before(fresh.NotAfter) {
		return
	}
	k.stop = hold{Since: now, Until: now.Add(24 * time.Hour), Kind: holdClock}
	k.why = "a certificate issued just now ended at " + stamp(fresh.NotAfter)
	k.tell(Event{Kind: EventClock, Until: k.stop.Until, Words: k.why})
	k.failed("the clock seems wrong: " + k.why)
	k.log().Error("this machine's clock seems wrong: what the CA has issued just now has ended by it. Set the clock", "now", now, "not_after", fresh.NotAfter)
}

// keepLonger leaves the certificate in use in place of a new one that ends before it,
// until the new kind outlasts it: CAs shorten lifetimes.
func (k *keeper) keepLonger(fresh *certs.Certificate) {
	at := later(k.served.NotAfter.Add(-lifetime(fresh)/2), k.now().Add(lifetime(fresh)/2))
	k.postpone = plan{at, Due}
	k.ledger.Failures, k.ledger.Hold = 0, hold{}
	k.source.counts.orders.add("shorter")
	k.tell(Event{Kind: EventShorter, Serial: fresh.Serial, OldSerial: k.served.Serial, NotAfter: fresh.NotAfter, Until: at})
	k.log().Warn("the CA issues shorter certificates now: the one in use ends later, and stays for now",
		"serial", k.served.Serial, "not_after", k.served.NotAfter, "issued_not_after", fresh.NotAfter, "next_order", at)
}
