package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// A proofResult is what was measured of one case. Its form as JSON is stable.
type proofResult struct {
	Server      string                      `json:"server"`
	Way         string                      `json:"way"`
	TLS         bool                        `json:"tls"`
	WaitSeconds float64                     `json:"wait_seconds"`
	Clients     int                         `json:"clients"`
	Restarts    int                         `json:"restarts"`
	Seconds     float64                     `json:"seconds"`
	Requests    int64                       `json:"requests"`
	Lost        int64                       `json:"lost"`
	PerRestart  float64                     `json:"lost_per_restart"`
	Ended       map[string]int64            `json:"ended"`
	Kinds       map[string]map[string]int64 `json:"kinds"`
	LateBytes   int64                       `json:"late_bytes"` // as our servers count them
	Losses      []proofLoss                 `json:"losses"`     // the first of each sort
}

// A proofLoss is a request that did not end well.
type proofLoss struct {
	Kind    string `json:"kind"`
	End     string `json:"end"`
	AfterMS int64  `json:"after_signal_ms"`
	Why     string `json:"why"`
}

// result is what the clients and the servers of a proof say.
func (p *proof) result(took time.Duration) proofResult {
	tally := p.load.Tally()
	begun, ended := tally.Sum()
	r := proofResult{
		Server: p.c.server, Way: p.c.way, TLS: p.c.tls, WaitSeconds: p.c.wait.Seconds(),
		Clients: p.form.mix.Clients(), Restarts: len(p.ends), Seconds: took.Seconds(), Requests: begun, Lost: tally.Lost(),
		Ended: endCounts(ended[:]), Kinds: make(map[string]map[string]int64), Losses: []proofLoss{},
	}
	r.PerRestart = float64(r.Lost) / float64(max(r.Restarts, 1))
	for _, k := range traffic.Kinds() {
		if p.form.mix[k] > 0 {
			r.Kinds[k.String()] = endCounts(tally.Ended[k][:])
		}
	}
	for _, end := range p.ends {
		r.LateBytes += end.Connections.LateBytes
	}
	for _, l := range p.load.Losses() {
		r.Losses = append(r.Losses, proofLoss{l.Kind.String(), l.End.String(), l.After.Milliseconds(), l.Why})
	}
	return r
}

// proofResults are those of all cases, written down as they come: half an hour's work must
// not be lost with the last of them.
type proofResults struct {
	t    *testing.T
	path string // of the JSON, "" for none
	mu   sync.Mutex
	all  []proofResult
}

// newProofResults writes to the file that HOLDFAST_DRAIN_JSON names, and logs the table
// when the test ends.
func newProofResults(t *testing.T) *proofResults {
	r := &proofResults{t: t, path: os.Getenv("HOLDFAST_DRAIN_JSON")}
	t.Cleanup(func() { t.Logf("requests that were lost while servers were replaced:\n\n%s", proofTable(r.all)) })
	return r
}

func (r *proofResults) add(result proofResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, result)
	if r.path == "" {
		return
	}
	text, err := json.MarshalIndent(r.all, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(r.path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(r.path, append(text, '\n'), 0o644)
	}
	if err != nil {
		r.t.Error(err)
	}
}

// proofTable is the results as Markdown.
func proofTable(all []proofResult) string {
	var b strings.Builder
	b.WriteString("| server | way | | wait | restarts | requests | lost | per restart | how |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range all {
		transport := "plain"
		if r.TLS {
			transport = "TLS"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %gs | %d | %d | %d | %.2f | %s |\n",
			r.Server, r.Way, transport, r.WaitSeconds, r.Restarts, r.Requests, r.Lost, r.PerRestart, r.how())
	}
	return b.String()
}

// how names the classes that lost requests are in, with their numbers.
func (r *proofResult) how() string {
	var classes []string
	for _, e := range traffic.Ends() {
		if n := r.Ended[e.String()]; e != traffic.OK && n > 0 {
			classes = append(classes, fmt.Sprintf("%s %d", spaced(e.String()), n))
		}
	}
	return strings.Join(classes, ", ")
}

func TestProofTable(t *testing.T) {
	all := []proofResult{
		{Server: "holdfast", Way: wayDirect, TLS: true, WaitSeconds: 1, Restarts: 20, Requests: 100_000, Ended: map[string]int64{"ok": 100_000}},
		{Server: "net/http", Way: wayProxy, Restarts: 4, Requests: 2000, Lost: 3, PerRestart: 0.75,
			Ended: map[string]int64{"ok": 1997, "wrong_status": 2, "refused": 1}},
	}
	text := lines(proofTable(all))
	for i, want := range []string{
		"| holdfast | direct, removal lags 200 ms | TLS | 1s | 20 | 100000 | 0 | 0.00 |  |",
		"| net/http | behind HAProxy | plain | 0s | 4 | 2000 | 3 | 0.75 | refused 1, wrong status 2 |",
	} {
		if got := text[2+i]; got != want {
			t.Errorf("row %d is %q, want %q", i, got, want)
		}
	}
}

func TestLastWords(t *testing.T) {
	t.Run("what was cut and what came late is read from the record stopped", func(t *testing.T) {
		end := lastWords(t, []string{`{"msg":"stopping"}`, `no JSON`, `{"msg":"stopped","exit":3,"connections":{"forced":1,"late_bytes":7},"requests":{"aborted":2,"forced":3}}`})
		if end.Exit != 3 || end.Connections.Forced != 1 || end.Connections.LateBytes != 7 || end.Requests.Aborted != 2 || end.Requests.Forced != 3 {
			t.Errorf("%+v", end)
		}
	})
}
