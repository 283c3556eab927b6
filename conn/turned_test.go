package conn_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// total is the sum of counters that have names.
func total(counted map[string]int64) (sum int64) {
	for _, n := range counted {
		sum += n
	}
	return sum
}

// wantOnly wants one of the counters to have counted one, and no other anything.
func wantOnly(t *testing.T, counted map[string]int64, name string) {
	t.Helper()
	if _, there := counted[name]; !there || counted[name] != 1 || total(counted) != 1 {
		t.Errorf("counted %v, want one %s and nothing else", counted, name)
	}
}

func TestStates(t *testing.T) {
	want := func(w *world, want conn.States) {
		w.t.Helper()
		synctest.Wait()
		if got := w.server.States(); got != want {
			w.t.Errorf("%v, want %v", got, want)
		}
	}
	t.Run("each connection is counted where it stands", func(t *testing.T) {
		inWorld(t, options{tls: true}, func(t *testing.T, w *world) {
			want(w, conn.States{})
			w.dialRaw()
			want(w, conn.States{conn.New: 1})
			p := w.dial()
			p.ask("echo a", "a")
			want(w, conn.States{conn.New: 1, conn.Idle: 1})
			p.send("ec")
			want(w, conn.States{conn.New: 1, conn.Active: 1})
			p.send("ho b\n")
			p.want("b")
			w.dial().ask("echo c", "c")
			want(w, conn.States{conn.New: 1, conn.Idle: 2})
		})
	})
	t.Run("one that lingers is closed, and one that is gone is not there", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			p := w.dial()
			p.send("nonsense\n") // ends the session
			want(w, conn.States{conn.Closed: 1})
			_ = p.Close()
			want(w, conn.States{})
		})
	})
	t.Run("resting is idle", func(t *testing.T) {
		inWorld(t, options{}, func(t *testing.T, w *world) {
			w.dial().ask("echo a", "a")
			<-time.After(10 * time.Second)
			want(w, conn.States{conn.Idle: 1})
		})
	})
}

func TestRefusalsByLimit(t *testing.T) {
	t.Run("every limit is named before anybody was refused", func(t *testing.T) {
		got := new(conn.Server).Refusals()
		for _, name := range []string{"connections", "connections-per-ip", "stopping"} {
			if n, there := got[name]; !there || n != 0 {
				t.Errorf("%s: %d, %t", name, n, there)
			}
		}
		if len(got) != 3 {
			t.Errorf("%v", got)
		}
	})
	for _, c := range []struct {
		name   string
		limits conn.Limits
	}{
		{"connections", conn.Limits{Connections: 1}},
		{"connections-per-ip", conn.Limits{ConnectionsPerIP: 1}},
		{"connections", conn.Limits{Connections: 1, ConnectionsPerIP: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, options{limits: c.limits}, func(t *testing.T, w *world) {
				w.dial().ask("echo a", "a")
				w.dial()
				synctest.Wait()
				wantOnly(t, w.server.Refusals(), c.name)
			})
		})
	}
	t.Run("a client behind a proxy is over the limit of its own address", func(t *testing.T) {
		inWorld(t, behindProxy(false, conn.Limits{ConnectionsPerIP: 1}), func(t *testing.T, w *world) {
			for range 2 {
				w.dialFrom(proxyAddr).send(line("203.0.113.9:1"))
			}
			synctest.Wait()
			wantOnly(t, w.server.Refusals(), "connections-per-ip")
		})
	})
}

func TestHandshakeFailuresByReason(t *testing.T) {
	// The client that knows nothing of the server's CA tells it so by an alert.
	for _, c := range []struct {
		reason string
		config func(*tls.Config) // the server's
		client func(p *peer)
	}{
		{"timeout", nil, func(*peer) { <-time.After(time.Minute) }},
		{"not-tls", nil, func(p *peer) { p.send("GET / HTTP/1.1\r\n\r\n") }},
		{"peer-left", nil, func(p *peer) { p.send("\x16\x03\x01"); _ = p.Close() }},
		{"alert", nil, func(p *peer) { _ = tls.Client(p.Conn, &tls.Config{ServerName: "server.test"}).Handshake() }},
		{"protocol", func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }, func(p *peer) {
			config := clientTLS()
			config.MaxVersion = tls.VersionTLS12
			_ = tls.Client(p.Conn, config).Handshake()
		}},
		{"protocol", func(c *tls.Config) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, errors.New("told to fail") }
		}, func(p *peer) { _ = tls.Client(p.Conn, clientTLS()).Handshake() }},
		{"client-certificate", func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }, func(p *peer) {
			c := tls.Client(p.Conn, clientTLS())
			_ = c.Handshake()
			_, _ = c.Read(make([]byte, 1)) // the alert comes behind TLS 1.3's handshake
		}},
		{"client-certificate", func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool() }, func(p *peer) {
			config := clientTLS()
			config.Certificates = []tls.Certificate{certificate()} // of nobody's CA
			c := tls.Client(p.Conn, config)
			_ = c.Handshake()
			_, _ = c.Read(make([]byte, 1))
		}},
		{"unknown-name", func(c *tls.Config) {
			c.Certificates = nil
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
		}, func(p *peer) { _ = tls.Client(p.Conn, clientTLS()).Handshake() }},
	} {
		t.Run(c.reason, func(t *testing.T) {
			inWorld(t, options{tls: true, config: c.config}, func(t *testing.T, w *world) {
				if got := w.server.HandshakeFailures(); len(got) != 8 || total(got) != 0 {
					t.Errorf("at first %v, want eight reasons and nothing counted", got)
				}
				p := w.dialRaw()
				c.client(p)
				_ = p.raw.Close()
				synctest.Wait()
				wantOnly(t, w.server.HandshakeFailures(), c.reason)
			})
		})
	}
	t.Run("preface", func(t *testing.T) {
		o := behindProxy(true, conn.Limits{})
		o.preface = func(io.Reader) (a, b netip.AddrPort, err error) { return a, b, errors.New("told to fail") }
		inWorld(t, o, func(t *testing.T, w *world) {
			p := w.dialFrom(proxyAddr)
			p.send("x")
			_ = p.Close()
			synctest.Wait()
			wantOnly(t, w.server.HandshakeFailures(), "preface")
		})
	})
}
