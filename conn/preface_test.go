package conn_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/proxyproto"
)

// proxyAddr is the one address that these tests trust.
const proxyAddr = "192.0.2.200:60000"

func trustsProxy(a netip.Addr) bool { return a == netip.MustParseAddrPort(proxyAddr).Addr() }

// behindProxy are the options of a server that takes the PROXY protocol.
func behindProxy(tls bool, limits conn.Limits) options {
	return options{tls: tls, limits: limits, trusts: trustsProxy, preface: proxyproto.Read}
}

// line is a header for a client.
func line(client string) string {
	a := netip.MustParseAddrPort(client)
	return "PROXY TCP4 " + a.Addr().String() + " 198.51.100.80 " + client[strings.LastIndexByte(client, ':')+1:] + " 443\r\n"
}

// dialProxied connects as the proxy does for a client; with TLS where the world has it.
func (w *world) dialProxied(header string) *peer {
	w.t.Helper()
	p := w.dialFrom(proxyAddr)
	p.send(header)
	if w.tls {
		t := tls.Client(p.Conn, clientTLS())
		if err := t.Handshake(); err != nil {
			w.t.Fatalf("handshake: %v", err)
		}
		p.Conn, p.r = t, bufio.NewReader(t)
	}
	return p
}

// inProxiedWorld runs a test in clear and with TLS.
func inProxiedWorld(t *testing.T, name string, limits conn.Limits, test func(t *testing.T, w *world)) {
	t.Run(name+"/plain", func(t *testing.T) { inWorld(t, behindProxy(false, limits), test) })
	t.Run(name+"/TLS", func(t *testing.T) { inWorld(t, behindProxy(true, limits), test) })
}

func TestPreface(t *testing.T) {
	inProxiedWorld(t, "the client is whom the proxy names", conn.Limits{}, func(t *testing.T, w *world) {
		p := w.dialProxied(line("203.0.113.9:4444"))
		p.ask("echo a", "a")
		c := w.lines.newest()
		if c.Remote().String() != "203.0.113.9:4444" || c.Local().String() != "198.51.100.80:443" || c.Unnamed() {
			t.Errorf("remote %v, local %v", c.Remote(), c.Local())
		}
	})
	inProxiedWorld(t, "UNKNOWN leaves the connection's own addresses", conn.Limits{}, func(t *testing.T, w *world) {
		w.dialProxied("PROXY UNKNOWN\r\n").ask("echo a", "a")
		if c := w.lines.newest(); c.Remote().String() != proxyAddr || c.Local().String() != "192.0.2.80:443" || !c.Unnamed() {
			t.Errorf("remote %v, local %v, unnamed %v", c.Remote(), c.Local(), c.Unnamed())
		}
	})
	t.Run("what follows it in the same segment is the first request", func(t *testing.T) {
		inWorld(t, behindProxy(false, conn.Limits{}), func(t *testing.T, w *world) {
			p := w.dialFrom(proxyAddr)
			p.send(line("203.0.113.9:4444") + "echo a\necho b\n")
			p.want("a")
			p.want("b")
		})
	})
	t.Run("one that is missing ends the connection at once", func(t *testing.T) {
		inWorld(t, behindProxy(false, conn.Limits{}), func(t *testing.T, w *world) {
			p := w.dialFrom(proxyAddr)
			p.send("echo a\n")
			p.wantEOF(0)
			w.end()
			w.wantLedger(conn.Ledger{Accepted: 1, HandshakeFailed: 1})
		})
	})
	t.Run("from others none is looked for", func(t *testing.T) {
		inWorld(t, behindProxy(false, conn.Limits{}), func(t *testing.T, w *world) {
			w.dial().ask("echo a", "a")
			p := w.dial()
			p.send(line("203.0.113.9:4444") + "echo a\n")
			p.wantEOF(0)
			synctest.Wait()
			if ends := w.lines.ended(); len(ends) != 1 || ends[0] == nil || !strings.Contains(ends[0].Error(), `unknown verb "PROXY"`) {
				t.Errorf("ended with %v", ends)
			}
			if c := w.lines.newest(); c.Remote().String() != "192.0.2.1:50000" {
				t.Errorf("remote %v", c.Remote())
			}
		})
	})
	t.Run("one that panics costs its connection alone", func(t *testing.T) {
		o := behindProxy(false, conn.Limits{})
		o.preface = func(io.Reader) (a, b netip.AddrPort, err error) { panic("told to") }
		inWorld(t, o, func(t *testing.T, w *world) {
			w.dialFrom(proxyAddr).wantReset(0)
			w.dial().ask("echo a", "a")
		})
	})
}

