package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// reloadStatus is how a reload went that went well.
type reloadStatus struct {
	Nothing string `json:"nothing,omitempty"` // why there was nothing to reload
	Reads   string `json:"reads,omitempty"`   // what was reloaded
	certificateList
}

const (
	// reloadPatience bounds a reload that somebody waits for: a disk may hang.
	reloadPatience = 10 * time.Second
	// reloadAnswerPatience is a little longer, so that the server says what it was.
	reloadAnswerPatience = reloadPatience + 2*time.Second
)

// askedToReload does what SIGHUP does, and tells how it went: a supervisor too, as for SIGHUP.
func (r *running) askedToReload(ctx context.Context, _ control.Call) (any, error) {
	if r.stop.Phase() == lifecycle.Running { // a supervisor that heard of the end wants no other news
		r.supervisor.reloading()
		defer r.supervisor.reloaded()
	}
	r.lookAgain()
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.readAllAgain(ctx) }() // left behind where a disk hangs, as SIGHUP's
	select {
	case err := <-done:
		if err != nil {
			return nil, err
		}
		return r.reloaded(), nil
	case <-ctx.Done():
		return nil, errors.New("the files could not be read in time; the old " + cmp.Or(r.reads, "ones") + " stay for now")
	}
}

// readAllAgain reads the files and looks at the roots. One fault leaves the rest reloaded.
func (r *running) readAllAgain(ctx context.Context) error {
	var faults []error
	for _, path := range r.rootsGone() {
		faults = append(faults, fmt.Errorf("there is no directory %s that can be served: its requests are 503 until there is", quote(path)))
	}
	renew := r.certificates.renew
	if renew == nil {
		return errors.Join(faults...)
	}
	if err := renew(ctx); err != nil {
		faults = append(faults, err, errors.New("what could not be read is served as it was before"))
	} else if len(faults) > 0 {
		faults = append(faults, errors.New("the "+r.reads+" are reloaded all the same"))
	}
	return errors.Join(faults...)
}

// reloaded is what there is to tell when nothing went wrong.
func (r *running) reloaded() reloadStatus {
	switch {
	case r.certificates.selector == nil && r.certificates.renew == nil:
		return reloadStatus{Nothing: "it has no certificates"}
	case r.certificates.renew == nil:
		return reloadStatus{Nothing: r.certificates.noReload(), certificateList: r.served()}
	}
	return reloadStatus{Reads: r.reads, certificateList: r.served()}
}

func (*reloadCmd) run(c *call) outcome {
	return c.ask(control.Request{Verb: "reload"}, reloadAnswerPatience, func(w io.Writer, a control.Answer) (int, error) {
		var s reloadStatus
		if err := decodeResult(a, &s); err != nil {
			return exitCannotStart, err
		}
		s.write(w, a.PID, time.Now())
		return exitOK, nil
	})
}

func (s *reloadStatus) write(w io.Writer, pid int, now time.Time) {
	if s.Nothing != "" {
		fmt.Fprintf(w, "pid %d has nothing to reload: %s\n", pid, plain(s.Nothing))
	} else {
		fmt.Fprintf(w, "pid %d reloaded its %s\n", pid, cmp.Or(plain(s.Reads), "certificates"))
	}
	s.rows(func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s  %s\n", name, plain(fmt.Sprintf(format, args...)))
	}, now)
}
