package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/oklog/run"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// serve runs the server until it has drained, and returns the exit code: a run group
// coordinates the listeners, each speaking HTTP/1.1 over TLS or in clear, whoever keeps
// the certificates fresh, and the signal actor, which stops accepting on SIGINT or SIGTERM
// and waits for the requests in flight.
func serve(s *settings, std streams, signals <-chan os.Signal, log *slog.Logger) int {
	h, faults := open(s, std, log)
	if len(faults) > 0 {
		return report(std.err, faults)
	}
	defer h.close()

	connections := &conn.Server{Limits: s.connectionLimits(), Log: log}
	stop := &lifecycle.Stop{
		Target: connections, Signals: signals, Delay: s.DrainDelay, Timeout: s.DrainTimeout,
		Reload: h.certificates.reload, HungUp: hungUp(), Log: log,
	}
	var group run.Group
	for _, l := range h.listeners {
		group.Add(lifecycle.Serving(l.name, func() error { return connections.Serve(l.listener) }))
	}
	for _, keep := range h.certificates.keepers {
		group.Add(background("certificates", keep))
	}
	group.Add(stop.Actor())

	banner(std.err, log, s.Log, h.listening(s))
	_ = group.Run() // the report names the cause
	return h.conclude(stop.Report(), connections.Ledger())
}

// background is an actor that works until it is interrupted.
func background(name string, work func(ctx context.Context) error) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return lifecycle.Guard(name, func() error { return work(ctx) }), func(error) { cancel() }
}

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
