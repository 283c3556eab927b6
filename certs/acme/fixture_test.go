package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
	"github.com/holdfast-server/holdfast/certs/renewal"
	"github.com/holdfast-server/holdfast/certs/store"
)

var (
	_ renewal.Issuer  = (*Issuer)(nil)
	_ renewal.Refusal = (*refusal)(nil)
)

// mapStore is a store in memory whose calls can be broken and are counted.
type mapStore struct {
	mu     sync.Mutex
	values map[string]string
	names  []string // of each Get, as it came
	broken error    // what every call returns
	hang   bool     // every call waits for its context's end
}

func newMapStore() *mapStore { return &mapStore{values: make(map[string]string)} }

func (s *mapStore) do(ctx context.Context, f func() error) error {
	s.mu.Lock()
	if s.hang {
		s.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	return f()
}

func (s *mapStore) Get(ctx context.Context, name string) (value []byte, err error) {
	s.mu.Lock()
	s.names = append(s.names, name)
	s.mu.Unlock()
	err = s.do(ctx, func() error {
		text, ok := s.values[name]
		value = []byte(text)
		if !ok {
			return fs.ErrNotExist
		}
		return nil
	})
	return value, err
}

func (s *mapStore) Put(ctx context.Context, name string, value []byte, _ store.Lease) error {
	return s.do(ctx, func() error { s.values[name] = string(value); return nil })
}

func (s *mapStore) Delete(ctx context.Context, name string, _ store.Lease) error {
	return s.do(ctx, func() error { delete(s.values, name); return nil })
}

func (s *mapStore) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.do(ctx, func() error { names = s.under(prefix); return nil })
	return names, err
}

// under is List for who holds mu.
func (s *mapStore) under(prefix string) (names []string) {
	for name := range s.values {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *mapStore) Acquire(context.Context, string, string, time.Duration) (store.Lease, error) {
	return nil, errors.New("nothing here takes leases")
}

func (s *mapStore) String() string { return "a map" }

func (s *mapStore) list(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.under(prefix)
}

// asked are the names of all calls of Get so far.
func (s *mapStore) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.names)
}

func (s *mapStore) value(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[name]
}

func (s *mapStore) set(change func(*mapStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// front is a server that answers challenges, as ours does.
type front struct {
	challenges *Challenges
	tls, http  string // addresses
}

// newFront serves until the test ends.
func newFront(t *testing.T, shared store.Store, hosts ...string) *front {
	t.Helper()
	f := &front{challenges: NewChallenges(hosts, shared, slog.New(slog.DiscardHandler), time.Now)}
	l := listen(t)
	f.tls = l.Addr().String()
	config := &tls.Config{NextProtos: []string{"http/1.1"}, GetConfigForClient: f.challenges.ConfigForClient}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				_ = tls.Server(c, config).Handshake() // and that was all of it
			})
		}
	})
	plain := listen(t)
	f.http = plain.Addr().String()
	server := &http.Server{Handler: http.HandlerFunc(f.serve)}
	wg.Go(func() { _ = server.Serve(plain) })
	t.Cleanup(func() {
		l.Close()
		server.Close()
		wg.Wait()
	})
	return f
}

func (f *front) serve(w http.ResponseWriter, r *http.Request) {
	token, ok := Token(r.URL.EscapedPath())
	body, found := f.challenges.KeyAuthorization(r.Context(), r.Host, token)
	if !ok || !found {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(body))
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// site is a CA, a store, and a server that the CA can validate.
type site struct {
	*acmetest.CA
	store *mapStore
	front *front
}

func newSite(t *testing.T, config acmetest.Config, hosts ...string) *site {
	t.Helper()
	s := &site{CA: acmetest.Start(t, config), store: newMapStore()}
	s.front = newFront(t, s.store, hosts...)
	s.TLS.To(s.front.tls)
	s.HTTP.To(s.front.http)
	return s
}

func (s *site) options() Options {
	return Options{
		Directory: s.Gate.DirectoryURL, Roots: s.Roots, Challenge: TLSALPN01, TermsAgreed: true, Version: "test",
		Email: "admin@example.org",
		Store: s.store, Challenges: s.front.challenges, Log: slog.New(slog.DiscardHandler),
	}
}

// issuer is one with some options changed.
func (s *site) issuer(t *testing.T, change func(*Options)) *Issuer {
	t.Helper()
	o := s.options()
	if change != nil {
		change(&o)
	}
	i, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// issue orders a certificate and proves it.
func (s *site) issue(t *testing.T, i *Issuer, host string) *certs.Certificate {
	t.Helper()
	bundle, err := i.Issue(t.Context(), host)
	if err != nil {
		t.Fatalf("Issue: %v (%T)", err, errors.Unwrap(err))
	}
	certificate, err := certs.ParseBundle("test", bundle)
	if err != nil {
		t.Fatal(err)
	}
	intermediates := x509.NewCertPool()
	for _, der := range certificate.TLS().Certificate[1:] {
		link, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		intermediates.AddCert(link)
	}
	_, err = certificate.Leaf().Verify(x509.VerifyOptions{DNSName: host, Roots: s.IssuedRoots(t), Intermediates: intermediates})
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// refused orders in vain.
func refused(t *testing.T, i *Issuer, host string) renewal.Refusal {
	t.Helper()
	bundle, err := i.Issue(t.Context(), host)
	var r renewal.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("Issue returned %d bytes and %v, want a refusal", len(bundle), err)
	}
	return r
}

// nothingPresented fails if an answer to a challenge is still given.
func (s *site) nothingPresented(t *testing.T) {
	t.Helper()
	if left := s.store.list("challenge/"); len(left) > 0 {
		t.Errorf("challenges left in the store: %q", left)
	}
	s.front.challenges.mu.RLock()
	defer s.front.challenges.mu.RUnlock()
	if n := len(s.front.challenges.own); n > 0 {
		t.Errorf("%d challenges left in memory", n)
	}
}
