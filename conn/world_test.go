package conn_test

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
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/conntest"
)

// world is a server on an in-memory network in virtual time.
type world struct {
	t      *testing.T
	server *conn.Server
	source *conntest.Listener
	lines  *lines
	log    *journal
	tls    bool
	served chan error
	over   bool
	dialed int64
	peers  []*peer
	busy   sync.WaitGroup // goroutines of the peers
}

// options are what a world can differ in.
type options struct {
	limits   conn.Limits
	tls      bool
	notTLS   string
	more     map[string]verb
	listener func(net.Listener) net.Listener // wraps the source
	trusts   func(netip.Addr) bool
	preface  conn.Preface
	config   func(*tls.Config) // changes the server's
}

// inWorld runs test in a bubble of virtual time. Afterwards the server is stopped, and
// its books must balance.
func inWorld(t *testing.T, o options, test func(t *testing.T, w *world)) {
	t.Helper()
	certificate() // outside of the bubble: it is shared
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, source: conntest.Listen(), lines: &lines{more: o.more}, log: &journal{},
			tls: o.tls, served: make(chan error, 1),
		}
		w.server = &conn.Server{Limits: o.limits, Log: slog.New(slog.NewTextHandler(w.log, nil))}
		l := &conn.Listener{Listener: w.source, Handler: w.lines, NotTLS: func(*conn.Conn) []byte { return []byte(o.notTLS) }, Trusts: o.trusts, Preface: o.preface}
		if o.listener != nil {
			l.Listener = o.listener(w.source)
		}
		if o.tls {
			l.TLS = o.serverTLS()
		}
		go func() { w.served <- w.server.Serve(l) }()
		synctest.Wait()
		defer w.tearDown() // also after a Fatal: a bubble does not end while one runs in it
		test(t, w)
	})
}

// tearDown ends the world, the clients last.
func (w *world) tearDown() {
	w.end()
	for _, p := range w.peers {
		_ = p.raw.Close()
	}
	w.busy.Wait()
}

// closeListeners is the drain up to where nothing more is accepted.
func (w *world) closeListeners() {
	w.t.Helper()
	synctest.Wait() // whoever was answered is parked again, and not about to see the announcement
	w.server.Announce()
	w.server.CloseListeners(context.Background())
	if err := <-w.served; err != net.ErrClosed {
		w.t.Errorf("Serve returned %v, want net.ErrClosed", err)
	}
	w.over = true
}

// drain is the drain up to where every connection knows.
func (w *world) drain() (gone <-chan struct{}) {
	w.t.Helper()
	w.closeListeners()
	return w.server.Drain()
}

// end stops the server if the test has not, cuts what is left after ten minutes, and
// checks the invariants.
func (w *world) end() {
	w.t.Helper()
	if !w.over {
		w.closeListeners()
	}
	gone := w.server.Drain()
	select {
	case <-gone:
	case <-time.After(10 * time.Minute):
		w.server.Cut()
		<-gone
	}
	w.invariants()
}

// invariants are what holds once all connections have ended.
func (w *world) invariants() {
	w.t.Helper()
	l := w.server.Ledger()
	if err := l.Balance(); err != nil {
		w.t.Error(err)
	}
	if l.Open != 0 {
		w.t.Errorf("%d connections open after the end", l.Open)
	}
	if refused, failed := total(w.server.Refusals()), total(w.server.HandshakeFailures()); refused != l.Refused || failed != l.HandshakeFailed {
		w.t.Errorf("%d refused and %d handshakes failed by their reasons, the ledger has %d and %d", refused, failed, l.Refused, l.HandshakeFailed)
	}
	if l.Accepted > w.dialed {
		w.t.Errorf("%d connections accepted, %d dialled", l.Accepted, w.dialed)
	}
}

// wantLedger compares all columns but the open ones and the late bytes.
func (w *world) wantLedger(want conn.Ledger) {
	w.t.Helper()
	got := w.server.Ledger()
	got.LateBytes = 0
	if got != want {
		w.t.Errorf("ledger %+v\n  want %+v", got, want)
	}
}

