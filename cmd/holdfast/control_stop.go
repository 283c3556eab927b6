package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// stopStatus is what there is to say of a stop that was just asked for.
type stopStatus struct {
	Phase string `json:"phase"` // running when this was the first to ask
	// LimitSeconds is when what is left will be cut, from now on.
	LimitSeconds float64 `json:"limit_seconds"`
}

// endStatus is how a server ended that somebody waited for.
type endStatus struct {
	Exit        int     `json:"exit"`
	Cause       string  `json:"cause"`
	Cut         int     `json:"cut"` // connections
	TookSeconds float64 `json:"took_seconds"`
}

// askedToStop begins the drain as SIGTERM does. A second time it changes nothing: to force
// takes a signal.
func (r *running) askedToStop(_ context.Context, c control.Call) (any, error) {
	s := stopStatus{Phase: r.stop.Phase().String(), LimitSeconds: (r.settings.DrainDelay + r.settings.DrainTimeout).Seconds()}
	if left := drainLeft(r.stop); left != nil {
		s.LimitSeconds = *left
	}
	r.stop.Ask(fmt.Sprintf("asked by uid %d over the control socket", c.Peer.UID))
	return s, nil
}

// ended is what those are told who waited for it.
func ended(r lifecycle.Report, exit int) endStatus {
	s := endStatus{Exit: exit, Cause: r.Cause(), Cut: r.Cut}
	for _, p := range r.Phases {
		s.TookSeconds += p.Took.Seconds()
	}
	return s
}

// stopAnswerPatience is how long a server may take to say that it stops; to stop takes
// longer.
const stopAnswerPatience = 10 * time.Second

func (cmd *stopCmd) run(c *call) outcome {
	if !cmd.Wait {
		if _, ok := c.given["timeout"]; ok {
			c.faults = append(c.faults, fault{What: "--timeout without --wait", Why: "nothing is waited for", Mend: "add --wait", Usage: true})
		}
	}
	patience := stopAnswerPatience
	if cmd.Wait {
		var f *fault
		if patience, f = waitLimit(cmd.Timeout); f != nil {
			c.faults = append(c.faults, *f)
		}
	}
	return c.ask(control.Request{Verb: "stop", Wait: cmd.Wait}, patience, func(w io.Writer, a control.Answer) (int, error) {
		if cmd.Wait {
			return writeEnd(w, a)
		}
		return writeStop(w, a)
	})
}

// waitLimit reads --timeout.
func waitLimit(text string) (time.Duration, *fault) {
	const low, high = time.Second, 48 * time.Hour // more than the longest drain
	d, f := parseDuration(text)
	if f == nil && (d < low || d > high) {
		f = rangeFlaw(low, high)
	}
	if f != nil {
		return 0, &fault{What: "timeout " + quote(text) + " " + f.What, Where: "--timeout", Why: f.Why, Mend: f.Mend, Usage: true}
	}
	return d, nil
}

func writeStop(w io.Writer, a control.Answer) (int, error) {
	var s stopStatus
	if err := decodeResult(a, &s); err != nil {
		return exitCannotStart, err
	}
	if s.Phase == lifecycle.Running.String() {
		fmt.Fprintf(w, "pid %d stops, in %s at most\n", a.PID, span(s.LimitSeconds))
	} else {
		fmt.Fprintf(w, "pid %d stops already (%s), in %s at most\n", a.PID, plain(s.Phase), span(s.LimitSeconds))
	}
	return exitOK, nil
}

// writeEnd tells how the server ended, and returns its exit code for ours.
func writeEnd(w io.Writer, a control.Answer) (int, error) {
	var s endStatus
	if err := decodeResult(a, &s); err != nil {
		return exitCannotStart, err
	}
	fmt.Fprintf(w, "pid %d stopped in %s with exit code %d, %d connections cut: %s\n", a.PID, span(s.TookSeconds), s.Exit, s.Cut, plain(s.Cause))
	return s.Exit, nil
}
