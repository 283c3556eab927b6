package kubestore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/kubestore/kubetest"
	"github.com/holdfast-server/holdfast/certs/store"
	"github.com/holdfast-server/holdfast/certs/store/storetest"
)

// startAPI is a double with a namespace called "web".
func startAPI(t *testing.T) *kubetest.API {
	t.Helper()
	a, err := kubetest.Start(t.TempDir(), "web")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func open(t *testing.T, a *kubetest.API, place string) *Store {
	t.Helper()
	s, err := Open(place, Account{URL: a.URL, TokenFile: a.TokenFile, CAFile: a.CAFile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func put(t *testing.T, s *Store, name, value string, under store.Lease) {
	t.Helper()
	if err := s.Put(within(t), name, []byte(value), under); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, s *Store, name, want string) {
	t.Helper()
	if got, err := s.Get(within(t), name); err != nil || string(got) != want {
		t.Errorf("%s is %q, %v, want %q", name, got, err, want)
	}
}

// says fails unless err says all the parts.
func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want one that says %q", err, part)
		}
	}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Peer {
		a := startAPI(t)
		return storetest.Peer{Open: func(t *testing.T) store.Store {
			s := open(t, a, "web/certificates")
			s.snapshots.age = 0 // what others write is seen at once here, and TestSnapshots is about the rest
			return s
		}, TTL: time.Second}
	})
}

func TestSecret(t *testing.T) {
	const made = `{"apiVersion":"v1","kind":"Secret","type":"Opaque","immutable":false,
		"metadata":{"name":"certificates","labels":{"app":"x"},"annotations":{"note":"ours"},"managedFields":[{"manager":"kubectl"}]},
		"data":{"README":"aGVsbG8=","certSexample.org":"b2xk"}}`
	t.Run("one that is missing is created by the first write", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		if got, err := s.List(within(t), ""); err != nil || len(got) > 0 {
			t.Errorf("before: %q, %v", got, err)
		}
		put(t, s, "cert/example.org", "value", nil)
		if got := a.Names("secrets"); !slices.Equal(got, []string{"certificates"}) {
			t.Errorf("there are %q", got)
		}
	})
	t.Run("what others put there stays", func(t *testing.T) {
		a := startAPI(t)
		if err := a.Apply("secrets", made); err != nil {
			t.Fatal(err)
		}
		s := open(t, a, "web/certificates")
		put(t, s, "cert/example.org", "new", nil)
		if got, err := s.List(within(t), ""); err != nil || !slices.Equal(got, []string{"cert/example.org"}) {
			t.Errorf("List is %q, %v", got, err)
		}
		object := a.Object("secrets", "certificates")
		for _, part := range []string{`"app":"x"`, `"note":"ours"`, `"manager":"kubectl"`, `"immutable":false`, `"README":"aGVsbG8="`, `"type":"Opaque"`} {
			if !strings.Contains(object, part) {
				t.Errorf("%s is gone: %s", part, object)
			}
		}
	})
	t.Run("a write that another came before is done over", func(t *testing.T) {
		a := startAPI(t)
		s, other := open(t, a, "web/certificates"), open(t, a, "web/certificates")
		put(t, s, "cert/example.org", "first", nil)
		a.BeforeUpdate(func() { put(t, other, "cert/other.example", "between", nil) })
		put(t, s, "cert/example.org", "second", nil)
		holds(t, s, "cert/other.example", "between")
		holds(t, s, "cert/example.org", "second")
	})
	t.Run("a Secret that is deleted under a write is made anew", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		put(t, s, "cert/example.org", "first", nil)
		a.BeforeUpdate(func() { a.Delete("secrets", "certificates") })
		put(t, s, "cert/example.org", "second", nil)
		holds(t, s, "cert/example.org", "second")
	})
	t.Run("conflicts without end are an error", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		put(t, s, "cert/example.org", "first", nil)
		var meddle func()
		meddle = func() {
			if err := a.Apply("secrets", made); err != nil {
				t.Error(err)
			}
			a.BeforeUpdate(meddle)
		}
		a.BeforeUpdate(meddle)
		says(t, s.Put(within(t), "cert/example.org", []byte("second"), nil), "another was faster", "20 times")
	})
	t.Run("more than 1 MiB is named before it is sent", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		large := string(make([]byte, store.MaxValueBytes))
		var data []string
		for i := range 15 {
			data = append(data, fmt.Sprintf("%q:%q", keyOf(fmt.Sprintf("cert/%d.example", i)), base64.StdEncoding.EncodeToString([]byte(large))))
		}
		if err := a.Apply("secrets", `{"metadata":{"name":"certificates"},"data":{`+strings.Join(data, ",")+`}}`); err != nil {
			t.Fatal(err)
		}
		put(t, s, "cert/15.example", large, nil)
		says(t, s.Put(within(t), "cert/one.more", []byte("x"), nil), "too large", "1048577", "1048576", "Redis", "kubernetes:web/certificates")
		if n := a.Requests("update", "secrets"); n != 1 {
			t.Errorf("%d updates were sent", n)
		}
		holds(t, s, "cert/14.example", large)
	})
}