func TestPrefaceClock(t *testing.T) {
	limits := conn.Limits{HandshakeTimeout: 10 * time.Second, HeadTimeout: 3 * time.Second}
	inProxiedWorld(t, "silence is given up with the handshake clock", limits, func(t *testing.T, w *world) {
		w.dialFrom(proxyAddr).wantEOF(10 * time.Second)
		w.end()
		w.wantLedger(conn.Ledger{Accepted: 1, HandshakeFailed: 1})
	})
	inProxiedWorld(t, "a byte now and then does not extend it", limits, func(t *testing.T, w *world) {
		p := w.dialFrom(proxyAddr)
		p.busy.Go(func() {
			for _, b := range []byte("PROXY UNKNOWN") {
				time.Sleep(2 * time.Second)
				if _, err := p.Write([]byte{b}); err != nil {
					return
				}
			}
		})
		p.wantEOF(10 * time.Second)
	})
	t.Run("the TLS handshake goes on with the same clock", func(t *testing.T) {
		inWorld(t, behindProxy(true, limits), func(t *testing.T, w *world) {
			p := w.dialFrom(proxyAddr)
			time.Sleep(6 * time.Second)
			p.send("PROXY UNKNOWN\r\n\x16\x03")
			p.wantEOF(10 * time.Second)
		})
	})
	t.Run("the head has its own", func(t *testing.T) {
		inWorld(t, behindProxy(false, limits), func(t *testing.T, w *world) {
			p := w.dialFrom(proxyAddr)
			time.Sleep(6 * time.Second)
			p.send("PROXY UNKNOWN\r\n")
			p.wantEOF(9 * time.Second)
			w.wantEnd(conn.ErrHeadTimeout)
		})
	})
	t.Run("a header that comes in pieces is read", func(t *testing.T) {
		inWorld(t, behindProxy(false, limits), func(t *testing.T, w *world) {
			p := w.dialFrom(proxyAddr)
			for _, b := range []byte(line("203.0.113.9:4444") + "echo a\n") {
				time.Sleep(100 * time.Millisecond)
				p.send(string(b))
			}
			p.want("a")
		})
	})
}

func TestPrefaceInADrain(t *testing.T) {
	inProxiedWorld(t, "silence gets a second", conn.Limits{}, func(t *testing.T, w *world) {
		p := w.dialFrom(proxyAddr)
		gone := w.drain()
		p.wantEOF(emptied + time.Second)
		<-gone
	})
	inProxiedWorld(t, "who goes on within it is served", conn.Limits{}, func(t *testing.T, w *world) {
		p := w.dialFrom(proxyAddr)
		p.send("PROXY UNKN")
		gone := w.drain()
		time.Sleep(time.Second / 2)
		p.send("OWN\r\n")
		if w.tls {
			t := tls.Client(p.Conn, clientTLS())
			if err := t.Handshake(); err != nil {
				w.t.Fatalf("handshake: %v", err)
			}
			p.Conn, p.r = t, bufio.NewReader(t)
		}
		p.ask("echo a", "a")
		_ = p.Close()
		<-gone
		w.wantLedger(conn.Ledger{Accepted: 1, Quiet: 1})
	})
}

func TestLimitPerClientBehindAProxy(t *testing.T) {
	inProxiedWorld(t, "the client counts and not the proxy", conn.Limits{ConnectionsPerIP: 2}, func(t *testing.T, w *world) {
		first := w.dialProxied(line("203.0.113.9:1"))
		first.ask("echo a", "a")
		w.dialProxied(line("203.0.113.9:2")).ask("echo a", "a")
		over := w.dialFrom(proxyAddr)
		over.send(line("203.0.113.9:3"))
		over.wantReset(0)
		w.dialProxied(line("203.0.113.10:4")).ask("echo a", "a")
		w.dialProxied("PROXY UNKNOWN\r\n").ask("echo a", "a")
		_ = first.Close()
		synctest.Wait()
		w.dialProxied(line("203.0.113.9:5")).ask("echo a", "a")
		if log := w.log.String(); !strings.Contains(log, "latest_client=203.0.113.9:3 refused=1 ") {
			t.Errorf("the log names somebody else: %s", log)
		}
		w.end()
		w.wantLedger(conn.Ledger{Accepted: 6, Quiet: 5, Refused: 1})
	})
	t.Run("a client has the same places with and without the proxy", func(t *testing.T) {
		inWorld(t, behindProxy(false, conn.Limits{ConnectionsPerIP: 1}), func(t *testing.T, w *world) {
			p := w.dialFrom("203.0.113.9:1")
			p.ask("echo a", "a")
			over := w.dialFrom(proxyAddr)
			over.send(line("203.0.113.9:2"))
			over.wantReset(0)
		})
	})
	t.Run("a trusted peer without a preface has as many as it likes", func(t *testing.T) {
		inWorld(t, options{trusts: trustsProxy, limits: conn.Limits{ConnectionsPerIP: 1}}, func(t *testing.T, w *world) {
			for range 5 {
				w.dialFrom(proxyAddr).ask("echo a", "a")
			}
		})
	})
	t.Run("so has a proxy that another proxy names", func(t *testing.T) {
		inWorld(t, behindProxy(false, conn.Limits{ConnectionsPerIP: 1}), func(t *testing.T, w *world) {
			for range 5 {
				w.dialProxied(line(proxyAddr)).ask("echo a", "a")
			}
		})
	})
}

