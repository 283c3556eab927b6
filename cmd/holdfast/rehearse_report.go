package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// A rehearsalReport is what a rehearsal found.
type rehearsalReport struct {
	took     time.Duration
	clients  int
	rounds   []roundReport
	tally    traffic.Tally
	losses   []traffic.Loss
	extremes traffic.Extremes
	advice   advice
}

// A roundReport is one replacement. Its requests are those that began or ended meanwhile.
type roundReport struct {
	number         int
	requests, lost int64
	end            replicaRecord // of the server that was replaced
}

// conclude closes the report, once the load is over.
func (h *rollingUpdate) conclude() {
	r := &h.report
	r.clients, r.tally, r.losses, r.extremes = h.load.Mix.Clients(), h.load.Tally(), h.load.Losses(), h.load.Extremes()
	r.advice = advise(h.settings, h.lag, r)
}

// exit is 1 when anything was lost, or a server did not stop cleanly.
func (r *rehearsalReport) exit() int {
	unclean := slices.ContainsFunc(r.rounds, func(n roundReport) bool { return n.end.Exit != exitOK })
	if r.tally.Lost() > 0 || unclean {
		return 1
	}
	return exitOK
}

// overLimit is how many connections the servers that were replaced refused for their number.
func (r *rehearsalReport) overLimit() (refused int64) {
	for _, n := range r.rounds {
		refused += n.end.Connections.Refused
	}
	return refused
}

// progress tells of a round: a line for people, or a record.
func (h *rollingUpdate) progress(std streams, r roundReport) {
	if h.settings.Log == jsonForm {
		h.log.Info("rehearsal round", "round", r.number, "of", h.rounds, "requests", r.requests, "lost", r.lost, "exit", r.end.Exit, "phases_ms", r.end.Phases)
		return
	}
	fmt.Fprintf(std.err, "round %d of %d: %d requests, %d lost; %s\n", r.number, h.rounds, r.requests, r.lost, r.phases())
}

// phases are the lengths of the phases of a stop, in their order.
func (r roundReport) phases() string {
	var all []string
	for _, name := range phaseKeys(r.end.Phases) {
		all = append(all, strings.ReplaceAll(name, "_", " ")+" "+phaseTime(r.end.Phases, name))
	}
	return strings.Join(all, ", ")
}

// phaseKeys are the phases that a stop went through, in their order.
func phaseKeys(phases map[string]float64) (keys []string) {
	for _, key := range []string{"lame_duck", "closing", "draining", "forcing", "flushed"} {
		if _, ok := phases[key]; ok {
			keys = append(keys, key)
		}
	}
	return keys
}

func phaseTime(phases map[string]float64, key string) string {
	ms, ok := phases[key]
	if !ok {
		return "-"
	}
	return strconv.FormatFloat(ms/1000, 'f', 2, 64) + "s"
}

func (r *rehearsalReport) write(w io.Writer, asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(w).Encode(r) // a closed stdout is the reader's affair
		return
	}
	_, _ = io.WriteString(w, r.text())
}

// MarshalJSON gives the report its stable form.
func (r *rehearsalReport) MarshalJSON() ([]byte, error) {
	begun, ended := r.tally.Sum()
	kinds := make(map[string]any)
	for _, k := range traffic.Kinds() {
		kinds[k.String()] = map[string]any{"begun": r.tally.Begun[k], "ended": endCounts(r.tally.Ended[k][:])}
	}
	rounds := []any{}
	for _, n := range r.rounds {
		rounds = append(rounds, map[string]any{
			"round": n.number, "requests": n.requests, "lost": n.lost, "exit": n.end.Exit, "cut": n.end.Cut, "phases_ms": n.end.Phases,
		})
	}
	losses := []any{}
	for _, l := range r.losses {
		losses = append(losses, map[string]any{"kind": l.Kind.String(), "end": l.End.String(), "after_signal_ms": l.After.Milliseconds(), "why": l.Why})
	}
	return json.Marshal(map[string]any{
		"clients": r.clients, "seconds": r.took.Seconds(), "lost": r.tally.Lost(),
		"requests": map[string]any{"begun": begun, "ended": endCounts(ended[:]), "retried": r.tally.Retried, "recovered": r.tally.Recovered, "kinds": kinds},
		"rounds":   rounds, "losses": losses,
		"last_newcomer_ms": r.extremes.Newcomer.Milliseconds(), "longest_request_ms": r.extremes.Request.Milliseconds(),
		"advice": map[string]any{
			"drain_delay": r.advice.delay.String(), "drain_timeout": r.advice.timeout.String(),
			"grace_period": r.advice.grace.String(), "why": append([]string{}, r.advice.why...),
		},
	})
}

