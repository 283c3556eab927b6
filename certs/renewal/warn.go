package renewal

import "time"

// overdueShare is the share of its life, as a divisor, that a certificate may be late
// before it is called overdue.
const overdueShare = 20

// warned are the warnings that were given about the certificate served: each is one line.
type warned struct{ overdue, quarter, expired, notYet bool }

// warn says what is wrong with the certificate served, once each.
func (k *keeper) warn() {
	if k.served == nil {
		return
	}
	c, now := k.served, k.now()
	late := k.next().at.Add(lifetime(c) / overdueShare)
	k.warnOnce(&k.warned.notYet, now.Before(c.NotBefore), EventNotYet,
		"the certificate served is not valid yet by this machine's clock: set the clock, or wait")
	k.warnOnce(&k.warned.overdue, !k.foreign && !now.Before(late) && now.Before(c.NotAfter), EventOverdue,
		"the renewal of a certificate is overdue")
	k.warnOnce(&k.warned.quarter, lifeShare(c, now) >= 0.75 && now.Before(c.NotAfter), EventExpiring,
		"a certificate has less than a quarter of its life left")
	k.warnOnce(&k.warned.expired, !now.Before(c.NotAfter), EventExpiring,
		"a certificate has expired: it is served for want of a better one")
}

func (k *keeper) warnOnce(given *bool, applies bool, kind, words string) {
	if !applies || *given {
		return
	}
	*given = true
	c := k.served
	k.tell(Event{Kind: kind, Serial: c.Serial, NotAfter: c.NotAfter, Words: k.fault.words})
	k.log().Warn(words, "serial", c.Serial, "not_before", c.NotBefore, "not_after", c.NotAfter,
		"left", c.NotAfter.Sub(k.now()).Round(time.Second), "last_error", k.fault.words)
}
