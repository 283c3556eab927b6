package renewal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
)

func TestProve(t *testing.T) {
	t.Run("a good chain passes, whatever its dates", func(t *testing.T) {
		for _, from := range []time.Duration{-time.Hour, -365 * day, 365 * day} {
			c := certificate(t, time.Now().Add(from), time.Now().Add(from+day))
			if err := Prove(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a key that is another's is caught", func(t *testing.T) {
		c := certificate(t, time.Now(), time.Now().Add(day))
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c.TLS().PrivateKey = other
		if err := Prove(t.Context(), c); err == nil {
			t.Error("passed")
		}
	})
	t.Run("a chain whose links sign nothing is caught", func(t *testing.T) {
		c := certificate(t, time.Now(), time.Now().Add(day))
		c.TLS().Certificate[1] = newCA(t, 0).cert.Raw
		if err := Prove(t.Context(), c); err == nil {
			t.Error("passed")
		}
	})
	t.Run("a leaf other than the one named is caught", func(t *testing.T) {
		c, other := certificate(t, time.Now(), time.Now().Add(day)), certificate(t, time.Now(), time.Now().Add(day))
		c.TLS().Certificate, c.TLS().PrivateKey = other.TLS().Certificate, other.TLS().PrivateKey
		if err := Prove(t.Context(), c); err == nil {
			t.Error("passed")
		}
	})
	t.Run("a context that has ended ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Prove(ctx, certificate(t, time.Now(), time.Now().Add(day))); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no name, no proof", func(t *testing.T) {
		if err := Prove(t.Context(), &certs.Certificate{Names: []string{"*.example.org"}}); err == nil {
			t.Error("passed")
		}
	})
}
