package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
)

// upgradeStatus is how an upgrade went that went well.
type upgradeStatus struct {
	Successor int `json:"successor"` // process id
}

// upgradeAnswerPatience is beyond the longest --upgrade-timeout: the server gives up first.
const upgradeAnswerPatience = time.Hour + time.Minute

// askedToUpgrade does what SIGUSR2 does, and tells how it went.
func (r *running) askedToUpgrade(ctx context.Context, _ control.Call) (any, error) {
	pid, err := r.upgrades.upgrade(ctx)
	if err != nil {
		return nil, fmt.Errorf("no upgrade, and pid %d serves as before: %w", r.upgrades.pid, err)
	}
	return upgradeStatus{Successor: pid}, nil
}

func (*upgradeCmd) run(c *call) outcome {
	return c.ask(control.Request{Verb: "upgrade"}, upgradeAnswerPatience, func(w io.Writer, a control.Answer) (int, error) {
		var s upgradeStatus
		if err := decodeResult(a, &s); err != nil {
			return exitCannotStart, err
		}
		fmt.Fprintf(w, "pid %d serves now, pid %d drains\n", s.Successor, a.PID)
		return exitOK, nil
	})
}
