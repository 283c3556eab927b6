package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/holdfast-server/holdfast/certs/store"
)

const (
	// accountLease is for how long a replica that died keeps the others from making the
	// account's key.
	accountLease = 10 * time.Second
	// accountPause is between two tries to get that lease.
	accountPause = 100 * time.Millisecond
)

// account is the key by which the CA knows us. It lives in the store, so that replicas
// and restarts are one account to the CA, which limits how many may be made.
type account struct {
	store store.Store
	name  string
	log   *slog.Logger

	mu  sync.Mutex
	key *ecdsa.PrivateKey // nil before the first use
	own bool              // key was made while the store could not be asked
}

func newAccount(o *Options) *account {
	sum := sha256.Sum256([]byte(o.Directory + "\n" + o.Email))
	return &account{store: o.Store, name: "account/" + hex.EncodeToString(sum[:]), log: o.Log}
}

// signer returns the account's key: that of the store, or a new one that is kept there.
// While the store cannot be asked, it is a key of this process alone, which must not
// replace the one that may be there.
func (a *account) signer(ctx context.Context) (*ecdsa.PrivateKey, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.key != nil && !a.own {
		return a.key, nil
	}
	stored, err := a.load(ctx)
	switch {
	case err == nil:
		if key, ok := parseAccountKey(stored); ok {
			a.key, a.own = key, false
			return key, nil
		}
		return a.replace(ctx, stored)
	case errors.Is(err, fs.ErrNotExist):
		return a.make(ctx)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	a.log.Warn("the store does not give the ACME account's key: this process uses one of its own", "store", a.store.String(), "error", err)
	if a.key == nil {
		a.key, err = newKey()
		a.own = true
		return a.key, err
	}
	return a.key, nil
}

func (a *account) load(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return a.store.Get(ctx, a.name)
}

func (a *account) save(ctx context.Context, name string, value []byte, under store.Lease) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return a.store.Put(ctx, name, value, under)
}

// replace puts a key that cannot be used where people can look at it, and makes a new
// one. If it cannot be put there, it is lost: a key that nobody can read is no loss.
func (a *account) replace(ctx context.Context, bad []byte) (*ecdsa.PrivateKey, error) {
	aside := "aside/" + a.name
	err := a.save(ctx, aside, bad, nil)
	a.log.Warn("the ACME account's key in the store is damaged: it is set aside, and a new account is made",
		"store", a.store.String(), "aside", aside, "error", err)
	return a.make(ctx)
}

// make makes an account's key and stores it: two replicas that start together must not be
// two accounts. So it is made under a lease, and whoever comes second uses the first's.
func (a *account) make(ctx context.Context) (*ecdsa.PrivateKey, error) {
	lease, err := a.acquire(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil {
		defer a.release(ctx, lease)
		if key, ok := a.reread(ctx); ok { // of whoever had the lease before
			return key, nil
		}
	}
	if a.key == nil { // else one that was made in an outage of the store, which the CA knows
		if a.key, err = newKey(); err != nil {
			return nil, err
		}
	}
	// Also without a lease: no account is worse than a second one. The last look tells
	// which of two replicas' keys it is.
	if err := a.keep(ctx, lease); err != nil {
		a.log.Warn("the ACME account's key cannot be stored: a restart will make another account", "store", a.store.String(), "error", err)
		return a.key, nil
	}
	_, _ = a.reread(ctx)
	return a.key, nil
}

// acquire waits for the lease while another makes the key, which takes it moments.
func (a *account) acquire(ctx context.Context) (lease store.Lease, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for {
		if lease, err = a.store.Acquire(ctx, a.name, "the ACME account's key", accountLease); !errors.Is(err, store.ErrHeld) {
			return lease, err
		}
		if sleep(ctx, ctx, accountPause) != nil {
			return nil, err
		}
	}
}

// release lets the next one in. A lease that cannot be released runs out.
func (a *account) release(ctx context.Context, lease store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_ = lease.Release(ctx)
}

// reread takes the key that is stored now, if a usable one is.
func (a *account) reread(ctx context.Context) (*ecdsa.PrivateKey, bool) {
	stored, err := a.load(ctx)
	if err != nil {
		return nil, false
	}
	key, ok := parseAccountKey(stored)
	if ok {
		a.key, a.own = key, false
	}
	return key, ok
}

// keep stores the key.
func (a *account) keep(ctx context.Context, lease store.Lease) error {
	der, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		return err
	}
	err = a.save(ctx, a.name, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), lease)
	a.own = err != nil
	return err
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// parseAccountKey reads what the store's rules let pass, and nothing else.
func parseAccountKey(text []byte) (*ecdsa.PrivateKey, bool) {
	key, err := store.ParseAccountKey(text)
	return key, err == nil
}
