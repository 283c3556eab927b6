package main

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// loggedEntries is how many connections the record "stopped" names: collectors cut lines
// of more than 16 KiB. The file has them all.
const loggedEntries = 20

// drainReport is the account of a stop: why, how long, who was there and what became of
// each, and both ledgers.
type drainReport struct {
	stop        lifecycle.Report
	connections conn.Ledger
	requests    http1.Ledger
	refusals    http1.Refusals
	roll        conn.Roll // worst first
	books       error     // nil when they balance
	exit        int
}

func newDrainReport(stop lifecycle.Report, connections conn.Ledger, roll conn.Roll, requests http1.Ledger, refusals http1.Refusals) *drainReport {
	r := &drainReport{stop: stop, connections: connections, requests: requests, refusals: refusals, roll: roll}
	r.books = balance(stop, connections, requests)
	r.exit = stop.ExitCode(r.books)
	slices.SortStableFunc(r.roll.Entries, func(a, b conn.Entry) int { return cmp.Compare(badness(a), badness(b)) })
	return r
}

// badness orders entries: those that a reader looks for come first.
func badness(e conn.Entry) int {
	ends := []string{e.End}
	if e.Task != nil {
		ends = append(ends, e.Task.End)
	}
	for rank, end := range []string{"", "forced", "aborted", "peer_left", "handshake_failed", "refused"} {
		if slices.Contains(ends, end) {
			return rank
		}
	}
	if e.Task != nil {
		return 10
	}
	return 11
}

// named tells whether an entry is worth a place in a bounded list: who was idle and left
// quietly has nothing to tell.
func named(e conn.Entry) bool { return badness(e) < 11 }

// attributes are the record's. Its keys are stable.
func (r *drainReport) attributes() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("cause", r.stop.Cause()), slog.Int("exit", r.exit), slog.Int("cut", r.stop.Cut),
		{Key: "phases_ms", Value: slog.GroupValue(phaseTimes(r.stop)...)}, slog.Any("connections", r.connections), slog.Any("requests", r.requests),
	}
	if len(r.refusals) > 0 {
		attrs = append(attrs, slog.Any("refusals", r.refusals))
	}
	if r.books != nil {
		attrs = append(attrs, slog.String("books", r.books.Error()))
	}
	return attrs
}

// alive is the part of the record that names connections.
func (r *drainReport) alive() slog.Attr {
	listed := []entryJSON{}
	for _, e := range r.roll.Entries {
		if named(e) && len(listed) < loggedEntries {
			listed = append(listed, newEntryJSON(e))
		}
	}
	return slog.Group("alive", slog.Int("connections", r.roll.Open), slog.Int("requests", r.tasks()), slog.Any("listed", listed))
}

// tasks is how many requests were under way at the signal.
func (r *drainReport) tasks() (n int) {
	for _, e := range r.roll.Entries {
		if e.Task != nil {
			n++
		}
	}
	return n
}

// reportJSON is the file's form. Its keys are stable.
type drainReportJSON struct {
	Begun       time.Time          `json:"begun"`
	Cause       string             `json:"cause"`
	Exit        int                `json:"exit"`
	Cut         int                `json:"cut"`
	Stuck       bool               `json:"stuck"`
	Phases      map[string]float64 `json:"phases_ms"`
	Connections conn.Ledger        `json:"connections"`
	Requests    http1.Ledger       `json:"requests"`
	Refusals    http1.Refusals     `json:"refusals"`
	Books       string             `json:"books"`
	Alive       aliveJSON          `json:"alive"`
}

// aliveJSON are the connections that were open at the signal.
type aliveJSON struct {
	Connections int         `json:"connections"`
	Requests    int         `json:"requests"`
	Unlisted    int         `json:"unlisted"`
	Later       int64       `json:"accepted_later"`
	Listed      []entryJSON `json:"listed"`
}

// entryJSON is one of them, and taskJSON the request that was under way on it.
type entryJSON struct {
	ID      uint64     `json:"id"`
	Client  string     `json:"client"`
	Age     float64    `json:"age_ms"`
	Phase   conn.Phase `json:"phase"`
	Then    bytesJSON  `json:"at_signal"`
	Late    int64      `json:"late_bytes"`
	Request *taskJSON  `json:"request,omitempty"`
	outcomeJSON
}

type taskJSON struct {
	ID     string     `json:"id"`
	Method string     `json:"method,omitempty"`
	Target string     `json:"target,omitempty"`
	Age    float64    `json:"age_ms"`
	Phase  conn.Phase `json:"phase"`
	Then   bytesJSON  `json:"at_signal"`
	outcomeJSON
}

// outcomeJSON has an empty end where there was none.
type outcomeJSON struct {
	End   string    `json:"end"`
	After float64   `json:"end_ms"` // since the signal
	InAll bytesJSON `json:"in_all"`
}

type bytesJSON struct {
	Received int64 `json:"received"`
	Sent     int64 `json:"sent"`
}

func newEntryJSON(e conn.Entry) entryJSON {
	j := entryJSON{
		ID: e.ID, Client: clientName(e), Age: milliseconds(e.Age), Phase: e.Phase, Then: bytesJSON(e.Then), Late: e.Late,
		outcomeJSON: newOutcomeJSON(e.Outcome),
	}
	if t := e.Task; t != nil {
		j.Request = &taskJSON{ID: t.ID, Age: milliseconds(t.Age), Phase: t.Phase, Then: bytesJSON(t.Then), outcomeJSON: newOutcomeJSON(t.Outcome)}
		for _, a := range t.About {
			switch a.Key {
			case "method":
				j.Request.Method = a.Value.String()
			case "target":
				j.Request.Target = a.Value.String()
			}
		}
	}
	return j
}

func newOutcomeJSON(o conn.Outcome) outcomeJSON {
	return outcomeJSON{End: o.End, After: milliseconds(o.After), InAll: bytesJSON(o.Carried)}
}

func clientName(e conn.Entry) string {
	if !e.Client.IsValid() {
		return "unix"
	}
	return e.Client.String()
}

// json is the whole report.
func (r *drainReport) json() *drainReportJSON {
	j := &drainReportJSON{
		Begun: r.stop.Begun.UTC(), Cause: r.stop.Cause(), Exit: r.exit, Cut: r.stop.Cut, Stuck: r.stop.Stuck, Phases: map[string]float64{},
		Connections: r.connections, Requests: r.requests, Refusals: r.refusals,
		Alive: aliveJSON{
			Connections: r.roll.Open, Requests: r.tasks(), Unlisted: r.roll.Open - len(r.roll.Entries),
			Later: r.connections.Accepted - r.roll.Accepted, Listed: []entryJSON{},
		},
	}
	for _, p := range phaseTimes(r.stop) {
		j.Phases[p.Key] = p.Value.Float64()
	}
	for _, e := range r.roll.Entries {
		j.Alive.Listed = append(j.Alive.Listed, newEntryJSON(e))
	}
	if r.books != nil {
		j.Books = r.books.Error()
	}
	return j
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
