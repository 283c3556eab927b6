package renewal

import (
	"context"
	"crypto/x509"
	"time"
)

const (
	// RFC 9773 §4.3.3: what a CA asks for is held between a minute and a day.
	adviceLeast, adviceMost = time.Minute, 24 * time.Hour
	// adviceFirstRetry doubles with each failure up to adviceLastRetry (§4.3.2).
	adviceFirstRetry, adviceLastRetry = time.Minute, 6 * time.Hour
	// adviceLimit is how long one question may take: the host's orders wait for it.
	adviceLimit = 10 * time.Second
)

// advice is what the CA says on when to renew the certificate served.
type advice struct {
	window   *Window
	askAt    time.Time // monotonic; zero is at once
	failures int
}

// advises tells whether there is anybody to ask about the certificate served.
func (k *keeper) advises() bool {
	return k.source.config.Adviser != nil && k.served != nil && !k.foreign && len(k.served.TLS().Certificate) > 1
}

// seekAdvice asks the CA when it is time to.
func (k *keeper) seekAdvice(ctx context.Context) {
	if !k.advises() || !k.passed(k.advice.askAt) {
		return
	}
	issuer, err := x509.ParseCertificate(k.served.TLS().Certificate[1])
	if err != nil {
		k.advice.askAt = time.Now().Add(adviceMost) // ParseBundle has read it: it cannot be
		return
	}
	call, cancel := context.WithTimeout(ctx, adviceLimit)
	window, err := k.source.config.Adviser.Window(call, k.served.Leaf(), issuer)
	cancel()
	switch {
	case ctx.Err() != nil:
	case err != nil || window.End.Before(window.Start) || window.Start.IsZero():
		k.unadvised(err)
	default:
		k.advised(window)
	}
}

func (k *keeper) unadvised(err error) {
	wait := adviceLastRetry
	if k.advice.failures < 16 {
		wait = min(wait, adviceFirstRetry<<k.advice.failures)
	}
	k.advice.failures++
	k.advice.askAt = time.Now().Add(wait)
	k.source.counts.adviceFailed.Add(1)
	k.log().Debug("no advice from the CA on when to renew", "error", err, "asks_again_in", wait)
}

func (k *keeper) advised(window Window) {
	wait := min(max(window.AskAgain.Sub(k.now()), adviceLeast), adviceMost)
	k.advice.askAt, k.advice.failures = time.Now().Add(wait), 0
	k.source.counts.adviceAsked.Add(1)
	before := k.advice.window
	k.advice.window = &window
	if before != nil && before.Start.Equal(window.Start) && before.End.Equal(window.End) {
		return
	}
	words := "renew between " + stamp(window.Start) + " and " + stamp(window.End)
	if window.Explanation != "" {
		words += ", see " + window.Explanation
	}
	if before != nil {
		k.source.counts.adviceMoved.Add(1)
		words += "; before, between " + stamp(before.Start) + " and " + stamp(before.End)
	}
	if k.early == nil {
		k.postpone = plan{}
	}
	k.tell(Event{Kind: EventAdvice, Serial: k.served.Serial, Words: words})
	k.log().Info("the CA advises when to renew", "serial", k.served.Serial, "from", window.Start, "to", window.End,
		"explanation", window.Explanation, "moved", before != nil)
}