func TestRefusals(t *testing.T) {
	a := startAPI(t)
	s := open(t, a, "web/certificates")
	for _, c := range []struct {
		verb, resource string
		call           func() error
	}{
		{"get", "secrets", func() error { _, err := s.Get(within(t), "cert/example.org"); return err }},
		{"update", "secrets", func() error {
			a.Allow("create", "secrets")
			put(t, s, "cert/example.org", "value", nil)
			return s.Put(within(t), "cert/example.org", nil, nil)
		}},
		{"get", "leases", func() error { _, err := s.Acquire(within(t), "secret", "x", time.Hour); return err }},
		{"create", "leases", func() error { _, err := s.Acquire(within(t), "secret", "x", time.Hour); return err }},
	} {
		t.Run("403: may not "+c.verb+" "+c.resource, func(t *testing.T) {
			a.Forbid("create", "secrets")
			a.Forbid(c.verb, c.resource)
			err := c.call()
			a.Allow(c.verb, c.resource)
			says(t, err, fmt.Sprintf("the verb %q for the resource %q", c.verb, c.resource), "Role")
			if errors.Is(err, fs.ErrNotExist) {
				t.Error("it counts as missing")
			}
		})
	}
	t.Run("403: no Secret, and no right to make one", func(t *testing.T) {
		a := startAPI(t)
		a.Forbid("create", "secrets")
		err := open(t, a, "web/certificates").Put(within(t), "cert/example.org", nil, nil)
		says(t, err, "kubectl create secret generic certificates --namespace web", "403")
		if errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "Role") {
			t.Errorf("%v", err)
		}
	})
	t.Run("404: no such namespace", func(t *testing.T) {
		says(t, open(t, a, "elsewhere/certificates").Put(within(t), "cert/example.org", nil, nil), "no namespace elsewhere")
	})
	t.Run("413", func(t *testing.T) {
		a.Fail(413)
		_, err := s.Get(within(t), "cert/example.org")
		says(t, err, "too large")
	})
	t.Run("500, and back", func(t *testing.T) {
		a.Fail(500, 503)
		for _, status := range []string{"500", "503"} {
			_, err := s.Get(within(t), "cert/example.org")
			says(t, err, status, "kubernetes:web/certificates")
		}
		holds(t, s, "cert/example.org", "value")
	})
	t.Run("a fence that cannot be noted gives the lease back", func(t *testing.T) {
		a.Forbid("update", "secrets")
		_, err := s.Acquire(within(t), "order/example.org", "x", time.Hour)
		a.Allow("update", "secrets")
		says(t, err, `the verb "update"`)
		if _, err := s.Acquire(within(t), "order/example.org", "x", time.Hour); err != nil {
			t.Error(err)
		}
	})
	t.Run("places that are no Secret", func(t *testing.T) {
		for _, place := range []string{"", "web", "web/", "/x", "Web/x", "web/x/y", "web/../x", "web/x?y"} {
			_, err := Open(place, Account{})
			says(t, err, "NAMESPACE/NAME")
		}
	})
	t.Run("outside of a cluster", func(t *testing.T) {
		_, err := InCluster(func(string) string { return "" })
		says(t, err, "KUBERNETES_SERVICE_HOST", "Redis")
		account, err := InCluster(func(key string) string {
			return map[string]string{"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}[key]
		})
		if err != nil || account.URL != "https://[fd00::1]:443" || account.TokenFile == "" || account.CAFile == "" {
			t.Errorf("%+v, %v", account, err)
		}
	})
}

