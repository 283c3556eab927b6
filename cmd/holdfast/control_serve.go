package main

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	upgrades    *succession
	since       time.Time
}

// verbs are what a running server can be asked over the control socket; a new one is a line
// here. A verb may be called before the stop actor has begun, and while it drains.
func (r *running) verbs() control.Verbs {
	return control.Verbs{
		"status":  r.status,
		"stop":    r.askedToStop,
		"reload":  r.askedToReload,
		"upgrade": r.askedToUpgrade,

		"certs-list":    r.listCertificates,
		"certs-explain": r.explainCertificate,
		"certs-renew":   r.renewCertificate,
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

// How a server waits for a name that another has. A predecessor lets go of it as soon as it hears
// that its successor serves; who has not got it when that is overdue looks now and then whether
// the other is still there.
const (
	handOverPause    = 5 * time.Millisecond // at first
	handOverPauseMax = 100 * time.Millisecond
	handOverPatience = serveTimeout + 5*time.Second
	namePause        = time.Second
)

// takeControl is the work of an actor: it takes the name, and that is all. To answer is the
// control.Server's, from goroutines of its own and until it is closed: a drain that begins
// with an actor's death interrupts all actors, and whoever asks for the status wants it most
// then. Without the name the server serves all the same, and takes it when the other server that
// has it is gone.
func (r *running) takeControl(ctx context.Context, c *control.Server) error {
	if r.settings.Inherited.succeeds() {
		soon, cancel := context.WithTimeout(ctx, handOverPatience)
		_ = c.Inherit(soon, handOverPause, handOverPauseMax) // an error comes again
		cancel()
	}
	err := c.Take(ctx)
	if taken := new(control.TakenError); errors.As(err, &taken) {
		r.log.Warn("no control socket while another server has this state directory", "pid", taken.PID, "error", err)
		if err = c.Inherit(ctx, namePause, namePause); err == nil {
			r.log.Info("the control socket is this server's now")
		}
	}
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, net.ErrClosed): // or handed over
	case errors.Is(err, errNoPlace) && !r.settings.StateAsked:
		r.log.Debug("no control socket", "error", err)
	default:
		r.log.Warn("no control socket", "error", err)
	}
	<-ctx.Done()
	return nil
}
