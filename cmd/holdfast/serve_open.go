package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/demo"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/observe"
	"github.com/holdfast-server/holdfast/http1/redirect"
	"github.com/holdfast-server/holdfast/http1/rehearsal"
	"github.com/holdfast-server/holdfast/http1/secure"
)

// house is what a running server holds: opened before it runs, closed after the drain.
type house struct {
	roots        []*os.Root // of the sites in their order, or one, until they are followed
	directories  []*files.Directory
	scratch      string   // a directory of ours that close removes; "" for none
	scratchLock  *os.File // held while that is in use; nil for none
	listeners    []namedListener
	accepting    sync.WaitGroup // counts the loops of listeners that have yet to begin
	certificates certificates
	members      members
	reads        string // what a reload reads
	protocols    []*http1.Server
	accessLog    *observe.Writer // nil for none
	pidFile      *pidFile        // nil for none
	supervisor   supervisor
	admin        administration
	metrics      *observe.Metrics // nil where nobody could read them
	log          *slog.Logger
	std          streams // of whoever may be asked at the start
}

type namedListener struct {
	name     string // the flag that asked for it
	address  string // as it is configured; "" when systemd passed the socket
	listener *conn.Listener
}

// open opens all that serving takes, or returns every fault that stands in the way, with
// nothing left open.
func open(s *settings, std streams, log *slog.Logger) (*house, []fault) {
	h := &house{log: log, std: std, supervisor: s.Supervisor}
	h.supervisor.log = log
	faults := h.openRoots(s)
	faults = append(faults, h.listen(s)...)
	var f *fault
	if h.pidFile, f = preparePIDFile(s.PIDFile); f != nil {
		faults = append(faults, *f)
	}
	if s.HTTPS != "" {
		faults = h.openCertificates(s, faults)
	}
	if len(faults) == 0 { // a start that fails makes no store
		faults = h.openMembers(s)
	}
	if len(faults) > 0 {
		h.abandon()
		return nil, faults
	}
	h.readAgain()
	h.furnish(s, std)
	return h, nil
}

// alsoWrong are the faults that a start would meet next, once its settings are mended: those
// of the listeners and the certificate files that the settings name well. So one round
// of mending is enough.
func alsoWrong(s *settings) (faults []fault) {
	h := &house{log: slog.New(slog.DiscardHandler)}
	// One after the other: that two are on one port is a fault of the settings.
	for _, one := range []settings{{HTTPS: s.HTTPS}, {HTTP: s.HTTP}, {Admin: s.Admin}} {
		one.Inherited, one.ReusePort = s.Inherited, s.ReusePort
		faults = append(faults, h.listen(&one)...)
		h.abandon()
	}
	if s.HTTPS != "" {
		faults = append(faults, h.openFiles(s)...)
	}
	return faults
}

// listen binds the addresses. Nobody is accepted before the listeners are served.
func (h *house) listen(s *settings) (faults []fault) {
	for _, want := range s.listeners() {
		if want.addr == "" {
			continue
		}
		l, err := s.bind(want.name, want.addr)
		if err != nil {
			faults = append(faults, listenFault(want.name, want.addr, err))
			continue
		}
		bound := namedListener{want.name, want.addr, &conn.Listener{Listener: l}}
		if s.Inherited.isGiven(want.name) {
			bound.address = ""
		}
		if want.name == "admin" {
			h.admin.bound = &bound
			continue
		}
		h.listeners = append(h.listeners, bound)
	}
	return faults
}

// bind listens on the address, or takes the socket for it that was passed to the process. A
// port that is shared is only bound: see join.
func (s *settings) bind(name, addr string) (net.Listener, error) {
	if l := s.Inherited.socket(name, addr); l != nil {
		return l, nil
	}
	if s.shares(name) {
		return conn.BindShared(context.Background(), addr)
	}
	return conn.Listen(context.Background(), addr)
}

// join listens on the ports that are shared, once nothing is left that a start could fail of:
// the kernel gives each member of the group its share of the clients at once.
func (h *house) join() (faults []fault) {
	for _, l := range h.listeners {
		if err := conn.Join(l.listener.Listener); err != nil {
			faults = append(faults, listenFault(l.name, l.address, err))
		}
	}
	return faults
}

