package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// pollInterval is how often the content of certificate files is compared. A kubelet takes
// about a minute to swap a mounted Secret; ten seconds more do not matter.
const pollInterval = 10 * time.Second

// certificates are the server's, and whoever keeps them fresh.
type certificates struct {
	selector *certs.Selector
	keepers  []func(ctx context.Context) error // to be run until the stop
	reload   func()                            // has renew called soon, and never blocks; nil when there is nothing to reload
	renew    func(ctx context.Context) error   // reloads and tells how that went; nil as above
	renewers []renewer                         // whoever can say when and why they are renewed
	caPath   string                            // of the local CA's certificate; "" without one
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
	asked := make(chan struct{}, 1)
	h.certificates = certificates{
		selector: certs.NewSelector(s.SNIUnknown, pairs),
		keepers: []func(context.Context) error{
			func(ctx context.Context) error { return pairs.Run(ctx, pollInterval) },
			func(ctx context.Context) error { return h.reloadWhenAsked(ctx, pairs, asked) },
		},
		reload: func() {
			select {
			case asked <- struct{}{}:
			default: // one is waiting already, and will see what this one would
			}
		},
		renew:    func(ctx context.Context) error { return h.reloadPairs(ctx, pairs) },
		renewers: []renewer{pairRenewer{pairs}},
	}
	return nil
}

// openLocal makes a certificate of the local CA.
func (h *house) openLocal(s *settings, state *certs.State) []fault {
	machine, _ := os.Hostname()
	local, err := certs.NewLocal(certs.LocalConfig{
		State: state, Machine: machine, Names: s.LocalNames, Addrs: h.addresses(), Log: h.log, Now: time.Now,
	})
	if err != nil {
		return []fault{{What: "no local certificate: " + plain(err.Error())}}
	}
	h.certificates = certificates{
		selector: certs.NewSelector(s.SNIUnknown, local),
		keepers:  []func(context.Context) error{local.Run},
		renewers: []renewer{localRenewer{local}},
		caPath:   state.CAPath(),
	}
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
