package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// A proofForm is how much is asked of a server that is replaced under load.
type proofForm struct {
	restarts int
	requests int64 // of our own server, at least, over all restarts
	mix      traffic.Mix
	// The waits between the signal and the end of accepting: direct is for clients that
	// learn of a removed endpoint proofLag after the signal, proxied for a proxy that learns
	// of it probeLag after.
	direct, proxied, probeLag time.Duration
	// transfer and the wait are how long a transfer takes: each stop meets some that began
	// before it and end after the last connection was accepted.
	transfer time.Duration
}

// fullForm is what the README's figures come from, with the binary as it ships.
var fullForm = proofForm{
	restarts: 20, requests: 105_000,
	mix:    traffic.Mix{traffic.KeepAlive: 64, traffic.NewConnection: 8, traffic.Download: 4, traffic.Upload: 4},
	direct: time.Second, proxied: 3 * time.Second, probeLag: time.Second, transfer: time.Second,
}

// shortForm is for every day, with the race detector and on a machine that does other things
// meanwhile: a client that gets no processor for as long as the wait loses what it asks, and
// that would say nothing of the server. So the waits are longer.
var shortForm = proofForm{
	restarts: 3, requests: 600,
	mix:    traffic.Mix{traffic.KeepAlive: 8, traffic.NewConnection: 2, traffic.Download: 2, traffic.Upload: 2},
	direct: 3 * time.Second, proxied: 3 * time.Second, probeLag: 500 * time.Millisecond, transfer: 200 * time.Millisecond,
}

// proofLag is how long clients go on choosing a server that was told to stop.
const proofLag = 200 * time.Millisecond

// wantFullProof tells whether the full form was asked for, which takes 25 minutes.
func wantFullProof() bool { return os.Getenv("HOLDFAST_DRAIN") == "1" }

// A proofCase is one server in one place.
type proofCase struct {
	server string
	way    string // from the clients to it
	tls    bool   // on the last stretch of it
	wait   time.Duration
}

// The ways from clients to servers.
const (
	wayDirect   = "direct, removal lags 200 ms"
	wayProxy    = "behind HAProxy"
	wayHandOver = "hand-over on one port"
)

func (c proofCase) name() string {
	name := c.server + ", " + c.way + ", plain"
	if c.tls {
		name = c.server + ", " + c.way + ", TLS"
	}
	return name + ", wait " + c.wait.String()
}

// cases are all of a form, ours before those that they are compared with.
func (f *proofForm) cases() (all []proofCase) {
	for _, overTLS := range []bool{false, true} {
		all = append(all,
			proofCase{serverHoldfast, wayDirect, overTLS, f.direct},
			proofCase{serverHoldfast, wayProxy, overTLS, f.proxied},
			proofCase{serverHoldfast, wayHandOver, overTLS, f.direct})
	}
	if !wantFullProof() {
		return append(all, proofCase{serverNetHTTP, wayDirect, true, 0})
	}
	for _, overTLS := range []bool{false, true} {
		all = append(all,
			proofCase{serverNetHTTP, wayDirect, overTLS, 0}, proofCase{serverNetHTTP, wayDirect, overTLS, f.direct},
			proofCase{serverNetHTTP, wayProxy, overTLS, 0}, proofCase{serverNetHTTP, wayProxy, overTLS, f.proxied})
	}
	if _, err := exec.LookPath("nginx"); err == nil {
		all = append(all, proofCase{serverNginx, wayDirect, false, 0}, proofCase{serverNginx, wayDirect, false, f.direct})
	}
	return all
}

// Servers that are replaced under load lose no request, wherever they stand. Others that are
// replaced in the same way are there for comparison: of them only the accounts are checked.
func TestDrainProof(t *testing.T) {
	form, full := &shortForm, wantFullProof()
	if full {
		form = &fullForm
	}
	results := newProofResults(t)
	for _, c := range form.cases() {
		t.Run(c.name(), func(t *testing.T) {
			if !full {
				t.Parallel() // it is time that they take, not the processor
			}
			if c.way == wayProxy {
				program(t, "haproxy", "haproxy")
			}
			results.add(newProof(t, form, c).run())
		})
	}
}
