package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/admin"
	"github.com/holdfast-server/holdfast/http1/observe"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// The admin listener's own limits. Its connections come out of the descriptors that are set
// aside, and whoever asks here asks briefly. Who connects and says nothing must not keep a
// kubelet's probe out, for that would have a healthy server killed: the longest silent one gives
// way, and no address has more than a quarter of all.
const (
	adminConnections    = 32
	adminPerIP          = 8
	adminHeadTimeout    = 2 * time.Second
	adminIdleTimeout    = 30 * time.Second
	adminStallTimeout   = 10 * time.Second
	adminHeadLimitBytes = 8 << 10
	adminBodyLimitBytes = 64 << 10              // of addresses to be named, for go tool pprof
	adminAfterCut       = 50 * time.Millisecond // what connections get to end once they are cut
	adminLeave          = 2 * time.Second       // what answers get that are under way at a hand-over
)

// The routes that requests are counted under.
const (
	filesRoute    = "files"
	redirectRoute = "redirect"
	adminRoute    = "admin"
)

// administration is what answers those who run the server. It has connections of its own,
// which no drain touches: probes are answered until the process is about to end.
type administration struct {
	bound       *namedListener // nil until it is, and without one
	connections conn.Server
	live, ready admin.Checks
	started     admin.Checks
	serving     atomic.Bool // a public listener is

	leaving sync.Mutex
	gone    <-chan struct{} // closed when no connection is left; nil before the end of accepting
}

// accept serves a public listener.
func (h *house) accept(connections *conn.Server, l namedListener) error {
	if l.name == "https" {
		h.certificates.public.awaitKnown()
	}
	h.admin.serving.Store(true)
	h.accepting.Done()
	return connections.Serve(l.listener)
}

// observer hears of each request that a route answers; nil for nobody.
func (h *house) observer(route string, access func(*http1.Record)) func(*http1.Record) {
	if h.metrics == nil {
		return access
	}
	return observe.All(access, h.metrics.Observer(route))
}

// administer prepares the admin listener, for which there is one. connections and stop are
// the public's.
func (h *house) administer(s *settings, connections *conn.Server, stop *lifecycle.Stop) {
	a := &h.admin
	a.watch(connections, stop)
	a.ready.Add("files", h.rootsVerdict)
	if p := &h.certificates.public; p.source != nil {
		a.ready.Add("certificates", func() admin.Verdict { return p.certificatesVerdict(s.ACME.NeedsCertificate) })
	}
	if h.members.sessions != nil {
		a.ready.Add("members", h.members.verdict)
	}
	h.metrics.Add(h.figures(connections, stop)...)
	a.connections.Log = h.log
	a.connections.Limits = conn.Limits{
		Connections: adminConnections, ConnectionsPerIP: adminPerIP, GiveWay: true,
		IdleTimeout: adminIdleTimeout, StallTimeout: adminStallTimeout, HeadTimeout: adminHeadTimeout,
	}
	stop.Release = a.release
}

// watch makes the checks behind the probes.
func (a *administration) watch(connections *conn.Server, stop *lifecycle.Stop) {
	listeners := func() admin.Verdict {
		if !a.serving.Load() {
			return admin.Failure("no listener is up yet")
		}
		return admin.OK()
	}
	a.live.Add("connections", func() admin.Verdict {
		connections.Ledger() // whoever cannot get at the books can serve nobody, and the probe waits in vain
		return admin.OK()
	})
	a.started.Add("listeners", listeners)
	a.ready.Add("listeners", listeners)
	a.ready.Add("phase", func() admin.Verdict {
		switch phase := stop.Phase(); phase {
		case lifecycle.Running:
			return admin.OK()
		case lifecycle.Starting:
			return admin.Failure("starting")
		default:
			return admin.Failure("stopping: " + phase.String())
		}
	})
}

// serve answers until the end.
func (a *administration) serve(s *settings, metrics *observe.Metrics) error {
	limits := http1.DefaultLimits()
	limits.BodyBytes, limits.HeadBytes, limits.LineBytes = adminBodyLimitBytes, adminHeadLimitBytes, adminHeadLimitBytes/2
	a.bound.listener.Handler = &http1.Server{
		Handler: admin.New(admin.Options{
			Live: &a.live, Ready: &a.ready, Started: &a.started, Metrics: metrics.Handler(), Pprof: s.AdminPprof,
		}),
		Limits: limits, Log: a.connections.Log, Observe: metrics.Observer(adminRoute),
		CancelOnFIN: true, // nobody waits for half a profile
	}
	return a.connections.Serve(a.bound.listener)
}

// leave stops accepting, for a successor answers from now on, and sends away who is connected: on a
// connection that is kept alive, a probe would hear next of our stop. It is cut short when ctx is
// done; what then is still under way is release's.
func (a *administration) leave(ctx context.Context) {
	if a.bound == nil {
		return
	}
	gone := a.drain(ctx)
	select {
	case <-gone:
	case <-ctx.Done():
	case <-time.After(adminLeave):
	}
}

// drain ends the accepting and what is idle, once. The channel is closed when all are gone.
func (a *administration) drain(ctx context.Context) (gone <-chan struct{}) {
	a.leaving.Lock() // a stop may come upon a hand-over
	defer a.leaving.Unlock()
	if a.gone == nil {
		a.connections.Announce()
		a.connections.CloseListeners(ctx)
		a.gone = a.connections.Drain()
	}
	return a.gone
}

// release ends it: what is under way may finish while ctx goes on.
func (a *administration) release(ctx context.Context) {
	gone := a.drain(ctx)
	select {
	case <-gone:
		return
	case <-ctx.Done():
	}
	a.connections.Cut()
	select {
	case <-gone:
	case <-time.After(adminAfterCut): // a profile that is being written ends with the process
	}
}

// address is where it listens, nil for nowhere.
func (a *administration) address() net.Addr {
	if a.bound == nil {
		return nil
	}
	return a.bound.listener.Addr()
}
