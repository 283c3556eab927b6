package kubestore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestFence(t *testing.T) {
	t.Run("a number that nobody counted to does not end a lease", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		for _, scribble := range []string{"1073741825", "2147483647", "2147483648", "18446744073709551615", "99999999999999999999", "-1", "x"} {
			if err := a.Apply("secrets", fmt.Sprintf(`{"metadata":{"name":"certificates","annotations":{%q:%q}}}`, fenceNote("secret"), scribble)); err != nil {
				t.Fatal(err)
			}
			lease, err := s.Acquire(within(t), "secret", "x", time.Hour)
			if err != nil {
				t.Fatalf("%s: %v", scribble, err)
			}
			put(t, s, "secret/tickets", "value", lease)
			if err := lease.Release(within(t)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("nor does one in the lease's object", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		if err := a.Apply("leases", fmt.Sprintf(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":%q},"spec":{"holderIdentity":"","leaseTransitions":2147483647}}`, s.objectOf("secret"))); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Acquire(within(t), "secret", "x", time.Hour); err != nil {
			t.Error(err)
		}
	})
	t.Run("an Acquire whose caller leaves gives the lease up", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		put(t, s, "cert/example.org", "value", nil)
		ctx, leave := context.WithCancel(within(t))
		a.BeforeUpdate(leave) // the lease's object is created by then, and the fence not noted
		if _, err := s.Acquire(ctx, "secret", "x", time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if _, err := open(t, a, "web/certificates").Acquire(within(t), "secret", "y", time.Hour); err != nil {
			t.Error(err)
		}
	})
}