// A balancer's health check connects and leaves.
func TestHealthChecks(t *testing.T) {
	for _, row := range []struct {
		name         string
		tls, preface bool
		from, sent   string
		want         conn.Ledger
	}{
		{"in clear", false, false, proxyAddr, "", conn.Ledger{Accepted: 1, Quiet: 1}},
		{"with TLS", true, false, proxyAddr, "", conn.Ledger{Accepted: 1, Quiet: 1}},
		{"before a preface", false, true, proxyAddr, "", conn.Ledger{Accepted: 1, Quiet: 1}},
		{"before a preface and TLS", true, true, proxyAddr, "", conn.Ledger{Accepted: 1, Quiet: 1}},
		{"behind a preface", false, true, proxyAddr, "PROXY UNKNOWN\r\n", conn.Ledger{Accepted: 1, Quiet: 1}},
		{"between a preface and TLS", true, true, proxyAddr, "PROXY UNKNOWN\r\n", conn.Ledger{Accepted: 1, Quiet: 1}},
		{"half a preface is none", false, true, proxyAddr, "PROXY UNKN", conn.Ledger{Accepted: 1, HandshakeFailed: 1}},
		{"half a hello is none", true, false, proxyAddr, "\x16\x03", conn.Ledger{Accepted: 1, HandshakeFailed: 1}},
		{"a stranger's is a handshake that failed", true, true, "192.0.2.1:1", "", conn.Ledger{Accepted: 1, HandshakeFailed: 1}},
	} {
		for end, leave := range map[string]func(p *peer){
			"FIN":   func(p *peer) { p.halfClose() },
			"reset": func(p *peer) { _ = p.raw.(interface{ SetLinger(int) error }).SetLinger(0); _ = p.raw.Close() },
		} {
			t.Run(row.name+"/"+end, func(t *testing.T) {
				o := options{tls: row.tls, trusts: trustsProxy}
				if row.preface {
					o.preface = proxyproto.Read
				}
				inWorld(t, o, func(t *testing.T, w *world) {
					p := w.dialFrom(row.from)
					p.send(row.sent)
					synctest.Wait()
					leave(p)
					synctest.Wait()
					_ = p.raw.Close()
					w.end()
					w.wantLedger(row.want)
				})
			})
		}
	}
}

// On real sockets the last look asks the kernel: what follows the header must still be there.
func TestPrefaceOnSockets(t *testing.T) {
	everybody := func(netip.Addr) bool { return true }
	for _, source := range []string{"TCP", "unix"} {
		t.Run("requests written just before the drain are answered over "+source, func(t *testing.T) {
			const clients = 30
			l := listen(t)
			if source == "unix" {
				l = listenUnix(t, socketPath(t))
			}
			s := newStationOn(t, options{trusts: everybody, preface: proxyproto.Read}, l)
			idle := make([]*client, clients)
			for i := range idle {
				idle[i] = s.dial()
				idle[i].ask(line("203.0.113.9:4444")+"echo a\n", "a")
			}
			until(t, "everybody idle", func() bool { return s.lines.inState(conn.Idle) == clients })
			s.server.Announce()
			s.server.CloseListeners(context.Background())
			for _, c := range idle {
				if _, err := io.WriteString(c.Conn, "echo b\n"); err != nil {
					t.Fatal(err)
				}
			}
			gone := s.server.Drain()
			for i, c := range idle {
				if got, err := c.r.ReadString('\n'); got != "b\n" {
					t.Errorf("client %d got %q, %v", i, got, err)
				}
				_ = c.Close()
			}
			<-gone
			if l := s.server.Ledger(); l.Quiet != clients || l.LateBytes != 0 {
				t.Errorf("ledger %+v", l)
			}
		})
	}
	t.Run("a silent proxy is given up in real time too", func(t *testing.T) {
		o := options{trusts: everybody, preface: proxyproto.Read, limits: conn.Limits{HandshakeTimeout: 50 * time.Millisecond}}
		c := newStation(t, o).dial()
		if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v", err)
		}
	})
}
