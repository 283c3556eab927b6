package renewal

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Figures are what a Source counts, since it was made unless said otherwise.
type Figures struct {
	Hosts []HostFigures
	// Orders counts attempts by what became of them: "issued"; the Kind of an issuer's
	// Refusal, "timeout" or "error"; "proof", "shorter" and "early" for what was issued and is not
	// served; "lease-lost"; "budget" for those that were never placed. Few words, which
	// are fit for a label.
	Orders map[string]uint64
	// TakenOver counts certificates that came from the store.
	TakenOver uint64
	// StoreErrors counts calls to the store that failed.
	StoreErrors uint64
	// AdviceAsked, AdviceFailed and AdviceMoved count the CA's answers on when to renew,
	// the questions without one, and the answers that changed a window.
	AdviceAsked, AdviceFailed, AdviceMoved uint64
	// ClockJumps counts how often the wall clock was set.
	ClockJumps uint64
}

// HostFigures are one host's, now.
type HostFigures struct {
	Host string
	// Present tells whether there is a certificate, Expiry for how long it is valid:
	// negative once it has expired.
	Present bool
	Expiry  time.Duration
	// Resting tells whether a cooldown, the CA, the budget or the clock stops orders.
	Resting bool
	// Unstored tells whether the certificate is in memory only.
	Unstored bool
}

// Figures returns what was counted until now.
func (s *Source) Figures() Figures {
	f := Figures{
		Orders:       s.counts.orders.copy(),
		TakenOver:    s.counts.taken.Load(),
		StoreErrors:  s.counts.storeErrors.Load(),
		AdviceAsked:  s.counts.adviceAsked.Load(),
		AdviceFailed: s.counts.adviceFailed.Load(),
		AdviceMoved:  s.counts.adviceMoved.Load(),
		ClockJumps:   s.counts.jumps.Load(),
	}
	now := s.config.Now()
	for _, k := range s.keepers {
		status := k.view.Load().status
		h := HostFigures{Host: k.host, Resting: now.Before(status.RestsUntil), Unstored: status.Unstored}
		if c := k.published.Load(); c != nil {
			h.Present, h.Expiry = true, c.NotAfter.Sub(now)
		}
		f.Hosts = append(f.Hosts, h)
	}
	return f
}

type counts struct {
	orders                                 tally
	taken, storeErrors                     atomic.Uint64
	adviceAsked, adviceFailed, adviceMoved atomic.Uint64
	jumps                                  atomic.Uint64
}

// tallyWords bounds the words of a tally: an issuer's kinds are few, or an error of ours.
const tallyWords = 32

// tally counts by word.
type tally struct {
	mu sync.Mutex
	by map[string]uint64
}

func (t *tally) init() { t.by = make(map[string]uint64) }

func (t *tally) add(word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.by[word]; !known && len(t.by) == tallyWords {
		word = "error"
	}
	t.by[word]++
}

func (t *tally) copy() map[string]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.by)
}
