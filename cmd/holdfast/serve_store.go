package main

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/certs/kubestore"
	"github.com/holdfast-server/holdfast/certs/redisstore"
	"github.com/holdfast-server/holdfast/certs/store"
)

// storeMend is what --cert-store can be.
const storeMend = "write dir:PATH, redis://USER:PASSWORD@HOST:6379/0, rediss://… for TLS, or kubernetes:NAMESPACE/NAME for a Secret" + redisMend

// redisMend is what helps besides with an address of Redis: a command line is in ps for all.
const redisMend = ". An address with a password belongs in HOLDFAST_CERT_STORE or the file of --config, not on a command line"

// certStore is where certificates are kept, as --cert-store says it.
type certStore struct {
	dir    string                      // on this machine; "" without one
	shared func() (store.Store, error) // by all replicas; nil without one
	// inClear tells that private keys go over a network as they are.
	inClear bool
}

// readCertStore reads --cert-store. Without it, and beside what replicas share, certificates are
// kept below the state directory. Nothing is opened yet. No fault repeats what was written, for a password may be in it.
func readCertStore(address, stateDir string, getenv func(string) string) (certStore, *fault) {
	c := certStore{}
	if stateDir != "" {
		c.dir = filepath.Join(stateDir, "certificates")
	}
	wrong := func(why string) (certStore, *fault) {
		return certStore{}, &fault{What: "the store of certificates cannot be used", Where: "--cert-store", Why: why, Mend: storeMend, Usage: true}
	}
	scheme, rest, found := strings.Cut(address, ":")
	switch {
	case address == "":
	case !found:
		return wrong("it has no scheme")
	case scheme == "dir" && rest == "":
		return wrong("the directory has no name")
	case scheme == "dir":
		c.dir = rest
	case scheme == "redis", scheme == "rediss":
		config, err := redisstore.Parse(address)
		if err != nil {
			return wrong(plain(err.Error()))
		}
		c.inClear = config.TLS == nil && !onLoopback(config.Addr)
		c.shared = func() (store.Store, error) { return redisstore.Open(address) }
	case scheme == "kubernetes":
		account, err := kubestore.InCluster(getenv)
		if _, placeErr := kubestore.Open(rest, account); placeErr != nil {
			err = placeErr
		}
		if err != nil {
			return wrong(plain(err.Error()))
		}
		c.shared = func() (store.Store, error) { return kubestore.Open(rest, account) }
	default:
		return wrong("there is no store of this kind")
	}
	return c, nil
}

// onLoopback tells whether what is dialled does not leave this machine.
func onLoopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr) // it was joined by Parse
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// open puts the layers together. A directory that cannot be used is an error where it is all
// there is; beside a shared store it is a warning.
func (c certStore) open(log *slog.Logger, now func() time.Time) (*store.Layered, error) {
	layers := store.Layers{
		Check: store.Rules{Now: now}.Check, Newer: store.Newer, Passing: []string{"challenge/"}, Log: log,
	}
	if c.inClear {
		log.Warn("certificates and their private keys go to Redis in the clear: write rediss:// for TLS, unless the network is yours alone")
	}
	if c.shared != nil {
		shared, err := c.shared()
		if err != nil {
			return nil, err
		}
		layers.Remote = shared
	}
	if c.dir != "" {
		dir, err := store.OpenDir(c.dir)
		switch {
		case err == nil:
			layers.Local = dir
		case layers.Remote == nil:
			return nil, err
		default:
			log.Warn("certificates are not kept on this machine", "error", err)
		}
	}
	if layers.Local == nil && layers.Remote == nil {
		return nil, errors.New("there is no directory to keep certificates in: name one with --state, or a store with --cert-store")
	}
	return store.NewLayered(layers), nil
}
