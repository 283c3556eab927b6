package http1

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// patience is how long a test waits for something that must happen. It is never the
// measure of anything: a test that needs it has failed.
const patience = 30 * time.Second

// site is a server on loopback under test.
type site struct {
	t       testing.TB
	server  Server
	conns   conn.Server
	nets    net.Listener
	secure  bool
	writes  atomic.Int64 // calls of Write and ReadFrom on raw connections
	log     safeBuffer
	mu      sync.Mutex
	records []Record
	served  chan error

	once     sync.Once
	draining chan struct{} // closed once the drain has reached the connections
}

// transports are what every test of a whole connection runs over.
var transports = []string{"plain", "tls"}

// overBoth runs test over plain TCP and over TLS.
func overBoth(t *testing.T, h Handler, test func(t *testing.T, s *site)) {
	t.Helper()
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) { test(t, open(t, transport, h, nil)) })
	}
}

// open starts a site and ends it with the test: then the books must balance and the
// observer must have seen every request once. configure may change it before.
func open(t testing.TB, transport string, h Handler, configure func(*site)) *site {
	t.Helper()
	s := &site{t: t, secure: transport == "tls", served: make(chan error, 1), draining: make(chan struct{})}
	s.server = Server{Handler: h, poison: true, Observe: s.observe, Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	if configure != nil {
		configure(s)
	}
	var err error
	if s.nets, err = conn.Listen(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l := &conn.Listener{Listener: &countingListener{s.nets, &s.writes}, Handler: &s.server}
	if s.secure {
		l.NotTLS = s.server.PlainOnTLS
		// Dynamic sizing cuts the writes of a young connection into records of a packet
		// each, which would hide from TestWrites what http1 does.
		l.TLS = &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{"http/1.1"}, DynamicRecordSizingDisabled: true}
	}
	go func() { s.served <- s.conns.Serve(l) }()
	t.Cleanup(s.close)
	return s
}

// close drains the site and audits it.
func (s *site) close() {
	s.t.Helper()
	s.conns.Announce()
	if err := s.drainOnce(); err != nil {
		s.t.Error(err)
		return
	}
	l := s.server.Ledger()
	if err := errors.Join(l.Balance(), s.conns.Ledger().Balance()); err != nil || l.Open != 0 {
		s.t.Errorf("the books do not balance: %v, %+v", err, l)
	}
	if s.server.Observe == nil {
		return
	}
	seen := map[Ending]int64{}
	for _, r := range s.records {
		seen[r.Ending]++
	}
	if seen[Completed] != l.Completed || seen[Refused] != l.Refused || seen[Aborted] != l.Aborted || seen[Forced] != l.Forced {
		s.t.Errorf("the observer saw %v, the ledger says %+v", seen, l)
	}
}

// drainOnce is drain for a test that stops its site itself; the cleanup then does not.
func (s *site) drainOnce() error {
	var err error
	s.once.Do(func() { err = s.drain() })
	return err
}

// closing is closed once the drain has reached the connections.
func (s *site) closing() <-chan struct{} { return s.draining }

// drain ends the connections and waits until all are gone.
func (s *site) drain() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.conns.CloseListeners(ctx)
	gone := s.conns.Drain()
	close(s.draining)
	select {
	case <-gone:
	case <-ctx.Done():
		s.conns.Cut()
		return errors.New("connections were still open when the test ended")
	}
	if err := <-s.served; !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s *site) observe(r *Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, *r)
}

// observed waits until n requests have ended and returns their records.
func (s *site) observed(n int) []Record {
	s.t.Helper()
	await(s.t, "the observer", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.records) >= n
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records
}

// await waits until ready says yes, looking every millisecond.
func await(t testing.TB, what string, ready func() bool) {
	t.Helper()
	end := time.After(patience)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !ready() {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// client is one connection to a site.
type client struct {
	t  testing.TB
	nc net.Conn
	in *bufio.Reader
}

// dial connects to the site.
func (s *site) dial() *client {
	s.t.Helper()
	nc, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", s.nets.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	if s.secure {
		nc = tls.Client(nc, &tls.Config{RootCAs: roots(), ServerName: "127.0.0.1"})
	}
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	return &client{t: s.t, nc: nc, in: bufio.NewReader(nc)}
}

// ask connects and sends.
func (s *site) ask(message string) *client {
	s.t.Helper()
	c := s.dial()
	c.send(message)
	return c
}

func (c *client) send(message string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, message); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// finish half-closes: nothing more will be sent.
func (c *client) finish() {
	c.t.Helper()
	if err := c.nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// vanish closes the connection so that the server gets a reset.
func (c *client) vanish() {
	raw := c.nc
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	_ = raw.(*net.TCPConn).SetLinger(0)
	_ = raw.Close()
}

// answer is a response that was read.
type answer struct {
	*http.Response
	content string
	err     error // what ended the content, other than its end
}

// answer reads a response to a request of that method.
func (c *client) answer(method string) answer {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("reading the response to %s: %v", method, err)
	}
	content, err := io.ReadAll(res.Body)
	return answer{res, string(content), err}
}

// gets reads a whole response and compares it.
func (c *client) gets(method string, status int, content string) answer {
	c.t.Helper()
	a := c.answer(method)
	if a.err != nil || a.StatusCode != status || a.content != content {
		c.t.Fatalf("%s: got %d %.80q (%v), want %d %.80q", method, a.StatusCode, a.content, a.err, status, content)
	}
	return a
}

// ends expects the connection's orderly end and nothing before it.
func (c *client) ends() {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	if err != nil || len(rest) > 0 {
		c.t.Fatalf("got %.80q and %v, want the end of the connection", rest, err)
	}
}

// isOpen shows that the connection goes on by asking once more.
func (c *client) isOpen() {
	c.t.Helper()
	c.send("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n")
	c.gets("GET", 200, "OK")
}

// countingListener counts the writes on the connections that it accepts.
type countingListener struct {
	net.Listener
	writes *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countingConn{nc.(*net.TCPConn), l.writes}, nil
}

// SetDeadline is what the drain wakes the accept loop with.
func (l *countingListener) SetDeadline(t time.Time) error {
	return l.Listener.(*net.TCPListener).SetDeadline(t)
}

type countingConn struct {
	*net.TCPConn
	writes *atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.TCPConn.Write(p)
}

func (c *countingConn) ReadFrom(r io.Reader) (int64, error) {
	c.writes.Add(1)
	return c.TCPConn.ReadFrom(r)
}

// safeBuffer is a buffer for more than one goroutine.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// certificate is one for 127.0.0.1 that lives as long as the tests.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func roots() *x509.CertPool {
	parsed, err := x509.ParseCertificate(certificate().Certificate[0])
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// get is a plain request for path, with more field lines if there are any.
func get(path string, lines ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n"
}
