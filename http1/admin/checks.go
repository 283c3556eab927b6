package admin

import "sync"

// A Verdict is what a check says. Its reason is shown to whoever may probe, so no secret is
// in it.
type Verdict struct {
	grade  grade
	reason string
}

type grade uint8

const (
	good grade = iota
	warned
	failed
)

func (g grade) String() string { return [...]string{"ok", "warning", "failed"}[g] }

// OK is the verdict that nothing is wrong.
func OK() Verdict { return Verdict{} }

// Warning says what somebody should look at; the probe's status stays.
func Warning(reason string) Verdict { return Verdict{warned, reason} }

// Failure says why the probe is answered with 503.
func Failure(reason string) Verdict { return Verdict{failed, reason} }

// Checks decide about a probe, which is 200 while none of them fails. The zero value has
// none. Any goroutine may use it.
type Checks struct {
	mu   sync.Mutex
	list []check
}

type check struct {
	name string
	look func() Verdict
}

// Add adds a check. look is called for each probe, by several goroutines at a time, and must
// answer at once: whoever probes gives up after a second or so.
func (c *Checks) Add(name string, look func() Verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, check{name, look})
}

// A finding is a check's name and what it said.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// A state is the answer to a probe.
type state struct {
	Status   string    `json:"status"` // ok or failed
	Reasons  []finding `json:"reasons,omitempty"`
	Warnings []finding `json:"warnings,omitempty"`
	Checks   []finding `json:"checks,omitempty"` // all, where that was asked for
}

// look asks all checks, each without the lock: one that hangs keeps no other probe waiting.
func (c *Checks) look(verbose bool) (s state) {
	c.mu.Lock()
	list := c.list[:len(c.list):len(c.list)]
	c.mu.Unlock()
	s.Status = good.String()
	for _, check := range list {
		v := check.look()
		switch v.grade {
		case warned:
			s.Warnings = append(s.Warnings, finding{Check: check.name, Reason: v.reason})
		case failed:
			s.Status = failed.String()
			s.Reasons = append(s.Reasons, finding{Check: check.name, Reason: v.reason})
		}
		if verbose {
			s.Checks = append(s.Checks, finding{check.name, v.grade.String(), v.reason})
		}
	}
	return s
}