func endCounts(ended []int64) map[string]int64 {
	counts := make(map[string]int64)
	for _, e := range traffic.Ends() {
		counts[e.String()] = ended[e]
	}
	return counts
}

// text is the report for people.
func (r *rehearsalReport) text() string {
	var b strings.Builder
	begun, _ := r.tally.Sum()
	fmt.Fprintf(&b, "\n%d replacements under %d clients in %.0fs: %d of %d requests lost.\n\n", len(r.rounds), r.clients, r.took.Seconds(), r.tally.Lost(), begun)
	r.writeRequests(&b)
	b.WriteString("\n")
	r.writeRounds(&b)
	r.writeLosses(&b)
	b.WriteString("\n" + r.advice.text())
	return b.String()
}

// writeRequests writes a row for each kind, and a column for each end that there was.
func (r *rehearsalReport) writeRequests(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	begun, sums := r.tally.Sum()
	fmt.Fprint(table, "requests\tbegun\t")
	for _, e := range traffic.Ends() {
		if e == traffic.OK || sums[e] > 0 {
			fmt.Fprint(table, spaced(e.String())+"\t")
		}
	}
	row := func(name string, begun int64, ended []int64) {
		fmt.Fprintf(table, "\n%s\t%d\t", name, begun)
		for e, n := range ended {
			if e == int(traffic.OK) || sums[e] > 0 {
				fmt.Fprintf(table, "%d\t", n)
			}
		}
	}
	for _, k := range traffic.Kinds() {
		row(spaced(k.String()), r.tally.Begun[k], r.tally.Ended[k][:])
	}
	row("all", begun, sums[:])
	fmt.Fprintln(table)
}

func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

// writeRounds writes what each replacement lost, and how long the phases of the stop took.
func (r *rehearsalReport) writeRounds(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	all := make(map[string]float64)
	for _, n := range r.rounds {
		maps.Copy(all, n.end.Phases)
	}
	keys := phaseKeys(all)
	fmt.Fprint(table, "round\trequests\tlost\texit\t")
	for _, key := range keys {
		fmt.Fprint(table, spaced(key)+"\t")
	}
	for _, n := range r.rounds {
		fmt.Fprintf(table, "\n%d\t%d\t%d\t%d\t", n.number, n.requests, n.lost, n.end.Exit)
		for _, key := range keys {
			fmt.Fprint(table, phaseTime(n.end.Phases, key)+"\t")
		}
	}
	fmt.Fprintln(table)
}

// writeLosses writes the first losses, which often say more than their number.
func (r *rehearsalReport) writeLosses(w io.Writer) {
	if len(r.losses) == 0 {
		return
	}
	fmt.Fprint(w, "\nThe first that were lost:\n")
	for _, l := range r.losses {
		when := "with no stop under way at its server"
		switch {
		case l.After > 0:
			when = fmt.Sprintf("begun %v after the signal", l.After.Round(time.Millisecond))
		case l.After < 0:
			when = fmt.Sprintf("begun %v before the signal", -l.After.Round(time.Millisecond))
		}
		fmt.Fprintf(w, "  %s, %s, %s: %s\n", spaced(l.Kind.String()), spaced(l.End.String()), when, plain(l.Why))
	}
	if r.tally.Retried > 0 {
		fmt.Fprintf(w, "%d were on reused connections and asked again, as clients do; %d of those went well.\n", r.tally.Retried, r.tally.Recovered)
	}
}