// wantEnd checks how the newest session to end has ended.
func (w *world) wantEnd(want error) {
	w.t.Helper()
	synctest.Wait()
	ends := w.lines.ended()
	if len(ends) == 0 {
		w.t.Fatalf("no session has ended, want one with %v", want)
	}
	if got := ends[len(ends)-1]; !errors.Is(got, want) {
		w.t.Errorf("the session ended with %v, want %v", got, want)
	}
}

// dial connects, with TLS where the world has it.
func (w *world) dial() *peer {
	w.t.Helper()
	p := w.dialRaw()
	if w.tls {
		t := tls.Client(p.Conn, clientTLS())
		if err := t.Handshake(); err != nil {
			w.t.Fatalf("handshake: %v", err)
		}
		p.Conn, p.r = t, bufio.NewReader(t)
	}
	return p
}

// dialRaw connects without TLS.
func (w *world) dialRaw() *peer { return w.dialFrom("192.0.2.1:50000") }

func (w *world) dialFrom(from string) *peer {
	w.t.Helper()
	c, err := w.source.DialFrom(from)
	if err != nil {
		w.t.Fatal(err)
	}
	w.dialed++
	p := newPeer(w.t, c)
	p.busy = &w.busy
	w.peers = append(w.peers, p)
	return p
}

// peer is a client's end.
type peer struct {
	net.Conn
	raw   net.Conn
	t     *testing.T
	r     *bufio.Reader
	began time.Time
	busy  *sync.WaitGroup
}

func newPeer(t *testing.T, c net.Conn) *peer {
	return &peer{Conn: c, raw: c, t: t, r: bufio.NewReader(c), began: time.Now()}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

func (p *peer) want(line string) {
	p.t.Helper()
	got, err := p.r.ReadString('\n')
	if err != nil || got != line+"\n" {
		p.t.Fatalf("got %q, %v, want %q", got, err, line)
	}
}

// ask sends a request line and wants its answer.
func (p *peer) ask(request, answer string) {
	p.t.Helper()
	p.send(request + "\n")
	p.want(answer)
}

// wantEOF wants the server's FIN and nothing before it, at this time since the dial, and
// closes.
func (p *peer) wantEOF(at time.Duration) {
	p.t.Helper()
	p.wantOver(io.EOF, at)
}

// wantReset wants a cut.
func (p *peer) wantReset(at time.Duration) {
	p.t.Helper()
	p.wantOver(syscall.ECONNRESET, at)
}

func (p *peer) wantOver(want error, at time.Duration) {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	if err == nil {
		err = io.EOF
	}
	if len(rest) > 0 || !errors.Is(err, want) {
		p.t.Errorf("read %q and %v, want only %v", rest, err, want)
	}
	p.wantTime(at)
	_ = p.raw.Close()
}

// wantTime checks the virtual time since the dial.
func (p *peer) wantTime(at time.Duration) {
	p.t.Helper()
	if d := time.Since(p.began); d != at {
		p.t.Errorf("at %v, want %v", d, at)
	}
}

// halfClose closes the client's sending half.
func (p *peer) halfClose() {
	p.t.Helper()
	if err := p.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
}

// trickle writes a piece each interval, in a goroutine of its own, until that fails or
// the count is reached.
func (p *peer) trickle(piece []byte, every time.Duration, count int) {
	p.busy.Go(func() {
		for range count {
			time.Sleep(every)
			if _, err := p.Write(piece); err != nil {
				return
			}
		}
	})
}

// journal is a log that can be read back.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// certificate is a self-signed one, valid in virtual time, which begins in 2000, and now.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"server.test"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func (o *options) serverTLS() *tls.Config {
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}, MinVersion: tls.VersionTLS12}
	if o.config != nil {
		o.config(config)
	}
	return config
}

func clientTLS() *tls.Config {
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(certificate().Certificate[0])
	if err != nil {
		panic(err)
	}
	roots.AddCert(leaf)
	return &tls.Config{RootCAs: roots, ServerName: "server.test"}
}