func TestToken(t *testing.T) {
	t.Run("one that was rotated is read anew", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		put(t, s, "cert/example.org", "value", nil)
		if err := a.Rotate(); err != nil {
			t.Fatal(err)
		}
		put(t, s, "cert/example.org", "after", nil)
		holds(t, s, "cert/example.org", "after")
	})
	t.Run("one that stays wrong is asked for twice, and not shown", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		if err := os.WriteFile(a.TokenFile, []byte("hunter2"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(within(t), "cert/example.org")
		says(t, err, "401")
		if n := a.Requests("get", "secrets"); n != 2 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d requests, %v", n, err)
		}
	})
	t.Run("files that are not mounted name the setting", func(t *testing.T) {
		s, err := Open("web/certificates", Account{URL: "https://127.0.0.1:1", TokenFile: filepath.Join(t.TempDir(), "token"), CAFile: "/none"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Get(within(t), "cert/example.org")
		says(t, err, "automountServiceAccountToken")
	})
	t.Run("a CA that was replaced is trusted after the minute", func(t *testing.T) {
		a, b := startAPI(t), startAPI(t)
		s := open(t, a, "web/certificates")
		put(t, s, "cert/example.org", "value", nil)
		first, _, err := s.account.get(false)
		if err != nil {
			t.Fatal(err)
		}
		same, _, err := s.account.get(true)
		if err != nil || same != first {
			t.Errorf("the same CA makes another client: %v", err)
		}
		// httptest's servers share a certificate: another CA is a longer file.
		ca, err := os.ReadFile(b.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(a.CAFile, append(ca, ca...), 0o600); err != nil {
			t.Fatal(err)
		}
		s.account.read = time.Now().Add(-accountAge)
		next, _, err := s.account.get(false)
		if err != nil || next == first {
			t.Errorf("the client is the old one: %v", err)
		}
		holds(t, s, "cert/example.org", "value")
	})
}

func TestSlow(t *testing.T) {
	a := startAPI(t)
	s := open(t, a, "web/certificates")
	put(t, s, "cert/example.org", "value", nil)
	a.Delay(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if err := s.Put(ctx, fmt.Sprintf("cert/%d", i), nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Put: %v", err)
			}
			if _, err := s.Get(ctx, "cert/example.org"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Get: %v", err)
			}
		})
	}
	wg.Wait()
	a.Delay(0)
	holds(t, s, "cert/example.org", "value")
}

