package renewal

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// look takes over the store's certificate where it is better than the one served.
func (k *keeper) look(ctx context.Context) {
	k.lookAt = time.Now().Add(k.source.pause(k.lookPause()))
	release, ok := slot(ctx, k.source.lookups, true)
	if !ok {
		return
	}
	bundle, err := k.get(ctx, k.entry("cert"))
	release()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		k.judged = nil
		k.unstored = k.storable() // it was removed, or never arrived
		k.borrow(ctx)
	case err != nil: // get has noted it
	default:
		k.judge(ctx, bundle)
	}
}

// storable tells whether what is served belongs in the store. What has ended does not: it
// would be written again and again where the store drops it.
func (k *keeper) storable() bool {
	return k.served != nil && !k.foreign && k.now().Before(k.served.NotAfter)
}

func (k *keeper) lookPause() time.Duration {
	switch {
	case k.waiting != "":
		return lookWaiting
	case k.unread:
		return storeRetry
	}
	pause := k.source.config.Limits.Look
	if life := k.life(); life > 0 {
		return max(min(pause, life/lookShare), lookWaiting)
	}
	return pause
}

// judge looks at a bundle that the store gave, once: it is the same most of the time.
func (k *keeper) judge(ctx context.Context, bundle []byte) {
	if bytes.Equal(bundle, k.judged) {
		return
	}
	found, err := k.sound(ctx, bundle)
	if err != nil {
		if ctx.Err() != nil {
			return // no verdict
		}
		k.judged = bundle
		k.unstored = k.storable() // ours in its place
		k.tell(Event{Kind: EventBadEntry, Words: err.Error()})
		k.failed("the stored certificate is no good: " + err.Error())
		k.log().Error("the stored certificate is no good, and counts as missing", "error", err)
		return
	}
	if k.tooEarly(found) {
		return // it is judged again with each look
	}
	k.judged = bundle
	if k.served != nil && !k.foreign && found.Leaf().Equal(k.served.Leaf()) {
		k.unstored = false
		return
	}
	// Of two that end together it is the store's, so that all replicas agree.
	if k.served == nil || k.foreign || !found.NotAfter.Before(k.served.NotAfter) || k.vouched(ctx, found) {
		k.takeOver(ctx, found, bundle)
		return
	}
	k.unstored = true // what is there is older than ours
}

// sound returns the certificate of a bundle if it can be served for the host, whatever
// its dates.
func (k *keeper) sound(ctx context.Context, bundle []byte) (*certs.Certificate, error) {
	return k.soundOf(ctx, k.source.config.Name, bundle)
}

// soundOf is sound, for what whose origin is called source.
func (k *keeper) soundOf(ctx context.Context, source string, bundle []byte) (*certs.Certificate, error) {
	c, err := certs.ParseBundle(source, bundle)
	if err != nil {
		return nil, err
	}
	if err := c.Leaf().VerifyHostname(k.host); err != nil {
		return nil, err
	}
	if !c.NotAfter.After(c.NotBefore) {
		return nil, errors.New("the certificate ends before it begins")
	}
	ctx, cancel := context.WithTimeout(ctx, k.source.config.Limits.StoreCall)
	defer cancel()
	return c, k.source.config.Prove(ctx, c)
}

// vouched tells whether found, which ends before the certificate served, was issued to
// replace it all the same: an operator or the CA asked another replica for it.
func (k *keeper) vouched(ctx context.Context, found *certs.Certificate) bool {
	if !found.NotBefore.After(k.served.NotBefore) {
		return false
	}
	value, err := k.get(ctx, k.entry("ledger"))
	if err != nil {
		return false
	}
	stored, err := parseLedger(value)
	if err != nil {
		return false
	}
	issued, ok := stored.issued(found.Serial)
	return ok && asked(issued.Reason)
}

// takeOver serves what the store has.
func (k *keeper) takeOver(ctx context.Context, found *certs.Certificate, bundle []byte) {
	old := k.served
	k.readLedger(ctx) // for when it was issued
	obtained := time.Time{}
	if issued, ok := k.ledger.issued(found.Serial); ok {
		obtained = issued.At
	}
	k.serve(found, bundle, obtained)
	k.unstored, k.waiting = false, ""
	e := Event{Kind: EventTaken, Serial: found.Serial, NotAfter: found.NotAfter}
	if old != nil {
		e.OldSerial = old.Serial
	}
	k.tell(e)
	k.source.counts.taken.Add(1)
	if k.now().Before(k.next().at) {
		k.ledger.Failures, k.ledger.Hold, k.stop = 0, hold{}, hold{}
	}
	k.logServed("took a certificate from the store", old)
}

// logServed logs the change from old, which may be nil, to what is served now.
func (k *keeper) logServed(words string, old *certs.Certificate) {
	log := k.log()
	if old != nil {
		log = log.With("old_serial", old.Serial, "old_not_after", old.NotAfter)
	}
	c, next := k.served, k.next()
	log.Info(words, "serial", c.Serial, "not_after", c.NotAfter, "issuer", c.Issuer,
		"next", next.at.UTC().Truncate(time.Second), "why", string(next.why))
}
