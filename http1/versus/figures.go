package main

import "slices"

// A sample is what one round measured of one server. A case about time has the first
// three, one about memory the last two.
type sample struct {
	CPUMicros float64 `json:"cpu_us_per_request,omitempty"`
	PerSecond float64 `json:"requests_per_second,omitempty"`
	Busy      float64 `json:"server_core_busy,omitempty"` // share of the time
	KiB       float64 `json:"kib_per_connection,omitempty"`
	GrownKiB  float64 `json:"kib_per_connection_before_collection,omitempty"`
}

// A row is one server in one case. Shares and speedups are against net/http in the same
// round, and absent without it.
type row struct {
	Server  string   `json:"server"`
	Rounds  []sample `json:"rounds"`
	Main    spread   `json:"main"`              // µs per request, or KiB per connection
	Share   *spread  `json:"share,omitempty"`   // of net/http's main
	Speedup *spread  `json:"speedup,omitempty"` // of net/http's requests per second
	Speed   spread   `json:"speed"`             // requests per second
}

// A spread is what became of several rounds.
type spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// spreadOf sums rounds up. There must be one.
func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Low: sorted[0], High: sorted[n-1]}
}

// main is the figure that the case is about.
func (s *sample) main() float64 {
	if s.KiB != 0 {
		return s.KiB
	}
	return s.CPUMicros
}

// each takes one figure of every round.
func each(rounds []sample, figure func(*sample) float64) []float64 {
	values := make([]float64, len(rounds))
	for i := range rounds {
		values[i] = figure(&rounds[i])
	}
	return values
}

// ratios divide round by round: what disturbed one round disturbed both servers.
func ratios(values, by []float64) []float64 {
	r := make([]float64, min(len(values), len(by)))
	for i := range r {
		r[i] = values[i] / by[i]
	}
	return r
}

// baseline is the server that the others are compared with.
const baseline = "nethttp"

// rows sum up what was measured: taken has the rounds of each server.
func rows(servers []string, taken map[string][]sample) (table []row) {
	perSecond := func(s *sample) float64 { return s.PerSecond }
	base := taken[baseline]
	for _, name := range servers {
		rounds := taken[name]
		if len(rounds) == 0 {
			continue
		}
		r := row{Server: name, Rounds: rounds,
			Main: spreadOf(each(rounds, (*sample).main)), Speed: spreadOf(each(rounds, perSecond))}
		if len(base) > 0 {
			share := spreadOf(ratios(each(rounds, (*sample).main), each(base, (*sample).main)))
			r.Share = &share
			if base[0].PerSecond > 0 {
				faster := spreadOf(ratios(each(rounds, perSecond), each(base, perSecond)))
				r.Speedup = &faster
			}
		}
		table = append(table, r)
	}
	return table
}

// judged is the figure of a row that the aim is about.
func (a aim) judged(r *row) (value float64, ok bool) {
	switch {
	case a.Measure == kibibytes:
		return r.Main.Median, true
	case a.Measure == cpuShare && r.Share != nil:
		return r.Share.Median, true
	case a.Measure == speedup && r.Speedup != nil:
		return r.Speedup.Median, true
	}
	return 0, false
}
