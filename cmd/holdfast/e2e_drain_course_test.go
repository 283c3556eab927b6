package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// A proof is servers in one place, replaced in turn while clients ask.
type proof struct {
	t        *testing.T
	form     *proofForm
	c        proofCase
	root     string
	pair     *proofPair // of those who are not ours, over TLS
	balancer traffic.Balancer
	load     traffic.Load
	started  int
	ends     []proofEnd
}

// A front leads the clients of a proof to its servers.
type front interface {
	// replace tells the server whose turn it is to stop, waits for its end, and puts
	// another in its place.
	replace(turn int) proofEnd
}

// proofEnd is what a server says of its stop. Only ours keeps the ledgers.
type proofEnd struct {
	Exit        int `json:"exit"`
	Connections struct {
		Forced    int64 `json:"forced"`
		LateBytes int64 `json:"late_bytes"`
	} `json:"connections"`
	Requests struct {
		Aborted int64 `json:"aborted"`
		Forced  int64 `json:"forced"`
	} `json:"requests"`
}

func newProof(t *testing.T, form *proofForm, c proofCase) *proof {
	p := &proof{t: t, form: form, c: c, root: t.TempDir()}
	if c.server != serverHoldfast && c.tls {
		p.pair = newProofPair(t)
	}
	transfer := c.wait + form.transfer
	p.load = traffic.Load{Balancer: &p.balancer, Mix: form.mix, Transfer: transfer, Patience: requestPatience, ContentLimitBytes: -1}
	return p
}

// run replaces servers under load, and checks what the clients and our servers say of it.
func (p *proof) run() proofResult {
	p.t.Helper()
	leads := p.newFront()
	ctx, cancel := context.WithCancel(p.t.Context())
	begin, enough := context.WithCancel(ctx)
	var load sync.WaitGroup
	begun := time.Now()
	load.Go(func() { p.load.Run(begin, ctx) })
	defer load.Wait() // also of a proof that failed: then the clients drop what they ask
	defer cancel()

	quota := p.form.requests / int64(p.form.restarts+1)
	if p.c.server != serverHoldfast {
		quota = 0 // theirs are compared by the restart
	}
	for turn := range p.form.restarts {
		p.asked(int64(turn+1)*quota + 1)
		p.ends = append(p.ends, leads.replace(turn))
	}
	p.asked(p.form.requests * min(quota, 1))
	enough()
	load.Wait()
	result := p.result(time.Since(begun))
	p.check(result)
	return result
}

func (p *proof) newFront() front {
	switch p.c.way {
	case wayProxy:
		return newProxyFront(p)
	case wayHandOver:
		return newHandOverFront(p)
	default:
		return newDirectFront(p)
	}
}

// asked waits until so many requests have begun.
func (p *proof) asked(n int64) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%d requests have begun", n), func() bool {
		tally := p.load.Tally()
		begun, _ := tally.Sum()
		return begun >= n
	})
}

// check is the verdict. That the accounts add up is asked of the harness, whoever serves.
func (p *proof) check(r proofResult) {
	p.t.Helper()
	tally := p.load.Tally()
	if err := tally.Balance(); err != nil {
		p.t.Error(err)
	}
	for _, k := range traffic.Kinds() {
		if p.form.mix[k] > 0 && tally.Ended[k][traffic.OK] == 0 {
			p.t.Errorf("no client of the kind %v was answered: %v", k, r.Losses)
		}
	}
	if r.Ended[traffic.Corrupt.String()] > 0 {
		p.t.Errorf("%d responses had other content than was asked for", r.Ended[traffic.Corrupt.String()])
	}
	if p.c.server != serverHoldfast {
		return
	}
	if r.Lost > 0 || r.Requests < p.form.requests {
		p.t.Errorf("%d lost of %d requests, want 0 of %d at least; the first: %+v", r.Lost, r.Requests, p.form.requests, r.Losses)
	}
	for n, end := range p.ends {
		if end != (proofEnd{}) {
			p.t.Errorf("server %d stopped with %+v, want nothing cut and nothing late", n, end)
		}
	}
}

// A berth is the place of a server and of those that follow it there.
type berth struct {
	*proof
	dir     string // their state
	running *replica
	record  replicaRecord // what the running one says of its listeners
}

func (p *proof) newBerth() *berth {
	b := &berth{proof: p, dir: filepath.Join(p.t.TempDir(), "state")}
	b.start()
	return b
}

// start starts a server and waits until it listens.
func (b *berth) start() {
	b.t.Helper()
	b.proof.started++
	c, err := startReplica(b.command(b.dir), b.proof.started)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.kill)
	ctx, cancel := context.WithTimeoutCause(b.t.Context(), patience, errors.New("it did not listen in time"))
	defer cancel()
	select {
	case b.record = <-c.listens:
	case <-c.gone:
		b.t.Fatalf("server %d ended before it listened: %v", c.number, c.last)
	case <-ctx.Done():
		b.t.Fatalf("server %d: %v", c.number, context.Cause(ctx))
	}
	if err := c.meet(b.record); err != nil {
		b.t.Fatal(err)
	}
	b.running = c
}

// stop tells the server to stop.
func (b *berth) stop() {
	b.t.Helper()
	b.running.Leave(time.Now())
	if err := b.running.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
}

// end waits for the end of the server that was told to stop.
func (b *berth) end() proofEnd {
	b.t.Helper()
	if _, err := b.running.end(b.t.Context(), b.c.wait+patience); err != nil {
		b.t.Fatal(err)
	}
	return lastWords(b.t, b.running.last)
}

// lastWords reads the record "stopped" in the last lines of a log.
func lastWords(t testing.TB, log []string) (end proofEnd) {
	t.Helper()
	for _, line := range log {
		var record struct {
			Msg string `json:"msg"`
			proofEnd
		}
		if json.Unmarshal([]byte(line), &record) == nil && record.Msg == "stopped" {
			end = record.proofEnd
		}
	}
	return end
}

// command is a server of the proof. Ours is the one that rehearse starts, which answers
// what the clients ask.
func (b *berth) command(dir string) *exec.Cmd {
	if b.c.server != serverHoldfast {
		return contestantCommand(b.t, b.c, b.pair, dir)
	}
	args := []string{"rehearse", b.root, "--drain-delay", b.c.wait.String(), "--http", "127.0.0.1:0", "--https", "off"}
	if b.c.tls {
		args = args[:4]
	}
	cmd := exec.Command(binary(b.t), args...)
	cmd.Env = append(childEnvironment(b.t), rehearsalState+"="+dir)
	return cmd
}
