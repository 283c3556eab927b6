package main

import (
	"context"
	"crypto/tls"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/tlsconf"
)

// countedStore is empty and counts the looks at it.
type countedStore struct {
	store.Memory
	looks atomic.Int64
}

func (s *countedStore) Get(context.Context, string) ([]byte, error) {
	s.looks.Add(1)
	return nil, fs.ErrNotExist
}

// greet makes a handshake with a configuration of ours, in memory.
func greet(t *testing.T, config *tls.Config, host string, protocols ...string) error {
	t.Helper()
	near, far := net.Pipe()
	var server sync.WaitGroup
	server.Go(func() {
		_ = tls.Server(far, config).Handshake() // the client's end tells
		_ = far.Close()
	})
	err := tls.Client(near, &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: protocols}).Handshake()
	_ = near.Close()
	server.Wait()
	return err
}

func TestOnlyValidationsOfADomainLookAtTheStore(t *testing.T) {
	a := newAuthority(t)
	pairs, errs := certs.LoadFiles([]certs.Pair{pairFor(t, a, publicHost)}, time.Now, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	counted := new(countedStore)
	p := &publicCA{challenges: acme.NewChallenges([]string{publicHost}, counted, slog.New(slog.DiscardHandler), time.Now)}
	config := tlsconf.Server(certs.NewSelector(certs.RejectUnknown, pairs).GetCertificate)
	p.validates(config)
	for _, c := range []struct {
		name, host string
		protocols  []string
		served     bool
		looks      int64
	}{
		{"a visitor", publicHost, []string{"http/1.1"}, true, 0},
		{"a visitor without protocols", publicHost, nil, true, 0},
		{"a visitor who offers the validation's protocol too", publicHost, []string{"http/1.1", acme.Protocol}, true, 0},
		{"an unknown name", "other.harbour.test", []string{"http/1.1"}, false, 0},
		{"a validation of an unknown name", "other.harbour.test", []string{acme.Protocol}, false, 0},
		{"a validation of a name below", "x." + publicHost, []string{acme.Protocol}, false, 0},
		{"a validation of no name", "", []string{acme.Protocol}, false, 0},
		{"a validation of the domain", publicHost, []string{acme.Protocol}, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := counted.looks.Load()
			if err := greet(t, config, c.host, c.protocols...); (err == nil) != c.served {
				t.Errorf("the handshake: %v", err)
			}
			if looks := counted.looks.Load() - before; looks != c.looks {
				t.Errorf("%d looks at the store, want %d", looks, c.looks)
			}
		})
	}
}

func TestSecretOfAStore(t *testing.T) {
	t.Run("the first to ask makes it, and all others have it", func(t *testing.T) {
		var shared store.Memory
		var all sync.WaitGroup
		secrets := make([]tlsconf.Secret, 8)
		for i := range secrets {
			all.Go(func() {
				var err error
				if secrets[i], err = storedSecret(&shared)(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, s := range secrets {
			if s != secrets[0] || s == (tlsconf.Secret{}) {
				t.Error("two replicas have two secrets, or none")
			}
		}
	})
	t.Run("one that is damaged is an error that does not tell it", func(t *testing.T) {
		var shared store.Memory
		if err := shared.Put(t.Context(), ticketSecret, []byte("hunter2"), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := storedSecret(&shared)(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Error(err)
		}
	})
	t.Run("whoever waits for another's stops when told to", func(t *testing.T) {
		var shared store.Memory
		if _, err := shared.Acquire(t.Context(), secretLease, "another", time.Hour); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := storedSecret(&shared)(ctx); err == nil {
			t.Error("it has a secret from nowhere")
		}
	})
}
