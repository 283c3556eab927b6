package main

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

// A renewer keeps certificates of one kind fresh, as those see it who ask over the control
// socket. Its methods may be called from several goroutines and end soon after their context.
type renewer interface {
	// Status says how each host or certificate of its stands. It waits for nothing.
	Status() []renewalStatus
	// Explain says in sentences, the oldest event first, why the certificate for host is
	// renewed or not. errNotMine for a host that is another's.
	Explain(ctx context.Context, host string) ([]string, error)
	// Renew begins to renew the certificate for host now, and says in a sentence what comes of
	// it. errNotMine for a host that is another's; any other error is why it does not.
	// With force it does so whatever a budget of ours says.
	Renew(ctx context.Context, host string, force bool) (string, error)
}

// errNotMine is that a renewer has no certificate for the host.
var errNotMine = errors.New("the host is another's")

// renewalStatus is how the renewal of one certificate stands.
type renewalStatus struct {
	// Hosts are those to list where nothing is served yet.
	Hosts []string
	// Served is the certificate that is served now, nil without one.
	Served *certs.Certificate
	// Source is what is listed where nothing is served.
	Source string
	// Next is when it will be renewed; zero where nobody here knows, which Why then tells.
	Next time.Time
	Why  string
	// LastError is why the last try failed, "" when it did not.
	LastError   string
	LastErrorAt time.Time // zero where it is not known
}

// covers tells whether the status is about a host name or address that somebody typed.
func (s *renewalStatus) covers(host string) bool {
	names := s.Hosts
	if s.Served != nil {
		names = s.Served.Names
	}
	return coversHost(names, host)
}

// pairRenewer is for certificates from files: others renew them.
type pairRenewer struct{ files *certs.Files }

const pairsWhy = "whoever writes its files renews it; a change is seen within 10s"

func (p pairRenewer) Status() []renewalStatus {
	served, pairs := p.files.Certificates(), p.files.Status()
	list := make([]renewalStatus, 0, len(served))
	for i := range served {
		s := renewalStatus{Served: served[i], Why: pairsWhy}
		if i < len(pairs) && pairs[i].Fault != nil {
			s.LastError = pairs[i].Fault.Error()
		}
		list = append(list, s)
	}
	return list
}

func (p pairRenewer) Explain(_ context.Context, host string) ([]string, error) {
	for i, s := range p.Status() {
		if !s.covers(host) {
			continue
		}
		pair := p.files.Status()[i]
		said := []string{
			"It comes from " + pair.CertFile + " and " + pair.KeyFile + ", read at " + pair.LoadedAt.UTC().Format(time.RFC3339) + ".",
			"Holdfast does not renew it: whoever writes the files does. They are compared every 10s, and on SIGHUP and holdfast reload.",
		}
		for _, w := range pair.Warnings {
			said = append(said, "Warning: "+w)
		}
		if pair.Fault != nil {
			said = append(said, "The files as they are now are not served: "+pair.Fault.Error())
		}
		return said, nil
	}
	return nil, errNotMine
}

func (p pairRenewer) Renew(_ context.Context, host string, _ bool) (string, error) {
	for _, s := range p.Status() {
		if s.covers(host) {
			return "", errors.New("its files are renewed by whoever writes them; holdfast reload has them read at once")
		}
	}
	return "", errNotMine
}

// localRenewer is for the certificate of the local CA, which is issued again by itself.
type localRenewer struct{ local *certs.Local }

// localShare is what of a local certificate's life passes before it is issued again.
const localShare = 2.0 / 3

func (l localRenewer) Status() []renewalStatus {
	var list []renewalStatus
	for _, c := range l.local.Certificates() {
		life := c.NotAfter.Sub(c.NotBefore)
		list = append(list, renewalStatus{
			Served: c, Next: c.NotBefore.Add(time.Duration(float64(life) * localShare)),
			Why: "two thirds of its life have passed then",
		})
	}
	return list
}

func (l localRenewer) Explain(_ context.Context, host string) ([]string, error) {
	for _, s := range l.Status() {
		if s.covers(host) {
			return []string{
				"The local CA of this server issued it, and nobody else has to be asked.",
				"It is issued again when two thirds of its life have passed, at " + s.Next.UTC().Format(time.RFC3339) + ", and at each start.",
				"A client trusts it that trusts the CA: see holdfast certs trust.",
			}, nil
		}
	}
	return nil, errNotMine
}

func (l localRenewer) Renew(_ context.Context, host string, _ bool) (string, error) {
	for _, s := range l.Status() {
		if s.covers(host) {
			return "", errors.New("the local CA issues it again by itself, and at each start: there is nothing to order")
		}
	}
	return "", errNotMine
}
