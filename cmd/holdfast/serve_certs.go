package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/tlsconf"
)

// pollInterval is how often the content of certificate files is compared. A kubelet takes
// about a minute to swap a mounted Secret; ten seconds more do not matter.
const pollInterval = 10 * time.Second

// certificates are the server's, what it asks for of its clients, and whoever keeps all of
// that fresh.
type certificates struct {
	sources  []certs.Source // as they are opened: where two have a name, the first one's is served
	selector *certs.Selector
	keepers  []func(ctx context.Context) error // to be run until the stop
	reload   func()                            // has renew called soon, and never blocks; nil when there is nothing to reload
	renew    func(ctx context.Context) error   // reloads and tells how that went; nil as above
	renewers []renewer                         // whoever can say when and why they are renewed
	caPath   string                            // of the local CA's certificate; "" without one
	files    reloaders                         // what a reload reads
	clients  *tlsconf.ClientCAs                // nil for asking none
	config   *tls.Config                       // of all TLS connections, once it is assembled
	public   publicCA                          // of the domains
}

// source adds certificates, and whoever keeps them fresh.
func (c *certificates) source(source certs.Source, keep func(context.Context) error) {
	c.sources = append(c.sources, source)
	c.keepers = append(c.keepers, keep)
}

// openCertificates opens all that TLS takes from files, and then, where nothing has been wrong
// so far, what a public CA issues and the local CA, where there is to be one: a start that fails
// leaves no new CA behind, and asks nobody.
func (h *house) openCertificates(s *settings, faults []fault) []fault {
	faults = append(faults, h.openFiles(s)...)
	if s.usesStore() && len(faults) == 0 {
		faults = h.openPublicCA(s)
	}
	if s.usesLocalCA() {
		state, f := openState(s)
		if faults = append(faults, f...); len(faults) == 0 {
			faults = h.openLocal(s, state)
		}
	}
	if len(faults) == 0 {
		h.assemble(s)
	}
	return faults
}

// usesLocalCA tells whether the local CA issues a certificate: where one was asked for by its
// names or to stand in for a public CA's, and where nothing else has any.
func (s *settings) usesLocalCA() bool {
	return len(s.LocalNames) > 0 || s.ACME.FallbackLocal && len(s.ACME.Domains) > 0 || len(s.Pairs) == 0 && len(s.ACME.Domains) == 0
}

// usesStore tells whether there is a store: for the domains' certificates, or because replicas
// share one, where session tickets come from then.
func (s *settings) usesStore() bool { return len(s.ACME.Domains) > 0 || s.Store.shared != nil }

// openFiles loads the pairs, the clients' CAs and the cluster's secret, and tries what else an
// issuer needs.
func (h *house) openFiles(s *settings) (faults []fault) {
	_, faults = s.issuance()
	if len(s.Pairs) > 0 {
		faults = append(faults, h.openPairs(s)...)
	}
	if len(s.ClientCAs) > 0 {
		faults = append(faults, h.openClientCAs(s)...)
	}
	if s.ClusterSecretFile != "" {
		faults = append(faults, h.openClusterSecret(s)...)
	}
	return faults
}

// assemble makes of the sources what connections are served with.
func (h *house) assemble(s *settings) {
	c := &h.certificates
	c.selector = certs.NewSelector(s.SNIUnknown, c.sources...)
	if c.clients != nil {
		c.config = tlsconf.ServerForClients(c.selector.GetCertificate, s.ClientAuth, c.clients)
	} else {
		c.config = tlsconf.Server(c.selector.GetCertificate)
	}
	c.public.validates(c.config)
	h.shareTickets(s)
}

// openPairs loads the pairs that were asked for.
func (h *house) openPairs(s *settings) (faults []fault) {
	pairs, errs := certs.LoadFiles(s.Pairs, time.Now, h.log)
	for _, err := range errs {
		faults = append(faults, fault{What: plain(err.Error())})
	}
	if len(faults) > 0 {
		return faults
	}
	for _, status := range pairs.Status() {
		for _, warning := range status.Warnings {
			h.log.Warn(warning)
		}
	}
	h.certificates.source(pairs, func(ctx context.Context) error { return pairs.Run(ctx, pollInterval) })
	h.certificates.files = append(h.certificates.files, pairs)
	h.certificates.renewers = append(h.certificates.renewers, pairRenewer{pairs})
	return nil
}

// openLocal makes a certificate of the local CA.
func (h *house) openLocal(s *settings, state *certs.State) []fault {
	machine, _ := os.Hostname()
	names := s.LocalNames
	if s.ACME.FallbackLocal {
		names = slices.Concat(names, s.ACME.Domains)
	}
	if len(s.Pairs)+len(s.ACME.Domains) > 0 {
		machine = "" // nobody asked for that name, and a pair's wildcard may have it
	}
	local, err := certs.NewLocal(certs.LocalConfig{
		State: state, Machine: machine, Names: names, Addrs: h.addresses(), Log: h.log, Now: time.Now,
	})
	if err != nil {
		return []fault{{What: "no local certificate: " + plain(err.Error())}}
	}
	h.certificates.source(local, local.Run)
	h.certificates.renewers = append(h.certificates.renewers, localRenewer{local})
	h.certificates.caPath = state.CAPath()
	return nil
}

// openState opens the state directory, which only a local CA needs: without it nobody
// could trust the certificate for longer than until the next start.
func openState(s *settings) (*certs.State, []fault) {
	const mend = "name a directory that this user can write to with --state, or give certificates with --cert and --key"
	if s.StateDir == "" {
		return nil, []fault{{What: "no directory to keep the local CA in", Where: "--state", Why: s.StateWhy, Mend: mend}}
	}
	state, err := certs.OpenState(s.StateDir)
	if err != nil {
		return nil, []fault{{What: "cannot keep the local CA in " + quote(s.StateDir), Where: "--state", Why: plain(err.Error()), Mend: mend}}
	}
	return state, nil
}

// addresses are those that the listeners are bound to.
func (h *house) addresses() (addrs []netip.Addr) {
	for _, l := range h.listeners {
		if a, ok := l.listener.Addr().(*net.TCPAddr); ok {
			addrs = append(addrs, a.AddrPort().Addr().Unmap())
		}
	}
	return addrs
}
