package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
)

// ask puts a request to the server whose state directory the call's settings name, and has
// its answer written to stdout by show, which returns the exit code. A command that asks a
// running server is its declaration in flags.go and a call of this.
func (c *call) ask(q control.Request, patience time.Duration, show func(w io.Writer, a control.Answer) (exit int, err error)) outcome {
	values, _, faults := c.layers()
	r := &reader{values: values, faults: append(c.faults, faults...)}
	dir, why := r.stateDir(c.env)
	if why != "" {
		r.faults = append(r.faults, fault{What: why})
	}
	if len(r.faults) > 0 {
		return outcome{exit: report(c.std.err, r.faults)}
	}
	at, err := control.Find(dir, c.env.get)
	if err != nil {
		return outcome{exit: report(c.std.err, []fault{strangeFault(err)})}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := control.Ask(ctx, at, q)
	if faults := askFaults(a, err, at.Path, patience); len(faults) > 0 {
		return outcome{exit: report(c.std.err, faults)}
	}
	exit, err := show(c.std.out, a)
	if err != nil {
		return outcome{exit: report(c.std.err, []fault{{
			What: "the server's answer is not understood", Why: plain(err.Error()), Mend: otherVersion(a),
		}})}
	}
	return outcome{exit: exit}
}

// askFaults are why there is no answer, or what the answer says went wrong.
func askFaults(a control.Answer, err error, path string, patience time.Duration) (faults []fault) {
	if err != nil {
		return []fault{unansweredFault(err, path, patience)}
	}
	if a.Protocol != control.Protocol {
		return []fault{{
			What: fmt.Sprintf("the server speaks version %d of the control protocol, this command version %d", a.Protocol, control.Protocol),
			Mend: otherVersion(a),
		}}
	}
	for _, sentence := range a.Faults {
		faults = append(faults, fault{What: plain(sentence)})
	}
	if len(faults) > 0 && a.Version != buildVersion().Version {
		faults = append(faults, fault{What: otherVersion(a)})
	}
	return faults
}

func otherVersion(a control.Answer) string {
	return plain(fmt.Sprintf("pid %d is holdfast %s, and this is %s: use the binary that the server runs", a.PID, a.Version, buildVersion().Version))
}

// unansweredFault says why the server at path did not answer, and what to do.
func unansweredFault(err error, path string, patience time.Duration) fault {
	f := fault{What: "no answer from a server at " + quote(path), Why: plain(err.Error())}
	var system syscall.Errno
	if errors.As(err, &system) {
		f.Why = system.Error()
	}
	switch {
	case errors.Is(err, control.ErrNobody):
		f.What, f.Why = "no server listens at "+quote(path), ""
		f.Mend = "is it running? If its state directory is another, name that with --state (a systemd unit's is below /var/lib)"
	case errors.Is(err, control.ErrStranger):
		f.What, f.Mend = "the socket "+quote(path)+" is a stranger's, and was told nothing", "find out who put it there, and why the server has not"
	case errors.Is(err, fs.ErrPermission):
		f.What, f.Mend = "cannot speak to the server at "+quote(path), "run this as the server's user, or as root"
	case errors.Is(err, context.DeadlineExceeded):
		f.Why = "it took longer than " + patience.String()
		f.Mend = "what was asked for goes on: see holdfast status"
	case errors.Is(err, control.ErrGone):
		f.Mend = "its log says why, unless it was killed"
	}
	return f
}

// strangeFault is that every directory where the socket could be may have one of anybody's.
func strangeFault(err error) fault {
	return fault{
		What: "nowhere to look for the server", Why: plain(err.Error()),
		Mend: "remove what is in the way, or use a state directory whose path is short enough for a socket",
	}
}

// decodeResult reads what the verb returned.
func decodeResult(a control.Answer, into any) error { return json.Unmarshal(a.Result, into) }

// statusAnswerPatience is how long a server may take to look at itself.
const statusAnswerPatience = 10 * time.Second

func (cmd *statusCmd) run(c *call) outcome {
	return c.ask(control.Request{Verb: "status"}, statusAnswerPatience, func(w io.Writer, a control.Answer) (int, error) {
		var s serverStatus
		if err := decodeResult(a, &s); err != nil {
			return exitCannotStart, err
		}
		if cmd.JSON {
			_, _ = fmt.Fprintf(w, "%s\n", a.Result) // as it came: a newer server may tell more
			return exitOK, nil
		}
		s.write(w, time.Now())
		return exitOK, nil
	})
}
