package traffic

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Mix is how many clients of each kind there are.
type Mix [kindCount]int

// DefaultMix has requests in every state at any time, and leaves a small machine the time
// to serve them.
func DefaultMix() Mix {
	return Mix{KeepAlive: 16, NewConnection: 4, Download: 2, Upload: 2, Stream: 2, Idle: 8}
}

// Clients is how many there are in all.
func (m Mix) Clients() (n int) {
	for _, of := range m {
		n += of
	}
	return n
}

// A Load is clients that ask what http1/rehearsal answers. Its fields are set before Run.
type Load struct {
	Balancer *Balancer
	Mix      Mix
	// Transfer is how long a slow transfer takes.
	Transfer time.Duration
	// Patience is how long a request may take, a slow transfer's own time aside.
	Patience time.Duration
	// ContentLimitBytes is the most that the server takes; negative for no limit.
	ContentLimitBytes int64

	number  atomic.Uint64
	account account
}

// Run lets the clients begin requests until begin is done, and returns when the last has
// ended. What is still under way when finish is done is dropped, and Unfinished.
func (l *Load) Run(begin, finish context.Context) {
	var clients sync.WaitGroup
	for k, n := range l.Mix {
		for range n {
			c := &client{load: l, kind: Kind(k)}
			clients.Go(func() { c.run(begin, finish) })
		}
	}
	clients.Wait()
}

// Tally is the account so far. It balances once Run has returned.
func (l *Load) Tally() Tally {
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	return l.account.tally
}

// Losses are the first requests of each sort that were lost, 20 in all at most.
func (l *Load) Losses() []Loss {
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	return slices.Clone(l.account.losses)
}

// Extremes are the longest times so far.
func (l *Load) Extremes() Extremes {
	l.account.mu.Lock()
	defer l.account.mu.Unlock()
	return l.account.extremes
}
