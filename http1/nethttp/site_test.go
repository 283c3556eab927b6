package nethttp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

// transports are the ways in which a client reaches a site.
var transports = []string{"plain", "tls", "unix"}

// site is a server under test with its books.
type site struct {
	t         testing.TB
	transport string
	listener  net.Listener
	server    *http1.Server
	conns     *conn.Server
	served    chan error
	stop      sync.Once

	mu      sync.Mutex
	records []http1.Record
}

// over runs test on a site of h for each of the transports.
func over(t *testing.T, transports []string, h http.Handler, test func(t *testing.T, s *site)) {
	t.Helper()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			test(t, open(t, transport, withOptions(h.ServeHTTP)))
		})
	}
}

// open starts a site, which the test's end drains and audits.
func open(t testing.TB, transport string, h http1.Handler) *site {
	t.Helper()
	s := &site{t: t, transport: transport, conns: &conn.Server{}, served: make(chan error, 1)}
	s.server = &http1.Server{Handler: h, Observe: s.observe, CancelOnFIN: true}
	var err error
	if transport == "unix" {
		s.listener, err = net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	} else {
		s.listener, err = conn.Listen(t.Context(), "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	l := &conn.Listener{Listener: s.listener, Handler: s.server}
	if transport == "tls" {
		l.TLS = &tls.Config{Certificates: []tls.Certificate{identity().chain}, NextProtos: []string{"http/1.1"}}
	}
	go func() { s.served <- s.conns.Serve(l) }()
	t.Cleanup(s.drain)
	return s
}

// drain stops the site, once, and checks that nothing was cut and the books balance.
func (s *site) drain() {
	s.t.Helper()
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.conns.Announce()
		s.conns.CloseListeners(ctx)
		select {
		case <-s.conns.Drain():
		case <-ctx.Done():
			s.t.Errorf("%d connections had to be cut", s.conns.Cut())
		}
		if err := <-s.served; !errors.Is(err, net.ErrClosed) {
			s.t.Error(err)
		}
		requests := s.server.Ledger()
		if err := errors.Join(requests.Balance(), s.conns.Ledger().Balance()); err != nil || requests.Open != 0 {
			s.t.Errorf("the books do not balance: %v, %+v", err, requests)
		}
	})
}

func (s *site) observe(r *http1.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, *r)
}

// record is that of the only request; the site has to be drained.
func (s *site) record() http1.Record {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) != 1 {
		s.t.Fatalf("%d requests were observed, not one", len(s.records))
	}
	return s.records[0]
}

// url is where path is, for the site's client.
func (s *site) url(path string) string {
	switch s.transport {
	case "tls":
		return "https://" + s.listener.Addr().String() + path
	case "unix":
		return "http://unix.test" + path
	}
	return "http://" + s.listener.Addr().String() + path
}

// client is net/http's, without connections of other tests.
func (s *site) client() *http.Client {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: identity().roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, s.listener.Addr().Network(), s.listener.Addr().String())
		},
	}
	s.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: patience}
}

// dial is a connection for raw bytes.
func (s *site) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial(s.listener.Addr().Network(), s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	if s.transport == "tls" {
		c = tls.Client(c, &tls.Config{RootCAs: identity().roots, ServerName: "127.0.0.1"})
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// fetch gets path and checks the status.
func (s *site) fetch(path string, status int, fields ...string) (content string, h http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url(path), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := s.client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		s.t.Errorf("%s: %d, %v, want %d: %.200q", path, res.StatusCode, err, status, b)
	}
	return string(b), res.Header
}

type credentials struct {
	chain tls.Certificate
	roots *x509.CertPool
}

// identity is that of httptest, for 127.0.0.1.
var identity = sync.OnceValue(func() credentials {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return credentials{s.TLS.Certificates[0], roots}
})

// withOptions is h on http1, silent.
func withOptions(h http.HandlerFunc) http1.Handler {
	return nethttp.Options{Log: slog.New(slog.DiscardHandler)}.Handler(h)
}
