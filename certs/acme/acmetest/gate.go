package acmetest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Manner is the way in which a Gate breaks the CA.
type Manner int

const (
	// Pass lets everything through.
	Pass Manner = iota
	// Refuse resets every connection, those that are open included.
	Refuse
	// BlackHole takes connections and requests and never answers.
	BlackHole
	// Answer answers with Fault.Status instead of asking the CA.
	Answer
)

// Fault is what a Gate does to requests.
type Fault struct {
	Manner Manner
	// Only is a part of the URL path of the requests that are struck by Answer and
	// Latency; "" is all. NewOrder is one.
	Only string
	// Status, RetryAfter (the field as it is) and Problem (the last part of its type,
	// such as "rateLimited") are the answer of Answer. Detail is for people.
	Status                      int
	RetryAfter, Problem, Detail string
	// Latency is added before each request is passed on.
	Latency time.Duration
}

// NewOrder is where Pebble takes orders, NewAccount accounts and Finalize CSRs.
const (
	NewOrder   = "/order-plz"
	NewAccount = "/sign-me-up"
	Finalize   = "/finalize-order/"
)

// Gate is a reverse proxy in front of a CA. It may be asked and set while it runs.
type Gate struct {
	// DirectoryURL is the CA's directory through the Gate. All URLs in it lead through
	// the Gate too.
	DirectoryURL string

	proxy  *httputil.ReverseProxy
	server *http.Server
	wg     sync.WaitGroup

	mu       sync.Mutex
	fault    Fault
	changed  chan struct{} // closed when fault is replaced
	open     map[net.Conn]struct{}
	requests int
	asked    int
	placed   int
	paths    map[string]int
}

func newGate(tb testing.TB, identity *identity, directoryURL string) *Gate {
	tb.Helper()
	to, err := url.Parse(directoryURL)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	g := &Gate{
		DirectoryURL: "https://" + listener.Addr().String() + to.Path,
		changed:      make(chan struct{}), open: make(map[net.Conn]struct{}), paths: make(map[string]int),
	}
	g.proxy = g.newProxy(to, identity.roots)
	quiet := log.New(io.Discard, "", 0) // it is told of every connection that a fault cuts
	g.proxy.ErrorLog = quiet
	g.server = &http.Server{Handler: http.HandlerFunc(g.serve), ErrorLog: quiet}
	g.wg.Go(func() {
		_ = g.server.Serve(tls.NewListener(gateListener{listener, g}, &tls.Config{Certificates: []tls.Certificate{identity.chain}}))
	})
	tb.Cleanup(g.close)
	return g
}

// newProxy passes requests on with the Host they had, from which Pebble makes its URLs.
func (g *Gate) newProxy(to *url.URL, roots *x509.CertPool) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true,
		},
		ModifyResponse: func(res *http.Response) error {
			if res.Request.URL.Path == NewOrder && res.StatusCode == http.StatusCreated {
				g.mu.Lock()
				g.placed++
				g.mu.Unlock()
			}
			return nil
		},
	}
}

// Set breaks the CA in this way from now on, requests that wait included. The zero Fault
// mends it.
func (g *Gate) Set(f Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = f
	close(g.changed)
	g.changed = make(chan struct{})
	if f.Manner == Refuse {
		g.reset()
	}
}

// reset cuts what is open so that the peer sees an RST. The caller holds mu.
func (g *Gate) reset() {
	for c := range g.open {
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	clear(g.open)
}

// Requests is how many requests came, answered or not.
func (g *Gate) Requests() int { return g.count(&g.requests) }

// OrderRequests is how many of them asked for a new order, and Orders how many orders
// the CA made of these.
func (g *Gate) OrderRequests() int { return g.count(&g.asked) }

// Orders is how many orders the CA made.
func (g *Gate) Orders() int { return g.count(&g.placed) }

// To is how many requests came for paths that hold part.
func (g *Gate) To(part string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for path, times := range g.paths {
		if strings.Contains(path, part) {
			n += times
		}
	}
	return n
}

func (g *Gate) count(of *int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return *of
}

func (g *Gate) note(r *http.Request) (f Fault, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	g.paths[r.URL.Path]++
	if r.URL.Path == NewOrder {
		g.asked++
	}
	return g.fault, g.changed
}

func (g *Gate) serve(w http.ResponseWriter, r *http.Request) {
	fault, changed := g.note(r)
	struck := strings.Contains(r.URL.Path, fault.Only)
	switch {
	case fault.Manner == BlackHole:
		<-r.Context().Done() // a CA that comes back has forgotten what it was asked
		panic(http.ErrAbortHandler)
	case fault.Manner == Answer && struck:
		fault.answer(w)
		return
	case fault.Latency > 0 && struck:
		delay := time.NewTimer(fault.Latency)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-changed:
		case <-r.Context().Done():
		}
	}
	g.proxy.ServeHTTP(w, r)
}

func (f Fault) answer(w http.ResponseWriter) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // a client that is gone is a fault too
		"type": "urn:ietf:params:acme:error:" + f.Problem, "detail": f.Detail, "status": f.Status,
	})
}

// gateListener is where connections are refused or swallowed.
type gateListener struct {
	net.Listener
	g *Gate
}

func (l gateListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.g.mu.Lock()
		l.g.open[c] = struct{}{}
		manner := l.g.fault.Manner
		if manner == Refuse {
			l.g.reset()
		}
		l.g.mu.Unlock()
		if manner == Pass || manner == Answer {
			return gateConn{c.(*net.TCPConn), l.g}, nil
		}
	}
}

// gateConn is forgotten when it closes.
type gateConn struct {
	*net.TCPConn
	g *Gate
}

func (c gateConn) Close() error {
	c.g.mu.Lock()
	delete(c.g.open, net.Conn(c.TCPConn))
	c.g.mu.Unlock()
	return c.TCPConn.Close()
}

func (g *Gate) close() {
	g.server.Close()
	g.mu.Lock()
	g.reset()
	g.mu.Unlock()
	g.wg.Wait()
}
