package renewal

import (
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// Explanation tells why a host has the certificate that it has, and when the next comes.
type Explanation struct {
	Status Status
	// Advice is the CA's, nil without any.
	Advice *Window
	// IssuedLately and FailedLately are the orders that count against the host's budget.
	IssuedLately, FailedLately int
	// Events are the ledger, the oldest first.
	Events []Event
	// Sentences say all of it in words, for people: a few lines, without the events.
	Sentences []string
}

// Explain tells of host. An unknown one is an error that says so.
func (s *Source) Explain(host string) (Explanation, error) {
	name, err := certs.HostName(host)
	if err != nil {
		return Explanation{}, err
	}
	k := s.byHost[name]
	if k == nil {
		return Explanation{}, fmt.Errorf("no certificate is kept for %s: it is not one of the configured hosts", name)
	}
	now, v := s.config.Now(), k.view.Load()
	e := Explanation{Status: k.statusAt(now), Advice: v.advice, Events: slices.Clone(v.events)}
	for _, p := range v.orders {
		switch live := now.Before(p.At.Add(p.window())); {
		case live && p.Outcome == orderFailed:
			e.FailedLately++
		case live:
			e.IssuedLately++
		}
	}
	e.Sentences = e.inWords(now, s.config.Limits)
	return e, nil
}

func (e *Explanation) inWords(now time.Time, limits Limits) []string {
	st := e.Status
	list := []string{st.servedWords(now)}
	if words := st.nextWords(now); words != "" {
		list = append(list, words)
	}
	if e.Advice != nil {
		list = append(list, fmt.Sprintf("The CA advises to renew between %s and %s.", stamp(e.Advice.Start), stamp(e.Advice.End)))
	}
	if st.Unstored {
		list = append(list, "The certificate is in memory only: the store did not take it, and is tried again.")
	}
	if st.LastError != "" {
		list = append(list, fmt.Sprintf("The last thing that went wrong, at %s: %s.", stamp(st.LastErrorAt), st.LastError))
	}
	if st.Failures > 0 {
		list = append(list, fmt.Sprintf("Orders that failed in a row: %d.", st.Failures))
	}
	return append(list, fmt.Sprintf("Of the local budget, %d of %d certificates (7 days) and %d of %d failed orders (1 hour) are used.",
		e.IssuedLately, limits.IssuedPerHost, e.FailedLately, limits.FailedPerHost))
}

func (st *Status) servedWords(now time.Time) string {
	switch {
	case st.Serial == "":
		return fmt.Sprintf("There is no certificate for %s yet.", st.Host)
	case now.Before(st.NotBefore):
		return fmt.Sprintf("%s has certificate %s by %s, which this machine's clock finds not valid before %s.", st.Host, st.Serial, st.Issuer, stamp(st.NotBefore))
	case !now.Before(st.NotAfter):
		return fmt.Sprintf("%s has certificate %s by %s, which expired at %s.", st.Host, st.Serial, st.Issuer, stamp(st.NotAfter))
	}
	return fmt.Sprintf("%s has certificate %s by %s, valid until %s; %.0f %% of its life has passed.",
		st.Host, st.Serial, st.Issuer, stamp(st.NotAfter), 100*st.LifeShare)
}

func (st *Status) nextWords(now time.Time) string {
	switch {
	case st.Ordering:
		return "It is being ordered right now."
	case st.WaitsFor != "":
		return "It is not ordered here, because another replica is at it: " + st.WaitsFor + "."
	case now.Before(st.Next):
		return fmt.Sprintf("It will be ordered at %s, %s.", stamp(st.Next), st.Why.words())
	case !st.RestsUntil.IsZero():
		return fmt.Sprintf("It is not ordered before %s: %s.", stamp(st.RestsUntil), st.Rests)
	}
	return "It is to be ordered now, " + st.Why.words() + "."
}