// furnish puts the handlers behind the listeners.
func (h *house) furnish(s *settings, std streams) {
	var access func(*http1.Record)
	if s.AccessLog {
		h.accessLog = observe.NewWriter(std.out, h.log)
		access = observe.AccessLog(newAccessLog(h.accessLog, s.AccessLogForm))
	}
	if h.admin.bound != nil {
		h.metrics = observe.NewMetrics(h.log)
	}
	directory, guard := s.handler(h.members.before(h.follow(s)))
	if s.Demo {
		directory = demo.Mount(directory)
	}
	if s.Rehearsal {
		directory = rehearsal.Mount(directory)
	}
	site := h.protocol(s, directory, h.observer(filesRoute, access))
	for _, l := range h.listeners {
		s.receive(l.listener)
		switch {
		case l.name == "https":
			l.listener.TLS = h.certificates.config // one for all: a clone would lose the session ticket keys
			l.listener.NotTLS = site.PlainOnTLS
			l.listener.Handler = validated{site}
		case s.HTTPS == "":
			l.listener.Handler = site
		default:
			to := redirect.ToHTTPS{Port: s.PublicHTTPSPort, ListenerPort: portOr443(h.address("https")), Site: directory}
			l.listener.Handler = h.protocol(s, h.challenged(guard(to)), h.observer(redirectRoute, access))
		}
	}
}

// portOr443 is an address's port, or the usual one where a unix socket has none: then a
// proxy listens for TLS, elsewhere.
func portOr443(addr net.Addr) int {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 443
}

// protocol makes a server of HTTP/1.1 for one handler; the house keeps its books.
func (h *house) protocol(s *settings, handler http1.Handler, observer func(*http1.Record)) *http1.Server {
	limits := http1.DefaultLimits()
	limits.HeadBytes, limits.Fields, limits.BodyBytes = s.MaxHeadBytes, s.MaxFields, s.MaxBodyBytes
	if s.MaxBodyBytes == 0 {
		limits.BodyBytes = -1 // no content at all; http1's zero is its default
	}
	limits.LineBytes = max(limits.LineBytes, s.MaxHeadBytes/2)
	// The proxy's word comes first: what browsers are told depends on the client's scheme.
	handler = h.behindProxies(s, secure.Headers(handler, s.responseFields()))
	p := &http1.Server{Handler: handler, Limits: limits, Log: h.log, Observe: observer}
	h.protocols = append(h.protocols, p)
	return p
}

// responseFields are what every response has beside what its handler sets.
func (s *settings) responseFields() secure.Options {
	return responseFields(s.SecurityHeaders, s.HSTS)
}

func responseFields(careful bool, hsts *secure.HSTS) secure.Options {
	o := secure.Options{HSTS: hsts}
	if !careful {
		o.ContentTypeOptions, o.ReferrerPolicy, o.FrameOptions, o.OpenerPolicy = secure.Off, secure.Off, secure.Off, secure.Off
	}
	return o
}

// address is that of the named listener, nil without it.
func (h *house) address(name string) net.Addr {
	for _, l := range h.listeners {
		if l.name == name {
			return l.listener.Addr()
		}
	}
	return nil
}

// abandon closes what was opened by a start that failed.
func (h *house) abandon() {
	for _, l := range h.listeners {
		_ = l.listener.Close()
	}
	if h.admin.bound != nil {
		_ = h.admin.bound.listener.Close()
	}
	h.close()
}

// close closes what the drain does not: it comes last.
func (h *house) close() {
	for _, root := range h.roots {
		_ = root.Close()
	}
	for _, directory := range h.directories {
		directory.Close()
	}
	if h.scratch != "" {
		_ = os.RemoveAll(h.scratch) // what is left is the next demo's to remove: nothing of it is anybody's
	}
	if h.scratchLock != nil {
		_ = h.scratchLock.Close()
	}
	h.certificates.public.close()
	h.members.close(h.log)
}

// closeAccessLog writes out what waits, and gives up on a stuck reader.
func (h *house) closeAccessLog() {
	if h.accessLog == nil {
		return
	}
	if err := closeLog(h.accessLog); err != nil {
		h.log.Warn("access log not written to its end", "error", err, "lines_lost", h.accessLog.Losses().Lines)
	}
}

// listening is what the banner tells.
func (h *house) listening(s *settings) listening {
	l := listening{Root: s.serves(), HTTPS: h.address("https"), HTTP: h.address("http"), Admin: h.admin.address(), Version: s.Version, Now: time.Now()}
	if h.certificates.selector != nil {
		if served := h.certificates.selector.Certificates(); len(served) > 0 {
			l.CertSource, l.CertExpiry = served[0].Source, served[0].NotAfter
		}
		l.Domains = s.ACME.Domains
		if len(s.Pairs) == 0 { // else who follows the banner's line is shown a pair
			l.CAPath = h.certificates.caPath
		}
	}
	return l
}