func TestLease(t *testing.T) {
	leaseOf := func(t *testing.T, a *kubetest.API) (o leaseObject) {
		t.Helper()
		names := a.Names("leases")
		if len(names) != 1 || !strings.HasPrefix(names[0], "certificates-") {
			t.Fatalf("there are %q", names)
		}
		if err := json.Unmarshal([]byte(a.Object("leases", names[0])), &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	t.Run("its object says what others need", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		lease, err := s.Acquire(within(t), "order/example.org", "pod-1", 1500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		spec := leaseOf(t, a).Spec
		if !strings.HasPrefix(spec.HolderIdentity, "pod-1 ") || spec.LeaseDurationSeconds != 2 || spec.RenewTime == "" || spec.AcquireTime == "" || uint64(spec.LeaseTransitions) != lease.Fence() {
			t.Errorf("%+v", spec)
		}
		_, err = open(t, a, "web/certificates").Acquire(within(t), "order/example.org", "pod-2", time.Hour)
		says(t, err, "pod-1")
	})
	t.Run("times of another clock mean nothing", func(t *testing.T) {
		for _, year := range []string{"1970", "2970"} {
			a := startAPI(t)
			s := open(t, a, "web/certificates")
			object := s.objectOf("secret")
			if err := a.Apply("leases", fmt.Sprintf(`{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":%q},
				"spec":{"holderIdentity":"x y","leaseDurationSeconds":60,"renewTime":"%s-01-01T00:00:00.000000Z","leaseTransitions":7}}`, object, year)); err != nil {
				t.Fatal(err)
			}
			o, err := (&lease{s: s, name: "secret"}).read(within(t))
			if err != nil {
				t.Fatal(err)
			}
			first := time.Now()
			for _, after := range []time.Duration{0, time.Minute, time.Minute + time.Nanosecond} { // the first look is the one that sees it
				if got := s.held("secret", o, first.Add(after)); got != (after <= time.Minute) {
					t.Errorf("renewed in %s, %v after it was seen: held is %v", year, after, got)
				}
			}
		}
	})
	t.Run("one that changes is alive", func(t *testing.T) {
		a := startAPI(t)
		s, other := open(t, a, "web/certificates"), open(t, a, "web/certificates")
		lease, err := s.Acquire(within(t), "secret", "pod-1", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		before := leaseOf(t, a)
		now := time.Now()
		other.held("secret", &before, now)
		if err := lease.Renew(within(t)); err != nil {
			t.Fatal(err)
		}
		after := leaseOf(t, a)
		if !other.held("secret", &after, now.Add(time.Minute)) {
			t.Error("a lease that was renewed since counts as run out")
		}
	})
	t.Run("fences go on growing when the object or the Secret is deleted", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		last := uint64(0)
		for _, remove := range []func(){
			func() {},
			func() { a.Delete("leases", s.objectOf("secret")) },
			func() { a.Delete("secrets", "certificates") },
		} {
			remove()
			lease, err := s.Acquire(within(t), "secret", "x", time.Hour)
			if err != nil || lease.Fence() <= last {
				t.Fatalf("%v, %+v after %d", err, lease, last)
			}
			last = lease.Fence()
			if err := lease.Release(within(t)); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a fenced write that conflicts looks at the fence again", func(t *testing.T) {
		a := startAPI(t)
		s, other := open(t, a, "web/certificates"), open(t, a, "web/certificates")
		lease, err := s.Acquire(within(t), "secret", "x", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		a.BeforeUpdate(func() {
			a.Delete("leases", s.objectOf("secret")) // an operator who is in a hurry
			if _, err := other.Acquire(within(t), "secret", "y", time.Hour); err != nil {
				t.Error(err)
			}
		})
		if err := s.Put(within(t), "secret/tickets", []byte("late"), lease); !errors.Is(err, store.ErrLost) {
			t.Errorf("%v", err)
		}
	})
	relabel := func(t *testing.T, a *kubetest.API, s *Store, name, old, new string) {
		t.Helper()
		text := a.Object("leases", s.objectOf(name))
		if !strings.Contains(text, old) {
			t.Errorf("%s has no %s", text, old)
		}
		if err := a.Apply("leases", strings.Replace(text, old, new, 1)); err != nil {
			t.Error(err)
		}
	}
	t.Run("a label that somebody puts on its object loses nothing", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		lease, err := s.Acquire(within(t), "secret", "x", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range []func(context.Context) error{lease.Renew, lease.Release} {
			a.BeforeUpdate(func() { relabel(t, a, s, "secret", `"name"`, `"labels":{"x":"y"},"name"`) })
			if err := call(within(t)); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("a holder that comes in between takes it", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		lease, err := s.Acquire(within(t), "secret", "pod-1", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		a.BeforeUpdate(func() { relabel(t, a, s, "secret", "pod-1", "pod-2") })
		if err := lease.Renew(within(t)); !errors.Is(err, store.ErrLost) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a Release that failed can be done again", func(t *testing.T) {
		a := startAPI(t)
		s := open(t, a, "web/certificates")
		lease, err := s.Acquire(within(t), "secret", "x", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		a.Fail(500)
		says(t, lease.Release(within(t)), "500")
		if err := lease.Release(within(t)); err != nil {
			t.Error(err)
		}
	})
}
