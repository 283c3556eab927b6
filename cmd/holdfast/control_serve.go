package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// running is a server at work, as those who ask about it see it.
type running struct {
	*house
	settings    *settings
	connections *conn.Server
	stop        *lifecycle.Stop
	since       time.Time
}

// verbs are what a running server can be asked over the control socket; a new one is a line
// here. A verb may be called before the stop actor has begun, and while it drains.
func (r *running) verbs() control.Verbs {
	return control.Verbs{
		"status": r.status,
		"stop":   r.askedToStop,
		"reload": r.askedToReload,
	}
}

// errNoPlace is that there is no directory for a control socket. It is no fault: a pod keeps
// no state, and a kubelet needs no socket.
var errNoPlace = errors.New("no place for a control socket")

// control makes the server of the control socket, which has yet to take its name.
func (r *running) control() *control.Server {
	place := func() (string, error) {
		path, err := controlPath(r.settings)
		if err != nil {
			err = fmt.Errorf("%w: %w", errNoPlace, err)
		}
		return path, err
	}
	return &control.Server{Place: place, Verbs: r.verbs(), Version: r.settings.Version, Log: r.log}
}

// controlPath is the socket's path. Where need be it makes the state directory.
func controlPath(s *settings) (string, error) {
	switch {
	case s.Rehearsal:
		return "", errors.New("a rehearsal's servers share one directory")
	case s.StateDir == "":
		return "", errors.New(s.StateWhy)
	}
	state, err := certs.OpenState(s.StateDir)
	if err != nil {
		return "", err
	}
	return control.Path(state.Dir(), os.Getenv)
}

// takeControl is the work of an actor: it takes the name, and that is all. To answer is the
// control.Server's, from goroutines of its own and until it is closed: a drain that begins
// with an actor's death interrupts all actors, and whoever asks for the status wants it most
// then. Without the name the server serves all the same.
func (r *running) takeControl(ctx context.Context, c *control.Server) error {
	err := c.Take(ctx)
	var taken *control.TakenError
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.As(err, &taken):
		r.log.Warn("no control socket: another server has this state directory", "pid", taken.PID, "error", err)
	case errors.Is(err, errNoPlace) && !r.settings.StateAsked:
		r.log.Debug("no control socket", "error", err)
	default:
		r.log.Warn("no control socket", "error", err)
	}
	<-ctx.Done()
	return nil
}

// askedToStop begins the drain as SIGTERM does. A second time it changes nothing.
func (r *running) askedToStop(_ context.Context, c control.Call) (any, error) {
	r.stop.Ask(fmt.Sprintf("asked by uid %d over the control socket", c.Peer.UID))
	return nil, nil
}

// reloadPatience bounds a reload that somebody waits for: a disk may hang.
const reloadPatience = 10 * time.Second

// askedToReload does what SIGHUP does, and tells how it went.
func (r *running) askedToReload(ctx context.Context, _ control.Call) (any, error) {
	reload := r.certificates.renew
	if reload == nil {
		return reloadStatus{Nothing: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	if err := reload(ctx); err != nil {
		return nil, err
	}
	return reloadStatus{}, nil
}

// reloadStatus is how a reload went that went well.
type reloadStatus struct {
	Nothing bool `json:"nothing,omitempty"` // there is nothing to reload
}

func (r *running) status(context.Context, control.Call) (any, error) {
	return serverStatus{PID: os.Getpid(), Version: r.settings.Version, Phase: r.stop.Phase().String()}, nil
}

// serverStatus is what holdfast status tells.
type serverStatus struct {
	PID     int    `json:"pid"`
	Version string `json:"version"`
	Phase   string `json:"phase"`
}

// endStatus is how a server ended that somebody waited for.
type endStatus struct {
	Exit  int    `json:"exit"`
	Cause string `json:"cause"`
}

func (r *running) end(exit int) endStatus {
	return endStatus{Exit: exit, Cause: r.stop.Report().Cause()}
}
