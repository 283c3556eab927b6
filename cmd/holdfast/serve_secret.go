package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/tlsconf"
)

// ticketSecret is the name of the cluster's secret in the store, and secretLease that of the lease
// under which it is made.
const (
	ticketSecret     = "secret/tickets"
	secretLease      = "secret"
	secretLeaseTTL   = 10 * time.Second
	secretLookAgain  = 100 * time.Millisecond // while another replica makes it
	secretLooksLimit = 50
)

// storedSecret is where the cluster's secret comes from when replicas share a store: the first of
// them makes it.
func storedSecret(from store.Store) func(context.Context) (tlsconf.Secret, error) {
	return func(ctx context.Context) (tlsconf.Secret, error) {
		for range secretLooksLimit {
			secret, err := readSecret(ctx, from)
			if !errors.Is(err, fs.ErrNotExist) {
				return secret, err
			}
			switch secret, err = makeSecret(ctx, from); {
			case !errors.Is(err, store.ErrHeld):
				return secret, err
			}
			if err := sleep(ctx, secretLookAgain); err != nil {
				return tlsconf.Secret{}, err
			}
		}
		return tlsconf.Secret{}, errors.New("another replica is making the secret, and does not get done")
	}
}

func readSecret(ctx context.Context, from store.Store) (tlsconf.Secret, error) {
	value, err := from.Get(ctx, ticketSecret)
	if err != nil {
		return tlsconf.Secret{}, err
	}
	return tlsconf.ParseSecret(value)
}

// makeSecret makes the secret, unless another replica was quicker.
func makeSecret(ctx context.Context, in store.Store) (tlsconf.Secret, error) {
	lease, err := in.Acquire(ctx, secretLease, holder(), secretLeaseTTL)
	if err != nil {
		return tlsconf.Secret{}, err
	}
	defer func() { _ = lease.Release(ctx) }() // else it runs out
	if secret, err := readSecret(ctx, in); !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	var fresh [tlsconf.SecretBytes]byte
	_, _ = rand.Read(fresh[:]) // cannot fail
	if err := in.Put(ctx, ticketSecret, []byte(hex.EncodeToString(fresh[:])), lease); err != nil {
		return tlsconf.Secret{}, err
	}
	return tlsconf.Secret(fresh), nil
}
