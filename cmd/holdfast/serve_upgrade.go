package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// succession makes the server's upgrades. A successor gets the names that there can be only one
// owner of as soon as it serves: the admin address, and what release gives up.
func (h *house) succession(s *settings, stop *lifecycle.Stop, release func()) *succession {
	return &succession{
		stop: stop, listeners: h.heirlooms(), program: ownProgram(), args: os.Args[1:],
		timeout: s.UpgradeTimeout, serveTimeout: serveTimeout, grace: s.graceNeeded(), pid: os.Getpid(), agreed: s.ACME.agreed(), log: h.log,
		leave: func(ctx context.Context) {
			release()
			h.admin.leave(ctx)
		},
		reclaim: func(ctx context.Context) {
			h.publishPID()
			_ = h.supervisor.ready(ctx, h.serving())
		},
	}
}

// accompany is the work of an actor: it tells everybody that the server serves, once it
// accepts, and from then on the supervisor how it is. A successor that cannot say that it is the
// main process now must not be left alone: it dies of it, and its predecessor serves on.
func (r *running) accompany(ctx context.Context) error {
	r.accepting.Wait()
	arriving, release := unlessStopping(ctx, r.stop)
	err := r.supervisor.ready(arriving, r.serving())
	release()
	if err != nil && r.settings.Inherited.succeeds() {
		r.settings.Inherited.despair(fmt.Errorf("the supervisor was not told who serves: %w", err))
		return err
	}
	if !r.settings.Inherited.serves(ctx, r.heirlooms()) {
		return nil // the end of this process is not the service's
	}
	return r.supervisor.accompany(ctx, r.stop, &conn.Pulse{Server: r.connections})
}

// heirlooms are the listeners that a successor gets.
func (h *house) heirlooms() []namedListener {
	if h.admin.bound == nil {
		return h.listeners
	}
	return append(slices.Clone(h.listeners), *h.admin.bound)
}

// pidPatience is what the disk gets for the pid file, which a start waits for.
const pidPatience = time.Second

// publishPID says which process serves from now on. A disk that hangs is left behind.
func (h *house) publishPID() {
	published := make(chan error, 1)
	go func() { published <- h.pidFile.publish() }()
	var err error
	select {
	case err = <-published:
	case <-time.After(pidPatience):
		err = fmt.Errorf("it is not written within %v", pidPatience)
	}
	if err != nil {
		h.log.Warn("the pid file is not ours", "error", err)
	}
}

// readSuccession reads what there is to say about who comes after the process, and who is
// over it.
func (s *settings) readSuccession(r *reader, env environment) {
	s.UpgradeTimeout = r.duration("upgrade-timeout", time.Second, time.Hour)
	text, from, ok := r.single("pid-file")
	if ok && from != "" && text == "" {
		r.refuse("pid-file", text, from, emptyFlaw())
	}
	s.PIDFile = text
	s.Supervisor = newSupervisor(env)
}
