package traffic

import (
	"fmt"
	"sync"
	"time"
)

// How many losses are kept with their particulars: some of each sort say more than many
// of one.
const (
	lossesLimit   = 20
	likeLossLimit = 3 // of one kind and end
)

// Counts are requests by their end.
type Counts [endCount]int64

// A Tally counts requests. Each that begins ends in exactly one column.
type Tally struct {
	Begun [kindCount]int64
	Ended [kindCount]Counts
	// Leaving are those of them that ended when their server had been told to stop.
	Leaving Counts
	// Retried are those that a client asked again, because a reused connection had ended
	// under the first try, and Recovered those of them that went well. Each try is
	// a request of its own above.
	Retried, Recovered int64
}

// Sum is how many requests began, and how they ended, over all kinds.
func (t *Tally) Sum() (begun int64, ended Counts) {
	for k := range t.Begun {
		begun += t.Begun[k]
		for e, n := range t.Ended[k] {
			ended[e] += n
		}
	}
	return begun, ended
}

// Lost is the number of requests that ended otherwise than well.
func (t *Tally) Lost() (lost int64) {
	_, ended := t.Sum()
	for _, n := range ended[OK+1:] {
		lost += n
	}
	return lost
}

// Balance returns nil when every request that began has ended. That is so only when the
// load is over.
func (t *Tally) Balance() error {
	for k, begun := range t.Begun {
		sum := int64(0)
		for _, n := range t.Ended[k] {
			sum += n
		}
		if sum != begun {
			return fmt.Errorf("%d requests of kind %v began, but %d ended", begun, Kind(k), sum)
		}
	}
	return nil
}

// A Loss is a request that did not end well.
type Loss struct {
	Kind Kind
	End  End
	Why  string
	// After is how long after the signal to its endpoint the request began. It is
	// negative for one that had begun before, and zero where there was no signal.
	After time.Duration
}

// Extremes are the longest times that were seen.
type Extremes struct {
	// Newcomer is how long after the signal a client still chose the leaving endpoint for
	// a new connection.
	Newcomer time.Duration
	// Request is how long a request took.
	Request time.Duration
}

// account books requests as they begin and end. Any goroutine may use it.
type account struct {
	mu       sync.Mutex
	tally    Tally
	losses   []Loss
	extremes Extremes
}

// outcome is how one request went.
type outcome struct {
	kind     Kind
	at       moment
	end      End
	endpoint *Endpoint // nil when there was none to ask
	begun    time.Time
	took     time.Duration
	why      string // of a loss
	again    bool   // the same was asked before, and lost
}

func (a *account) begin(k Kind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tally.Begun[k]++
}

func (a *account) end(o outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tally.Ended[o.kind][o.end]++
	var after time.Duration
	if o.endpoint != nil {
		after, _ = o.endpoint.sinceLeaving(o.begun)
		if _, leaving := o.endpoint.sinceLeaving(o.begun.Add(o.took)); leaving {
			a.tally.Leaving[o.end]++
		}
	}
	if o.again {
		a.tally.Retried++
	}
	if o.again && o.end == OK {
		a.tally.Recovered++
	}
	a.extremes.Request = max(a.extremes.Request, o.took)
	if !o.at.reused {
		a.extremes.Newcomer = max(a.extremes.Newcomer, after)
	}
	if o.end != OK {
		a.keep(Loss{Kind: o.kind, End: o.end, Why: o.why, After: after})
	}
}

// keep keeps a loss, within the limits.
func (a *account) keep(l Loss) {
	like := 0
	for _, have := range a.losses {
		if have.Kind == l.Kind && have.End == l.End {
			like++
		}
	}
	if len(a.losses) < lossesLimit && like < likeLossLimit {
		a.losses = append(a.losses, l)
	}
}
