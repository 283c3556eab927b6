package main

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-server/holdfast/tlsconf"
)

// reloaders are what a reload reads.
type reloaders []interface {
	Reload(ctx context.Context) error
}

// Reload reads all of them, and returns every fault.
func (all reloaders) Reload(ctx context.Context) error {
	var faults []error
	for _, r := range all {
		faults = append(faults, r.Reload(ctx))
	}
	return errors.Join(faults...)
}

// openClientCAs loads the CAs of the clients' certificates.
func (h *house) openClientCAs(s *settings) (faults []fault) {
	clients, errs := tlsconf.LoadClientCAs(s.ClientCAs, time.Now, h.log)
	for _, err := range errs {
		faults = append(faults, fault{What: plain(err.Error())})
	}
	if len(faults) > 0 {
		return faults
	}
	for _, warning := range clients.Warnings() {
		h.log.Warn(warning)
	}
	c := &h.certificates
	c.clients = clients
	c.files = append(c.files, clients)
	c.keepers = append(c.keepers, func(ctx context.Context) error { return clients.Run(ctx, pollInterval) })
	return nil
}

// openClusterSecret reads the secret that was named, to say now what is wrong with it.
func (h *house) openClusterSecret(s *settings) []fault {
	_, warnings, err := tlsconf.ReadSecret(s.ClusterSecretFile)
	if err != nil {
		return []fault{{What: plain(err.Error())}}
	}
	for _, warning := range warnings {
		h.log.Warn(warning)
	}
	return nil
}

// shareTickets has sessions resume on every replica with the same secret. Where none is to be
// had, each process has keys of its own.
//
// A ticket says who the client is: who has the secret writes one for a client whose key they
// lack, and resumes as that client. Where certificates of clients decide who comes in, a store
// that may be read by others (Redis, with nothing between it and the network) does not become
// as good as every client's key by itself: only a file that was named for it does.
func (h *house) shareTickets(s *settings) {
	if s.ClusterSecretFile == "" {
		switch {
		case s.Store.shared == nil:
		case len(s.ClientCAs) > 0:
			h.log.Info("sessions resume on this replica alone: with --client-ca the store's secret is not used, only a --cluster-secret-file")
		default:
			h.ticketKeys(storedSecret(h.certificates.public.store))
		}
		return
	}
	keys := h.ticketKeys(secretFile(s.ClusterSecretFile))
	// So that they are there from the first handshake. The file was good a moment ago, and if it
	// has gone since, the keeper goes on asking.
	_ = keys.Refresh(context.Background())
	h.certificates.files = append(h.certificates.files, refreshing{keys})
}

// ticketKeys has the keys of session tickets follow from a secret, once that is known. It is
// for assembled certificates.
func (h *house) ticketKeys(secret func(context.Context) (tlsconf.Secret, error)) *tlsconf.TicketKeys {
	keys := &tlsconf.TicketKeys{Config: h.certificates.config, Secret: secret, Log: h.log}
	h.certificates.keepers = append(h.certificates.keepers, keys.Run)
	return keys
}

// secretFile is where the cluster's secret comes from when a file has it.
func secretFile(path string) func(context.Context) (tlsconf.Secret, error) {
	return func(context.Context) (tlsconf.Secret, error) {
		secret, _, err := tlsconf.ReadSecret(path)
		return secret, err
	}
}

// refreshing is the keys of session tickets as something to reload.
type refreshing struct{ keys *tlsconf.TicketKeys }

func (r refreshing) Reload(ctx context.Context) error { return r.keys.Refresh(ctx) }
