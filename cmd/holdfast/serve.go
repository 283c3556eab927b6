package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/oklog/run"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// serve runs the server until it has drained, and returns the exit code: a run group
// coordinates the listeners, each speaking HTTP/1.1 over TLS or in clear, whoever keeps
// the certificates fresh, the admin listener, and the signal actor, which stops accepting on
// SIGINT or SIGTERM, waits for the requests in flight, and releases the admin listener last.
func serve(s *settings, std streams, signals <-chan os.Signal, log *slog.Logger) int {
	h, faults, stopped := openOrStop(s, std, log, signals)
	if h != nil {
		if faults = h.join(); len(faults) > 0 {
			h.abandon()
		}
	}
	switch {
	case stopped:
		return exitOK
	case len(faults) > 0:
		return report(std.err, faults)
	}
	defer h.close()

	connections := &conn.Server{Limits: s.connectionLimits(), Log: log}
	stop := &lifecycle.Stop{
		Target: connections, Signals: signals, Delay: s.DrainDelay, Timeout: s.DrainTimeout,
		Reload: h.reload, HungUp: hungUp(), Log: log,
		Outlive: func(ctx context.Context) { s.Inherited.outlive(ctx, log) },
	}
	r := &running{house: h, settings: s, connections: connections, stop: stop, since: time.Now()}
	asked := r.control()
	r.upgrades = h.succession(s, stop, asked.Release)
	stop.Upgrade = r.upgrades.ask
	var group run.Group
	for _, l := range h.listeners {
		h.accepting.Add(1)
		group.Add(lifecycle.Serving(l.name, func() error { return h.accept(connections, l) }))
	}
	if h.admin.bound != nil {
		h.administer(s, connections, stop)
		group.Add(lifecycle.Serving("admin", func() error { return h.admin.serve(s, h.metrics) }))
	}
	for _, keep := range h.certificates.keepers {
		group.Add(background("certificates", keep))
	}
	if p := &h.certificates.public; p.source != nil {
		group.Add(patient("renewal", renewalPatience, func(ctx context.Context) error { return p.renew(ctx, stop) }))
	}
	if sessions := h.members.sessions; sessions != nil {
		group.Add(patient("sessions", sessionsPatience, sessions.Run))
	}
	group.Add(background("upgrade", r.upgrades.run))
	group.Add(background("supervisor", r.accompany))
	group.Add(stop.Actor())
	group.Add(background("control", func(ctx context.Context) error { return r.takeControl(ctx, asked) }))

	h.publishPID()
	defer h.pidFile.remove()
	banner(std.err, log, s.Log, h.listening(s))
	_ = group.Run() // the report names the cause
	r.upgrades.finish(signals, stop.Report().Second != nil)
	exit := h.conclude(s, std, stop.Report(), connections)
	asked.Close(ended(stop.Report(), exit))
	return exit
}

// openOrStop opens the house, or reports that a signal came first: a lock that another
// process holds or a disk that hangs must not make a start deaf. What is being opened
// then is left behind, for the process is to end.
func openOrStop(s *settings, std streams, log *slog.Logger, signals <-chan os.Signal) (h *house, faults []fault, stopped bool) {
	type opening struct {
		house  *house
		faults []fault
	}
	opened := make(chan opening, 1)
	go func() {
		h, faults := open(s, std, log)
		if len(faults) == 0 {
			s.Inherited.takeOver()
		}
		opened <- opening{h, faults}
	}()
	hungUp := false
	for {
		select {
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				hungUp = true
			case syscall.SIGUSR2: // nothing is there yet to hand over
			default:
				return nil, nil, true
			}
		case o := <-opened:
			if hungUp && o.house != nil && o.house.certificates.reload != nil {
				o.house.certificates.reload()
			}
			return o.house, o.faults, false
		}
	}
}

// background is an actor that works until it is interrupted. Work on a disk that hangs
// cannot be called off; the actor then returns without it, for the process is to end.
func background(name string, work func(ctx context.Context) error) (execute func() error, interrupt func(error)) {
	return patient(name, workPatience, work)
}

// patient is background for work that may take this long to notice that it is interrupted.
func patient(name string, patience time.Duration, work func(ctx context.Context) error) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	execute = func() error {
		ended := make(chan error, 1)
		go func() { ended <- lifecycle.Guard(name, func() error { return work(ctx) })() }()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return fmt.Errorf("%s: still at work, and left behind", name)
		}
	}
	return execute, func(error) { cancel() }
}

// workPatience is how long an interrupted actor's work may take to notice.
const workPatience = 300 * time.Millisecond

func (s *settings) connectionLimits() conn.Limits {
	rate := int64(s.MinRate)
	if rate == 0 {
		rate = -1 // none was asked for; conn's zero is its default
	}
	return conn.Limits{
		Connections: s.MaxConnections, ConnectionsPerIP: s.MaxConnectionsPerIP,
		HandshakeTimeout: s.HandshakeTimeout, HeadTimeout: s.HeaderTimeout,
		IdleTimeout: s.IdleTimeout, StallTimeout: s.StallTimeout, MinBytesPerSecond: rate,
	}
}

// hungUp tells, once asked, whether the controlling terminal that the process began with
// is gone. A process that never had one is a daemon, to which SIGHUP means reload.
func hungUp() func() bool {
	if !hasTerminal() {
		return func() bool { return false }
	}
	return func() bool { return !hasTerminal() }
}

func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}
