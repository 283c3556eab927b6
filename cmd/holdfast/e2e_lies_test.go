package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// lyingConfig is HAProxy in front of three servers: it writes X-Forwarded-For, which it has
// an option for, or Forwarded, and ends TLS, as far as it says, in all frontends but the first.
const lyingConfig = `
defaults
	mode http
	timeout connect 30s
	timeout client 60s
	timeout server 60s
frontend habit
	bind BIND
	option forwardfor
	http-request set-header X-Forwarded-Proto http
	default_backend auto
frontend named
	bind BIND
	option forwardfor
	http-request set-header X-Forwarded-Proto https
	default_backend named
frontend rfc
	bind BIND
	http-request add-header Forwarded "for=%[src];proto=https"
	default_backend auto
frontend stranger
	bind BIND
	option forwardfor
	http-request set-header X-Forwarded-Proto https
	default_backend untrusting
backend auto
	server s AUTO
backend named
	server s NAMED
backend untrusting
	server s UNTRUSTING
`

// lyingClient is where the client of these tests connects from.
const lyingClient = "127.9.0.7"

// TestLiesThroughHAProxy has a client lie to a real proxy. The listener behind it redirects to
// HTTPS (308) unless the proxy says that it has ended TLS: then it serves the site (200), with
// what browsers are told over HTTPS alone.
func TestLiesThroughHAProxy(t *testing.T) {
	program(t, "haproxy", "haproxy")
	root := site(t, map[string]string{"index.html": "the quay"})
	auto := launch(t, root, "--http", "127.0.0.1:0", "--hsts", "1h", "--trusted-proxy", "127.0.0.1")
	named := launch(t, root, "--http", "127.0.0.1:0", "--hsts", "1h", "--trusted-proxy", "127.0.0.0/30", "--forwarded-field", "x-forwarded-for")
	untrusting := launch(t, root, "--http", "127.0.0.1:0", "--hsts", "1h", "--trusted-proxy", "10.0.0.0/8")
	h := startHAProxy(t, strings.NewReplacer("AUTO", auto.http, "UNTRUSTING", untrusting.http, "NAMED", named.http).Replace(lyingConfig))

	const proxy = "127.0.0.1"
	for _, c := range []struct {
		name   string
		front  int
		s      *server
		lies   []string
		client string
		status int
	}{
		{"X-Forwarded-For names the client", 0, auto, nil, lyingClient, 308},
		{"not the one that it names itself", 0, auto, []string{"X-Forwarded-For: 203.0.113.66"}, lyingClient, 308},
		{"also not through one that is trusted", 0, auto, []string{"X-Forwarded-For: 203.0.113.66, 127.0.0.1", "X-Forwarded-For: 127.0.0.1"}, lyingClient, 308},
		{"nor a scheme that the proxy overwrites", 0, auto, []string{"X-Forwarded-Proto: https"}, lyingClient, 308},
		{"two fields that differ name nobody", 0, auto, []string{"Forwarded: for=203.0.113.66;proto=https"}, proxy, 308},
		{"unless one of them is the one that counts", 1, named, []string{"Forwarded: for=203.0.113.66;proto=http", "X-Forwarded-For: 127.0.0.2"}, lyingClient, 200},
		{"Forwarded names the client and its scheme", 2, auto, nil, lyingClient, 200},
		{"not the one that it names itself by that", 2, auto, []string{"Forwarded: for=203.0.113.66;proto=http, for=127.0.0.1;proto=http"}, lyingClient, 200},
		{"a quote that is left open swallows nothing", 2, auto, []string{`Forwarded: for=203.0.113.66;proto=http;x="`}, lyingClient, 200},
		{"Forwarded and a lie in the other field", 2, auto, []string{"X-Forwarded-For: 203.0.113.66"}, proxy, 308},
		{"a proxy that is not trusted names nobody", 3, untrusting, nil, proxy, 308},
		{"whatever its client says", 3, untrusting, []string{"Forwarded: for=10.0.0.1;proto=https"}, proxy, 308},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := len(c.s.access.records("request"))
			p := dialFrom(t, lyingClient, h.addrs[c.front])
			p.send("GET / HTTP/1.1\r\nHost: a.example.org\r\n" + strings.Join(append(c.lies, ""), "\r\n") + "\r\n")
			res, _ := p.response(c.status)
			if pinned := res.Header.Get("Strict-Transport-Security") != ""; pinned != (c.status == 200) {
				t.Errorf("status %d, and browsers are told to keep to HTTPS: %v", c.status, pinned)
			}
			c.s.checkClient(t, seen, c.client)
		})
	}
	if warnings := auto.log.records("Forwarded and X-Forwarded-For disagree, so neither is believed"); len(warnings) == 0 {
		t.Error("the log does not tell of fields that differ")
	}
}

// dialFrom connects from an address of this machine.
func dialFrom(t testing.TB, from, addr string) *peer {
	t.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0)), Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newPeer(t, conn)
}

// checkClient waits for access line number n and compares its client's address. The peer
// stands there when it is somebody else.
func (s *server) checkClient(t testing.TB, n int, want string) {
	t.Helper()
	eventually(t, "the request in the access log", func() bool { return len(s.access.records("request")) > n })
	r := s.access.records("request")[n]
	client, _ := r["client"].(string)
	peer, _ := r["peer"].(string)
	if host, _, err := net.SplitHostPort(client); err == nil && peer == "" {
		client = host // the proxy's own end has a port
	}
	if client != want || (want == lyingClient) != strings.HasPrefix(peer, "127.0.0.1:") {
		t.Errorf("client %q, peer %q, want %s", client, peer, want)
	}
}
