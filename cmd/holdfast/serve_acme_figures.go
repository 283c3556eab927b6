package main

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/certs/renewal"
	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/http1/observe"
)

// figures are those of the domains' certificates and of their store; none without domains.
func (p *publicCA) figures() []observe.Figure {
	if p.source == nil {
		return nil
	}
	perHost := func(value func(renewal.HostFigures) bool) func(tell) {
		return func(t tell) {
			for _, f := range p.source.Figures().Hosts {
				t(oneIf(value(f)), f.Host)
			}
		}
	}
	return append(p.storeFigures(),
		observe.Figure{Name: "holdfast_certificate_missing", Help: "1 for a domain that has no certificate of the CA's yet.", Labels: []string{"host"},
			Read: perHost(func(f renewal.HostFigures) bool { return !f.Present })},
		observe.Figure{Name: "holdfast_certificate_resting", Help: "1 for a domain for which no order is placed now: after a failure, because the CA asked for it, for want of budget, or because of the clock.", Labels: []string{"host"},
			Read: perHost(func(f renewal.HostFigures) bool { return f.Resting })},
		observe.Figure{Name: "holdfast_certificate_unstored", Help: "1 for a domain whose certificate is in memory only, because the store did not take it.", Labels: []string{"host"},
			Read: perHost(func(f renewal.HostFigures) bool { return f.Unstored })},
		observe.Figure{Name: "holdfast_certificate_orders_total", Help: "Orders of certificates, by what became of them: issued, or why not.", Counter: true, Labels: []string{"result"},
			Read: func(t tell) { p.tellOrders(t) }},
		observe.Figure{Name: "holdfast_certificates_taken_over_total", Help: "Certificates that came from the store: another replica's, or an earlier start's.", Counter: true,
			Read: func(t tell) { t(float64(p.source.Figures().TakenOver)) }},
		observe.Figure{Name: "holdfast_certificate_advice_total", Help: "Questions to the CA on when to renew (ARI), by outcome; moved are those of the answered that changed the time.", Counter: true, Labels: []string{"outcome"},
			Read: func(t tell) {
				f := p.source.Figures()
				t(float64(f.AdviceAsked), "answered")
				t(float64(f.AdviceFailed), "failed")
				t(float64(f.AdviceMoved), "moved")
			}},
		observe.Figure{Name: "holdfast_clock_jumps_total", Help: "How often the machine's clock was set by more than 30 s.", Counter: true,
			Read: func(t tell) { t(float64(p.source.Figures().ClockJumps)) }},
	)
}

// tellOrders has the usual results from the start, so that their first increase is seen.
func (p *publicCA) tellOrders(t tell) {
	counted := p.source.Figures().Orders
	for _, usual := range []string{"issued", "budget", "rate-limited", "unreachable", "unauthorized"} {
		counted[usual] += 0
	}
	for _, result := range slices.Sorted(maps.Keys(counted)) {
		t(float64(counted[result]), result)
	}
}

func (p *publicCA) storeFigures() []observe.Figure {
	perLayer := func(value func(store.LayerStatus) float64) func(tell) {
		return func(t tell) {
			for _, layer := range p.store.Status().Layers {
				t(value(layer), layer.Layer)
			}
		}
	}
	return []observe.Figure{
		{Name: "holdfast_certificate_store_errors_total", Help: "Calls to a layer of the store of certificates that failed.", Counter: true, Labels: []string{"layer"},
			Read: perLayer(func(l store.LayerStatus) float64 { return float64(l.Errors) })},
		{Name: "holdfast_certificate_store_failing_seconds", Help: "For how long a layer of the store has failed, 0 while it works.", Labels: []string{"layer"},
			Read: perLayer(func(l store.LayerStatus) float64 {
				if l.FailingSince.IsZero() {
					return 0
				}
				return time.Since(l.FailingSince).Seconds()
			})},
		{Name: "holdfast_certificate_store_unsynced", Help: "Values that a layer of the store has yet to take.",
			Read: func(t tell) { t(float64(len(p.store.Status().Unsynced))) }},
		{Name: "holdfast_certificate_store_refused_total", Help: "Values of the store that were damaged or no good, and counted as missing.", Counter: true,
			Read: func(t tell) { t(float64(p.store.Status().Refused)) }},
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
