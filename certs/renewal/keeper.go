package renewal

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

const (
	// lookWaiting takes the place of Limits.Look while another replica is ordering.
	lookWaiting = time.Second
	// lookShare shortens Limits.Look for certificates of minutes.
	lookShare = 8
	// slotRetry is the pause before looking again for a free slot for an order.
	slotRetry = time.Second
	// storeRetry is the pause after the store failed, and before a certificate that it
	// did not take is given to it again. It doubles up to Limits.Look.
	storeRetry = 5 * time.Second
	// storeless is for how long the store must have failed before a first certificate is
	// ordered without it: it may hold one, and it counts what a crash loop spends.
	storeless = 5 * time.Minute
)

// keeper keeps one host's certificate. One goroutine runs it and owns all its fields but
// those in the first block.
//
// Dates are by the wall clock, since certificates are; pauses are by time.Now's monotonic
// reading, so that no jump of the clock makes one endless.
type keeper struct {
	source    *Source
	host      string
	asks      chan ask
	jumps     chan time.Duration
	published atomic.Pointer[certs.Certificate]
	view      atomic.Pointer[view]
	looked    chan struct{} // closed by markLooked, when the first look at the store has ended

	markLooked func()
	served     *certs.Certificate
	bundle     []byte    // of served
	judged     []byte    // the bundle that the store gave last
	lot        float64   // of served
	obtained   time.Time // when served was issued, by our clock; zero where not known
	unstored   bool      // served is not in the store
	foreign    bool      // served is another CA's
	borrowed   bool      // such a one was looked for
	advice     advice
	early      *early // what is to be served later, at postpone
	postpone   plan   // in place of what the schedule says, unless zero

	ledger  ledger
	unsaved bool // the store does not have the ledger's last rest
	budget  hostBudget
	stop    hold
	why     string // what stop is for, in words
	waiting string // who has the lease, in the store's words
	fault   fault
	warned  warned

	shown  int  // the ledger's changes that the view has
	unread bool // the last reading of the store failed

	// By the monotonic clock.
	lookAt, tryAt, storeAt time.Time
	gotAt                  time.Time // when an order brought the certificate served
	storeDown              time.Time // since when the store takes nothing, zero if it does
	refusals               int       // of the store, since then
}

// fault is the last thing that went wrong for a host, until a certificate is served.
type fault struct {
	at    time.Time
	words string
}

func newKeeper(s *Source, host string) *keeper {
	k := &keeper{source: s, host: host, asks: make(chan ask, 1), jumps: make(chan time.Duration, 1), looked: make(chan struct{})}
	k.markLooked = sync.OnceFunc(func() { close(k.looked) })
	k.show()
	return k
}

// run takes turns until ctx is done or the source is retired.
func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil && !k.source.isRetired() {
		k.turn(ctx)
		timer := time.NewTimer(k.rest())
		select {
		case <-ctx.Done():
		case <-k.source.retired:
		case <-timer.C:
		case by := <-k.jumps:
			k.clockSet(by)
		case asked := <-k.asks:
			asked.reply <- k.renew(ctx, asked)
		}
		timer.Stop()
	}
}

// turn does what has come due, in the order in which one thing may save the next.
func (k *keeper) turn(ctx context.Context) {
	if k.passed(k.lookAt) {
		k.look(ctx)
		k.markLooked()
	}
	k.takeHeld()
	if k.unstored && k.passed(k.storeAt) {
		k.storeAgain(ctx)
	}
	k.seekAdvice(ctx)
	k.warn()
	if why, now := k.wants(); now && ctx.Err() == nil && !k.source.isRetired() {
		_ = k.attempt(ctx, why) // it is in the ledger
	}
	k.show()
}

// renew orders because somebody asks for it.
func (k *keeper) renew(ctx context.Context, a ask) error {
	defer k.show()
	if k.served != nil && k.gotAt.After(a.at) {
		return nil // the order that was under way has brought what was asked for
	}
	if k.stop.Kind == holdRetryAfter && k.stop.active(k.now()) {
		return k.stopped()
	}
	return k.attempt(ctx, a.why)
}

// wants tells whether an order is to be placed now, and why.
func (k *keeper) wants() (Reason, bool) {
	now, next := k.now(), k.next()
	if now.Before(next.at) || k.stop.active(now) || !k.passed(k.tryAt) {
		return "", false
	}
	return next.why, true
}

// next is when the next order is due, the past if there is no certificate.
func (k *keeper) next() plan {
	switch {
	case k.served == nil:
		return plan{why: Missing}
	case k.foreign:
		return plan{why: Moved}
	case k.postpone != plan{}:
		return k.postpone
	}
	obtained := k.obtained
	if obtained.After(k.now()) {
		obtained = time.Time{} // by a clock that was set back since
	}
	return planFor(k.served, k.lot, k.advice.window, obtained)
}

// rest is how long there is nothing to do, but for what Renew or the clock may bring.
func (k *keeper) rest() time.Duration {
	rest := time.Until(k.lookAt)
	if k.unstored {
		rest = min(rest, time.Until(k.storeAt))
	}
	if k.advises() {
		rest = min(rest, time.Until(k.advice.askAt))
	}
	order := max(later(k.next().at, k.stop.Until).Sub(k.now()), time.Until(k.tryAt))
	return max(min(rest, order), time.Millisecond)
}

// serve serves c from now on.
func (k *keeper) serve(c *certs.Certificate, bundle []byte, obtained time.Time) {
	k.served, k.bundle, k.obtained, k.lot, k.foreign = c, bundle, obtained, lot(c), false
	k.advice, k.postpone, k.warned, k.fault, k.early = advice{}, plan{}, warned{}, fault{}, nil
	k.ledger.Life = seconds(lifetime(c) / time.Second)
	k.published.Store(c)
	k.source.publish()
	k.show()
}

// clockSet undoes what a clock that was wrong has put off.
func (k *keeper) clockSet(by time.Duration) {
	now := k.now()
	k.stop = k.stop.settle(now)
	k.ledger.Hold = k.ledger.Hold.settle(now)
	if k.stop.Kind == holdBudget || k.stop.Kind == holdClock && (k.served == nil || now.Before(k.served.NotAfter)) {
		k.stop = hold{}
	}
	k.advice.askAt = time.Time{}
	k.warned = warned{}
	k.tell(Event{Kind: EventClock, Words: "it was set by " + by.Round(time.Second).String()})
}

// tell writes e into the ledger.
func (k *keeper) tell(e Event) {
	// JSON keeps no monotonic reading, and events are compared with those read back.
	e.At, e.Holder = k.now().UTC().Truncate(time.Millisecond), k.source.config.Holder
	k.ledger.add(e)
}

// life is the lifetime of the host's certificates, 0 where none is known.
func (k *keeper) life() time.Duration {
	if k.served != nil && !k.foreign {
		return lifetime(k.served)
	}
	return k.ledger.Life.duration()
}

func (k *keeper) now() time.Time               { return k.source.config.Now() }
func (k *keeper) log() *slog.Logger            { return k.source.config.Log.With("host", k.host) }
func (k *keeper) passed(mono time.Time) bool   { return !time.Now().Before(mono) }
func (k *keeper) failed(words string)          { k.fault = fault{k.now(), words} }
func (k *keeper) tryAfter(pause time.Duration) { k.tryAt = time.Now().Add(k.source.pause(pause)) }
