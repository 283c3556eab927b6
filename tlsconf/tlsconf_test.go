package tlsconf

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Alerts by their number (RFC 8446 §6).
const (
	handshakeFailure      tls.AlertError = 40
	protocolVersion       tls.AlertError = 70
	internalError         tls.AlertError = 80
	unrecognizedName      tls.AlertError = 112
	noApplicationProtocol tls.AlertError = 120
)

// certificate makes a self-signed one for a.example.
func certificate(t testing.TB, key crypto.Signer) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"a.example"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func ecdsaCertificate(t testing.TB) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, key)
}

func rsaCertificate(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return certificate(t, key)
}

func always(c *tls.Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c, nil }
}

// listen serves "hello" on each connection with one shared Config until the test ends.
func listen(t *testing.T, config *tls.Config) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			greet(tls.Server(raw, config))
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String()
}

func greet(c *tls.Conn) {
	defer c.Close()
	if c.SetDeadline(time.Now().Add(20*time.Second)) != nil || c.Handshake() != nil {
		return
	}
	_, _ = io.WriteString(c, "hello")
}

// dial reads the greeting, after which a TLS 1.3 client has its session ticket.
func dial(t *testing.T, addr string, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	client = client.Clone()
	client.InsecureSkipVerify = true
	if client.ServerName == "" {
		client.ServerName = "a.example"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := (&tls.Dialer{Config: client}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	if err == nil && string(text) != "hello" {
		t.Errorf("read %q", text)
	}
	return c.(*tls.Conn).ConnectionState(), err
}

func wantAlert(t *testing.T, err error, want tls.AlertError) {
	t.Helper()
	// crypto/tls keeps the type of an alert that was received to itself.
	if err == nil || err.Error() != "remote error: "+want.Error() {
		t.Errorf("got %v, want alert %d (%v)", err, uint8(want), want)
	}
}

func TestVersions(t *testing.T) {
	addr := listen(t, Server(always(ecdsaCertificate(t))))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version)+" is spoken", func(t *testing.T) {
			state, err := dial(t, addr, &tls.Config{MinVersion: version, MaxVersion: version})
			if err != nil || state.Version != version {
				t.Errorf("got %s, %v", tls.VersionName(state.Version), err)
			}
		})
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		t.Run(tls.VersionName(version)+" is refused (RFC 8996)", func(t *testing.T) {
			_, err := dial(t, addr, &tls.Config{MinVersion: version, MaxVersion: version})
			wantAlert(t, err, protocolVersion)
		})
	}
	t.Run("a client of both gets TLS 1.3 and a post-quantum group", func(t *testing.T) {
		state, err := dial(t, addr, &tls.Config{})
		if err != nil || state.Version != tls.VersionTLS13 || GroupName(state.CurveID) != "X25519MLKEM768" {
			t.Errorf("got %s with %s, %v", tls.VersionName(state.Version), GroupName(state.CurveID), err)
		}
	})
}

func TestSuitesOfTLS12(t *testing.T) {
	servers := map[string]string{
		"ECDSA": listen(t, Server(always(ecdsaCertificate(t)))),
		"RSA":   listen(t, Server(always(rsaCertificate(t)))),
	}
	allowed := map[uint16]string{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       "ECDSA",
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       "ECDSA",
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDSA",
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         "RSA",
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         "RSA",
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   "RSA",
	}
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		offer := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}
		auth, ok := allowed[suite.ID]
		if ok {
			t.Run(suite.Name+" is spoken", func(t *testing.T) {
				state, err := dial(t, servers[auth], offer)
				if err != nil || state.CipherSuite != suite.ID {
					t.Errorf("got %s, %v", tls.CipherSuiteName(state.CipherSuite), err)
				}
			})
			continue
		}
		for auth, addr := range servers {
			t.Run(suite.Name+" is refused with "+auth, func(t *testing.T) {
				_, err := dial(t, addr, offer)
				wantAlert(t, err, handshakeFailure)
			})
		}
	}
}

func TestALPN(t *testing.T) {
	addr := listen(t, Server(always(ecdsaCertificate(t))))
	for name, row := range map[string]struct {
		offer []string
		want  string
	}{
		"http/1.1 is taken":                   {[]string{"http/1.1"}, "http/1.1"},
		"http/1.1 is taken after h2":          {[]string{"h2", "http/1.1"}, "http/1.1"},
		"a client without ALPN is served too": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := dial(t, addr, &tls.Config{NextProtos: row.offer})
			if err != nil || state.NegotiatedProtocol != row.want {
				t.Errorf("got %q, %v", state.NegotiatedProtocol, err)
			}
		})
	}
	for _, offer := range []string{"h2", "http/1.0", "acme-tls/1", "HTTP/1.1"} {
		t.Run("only "+offer+" is refused (RFC 7301 §3.2)", func(t *testing.T) {
			_, err := dial(t, addr, &tls.Config{NextProtos: []string{offer}})
			wantAlert(t, err, noApplicationProtocol)
		})
	}
}

func TestSessionsResumeOnAnotherConnection(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			addr := listen(t, Server(always(ecdsaCertificate(t))))
			client := &tls.Config{MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			for n, want := range []bool{false, true, true} {
				state, err := dial(t, addr, client)
				if err != nil || state.DidResume != want {
					t.Errorf("connection %d: resumed %v, want %v, %v", n+1, state.DidResume, want, err)
				}
			}
		})
	}
	t.Run("but not on a server with other keys", func(t *testing.T) {
		cert := ecdsaCertificate(t)
		client := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for range 2 {
			state, err := dial(t, listen(t, Server(always(cert))), client)
			if err != nil || state.DidResume {
				t.Errorf("resumed %v, %v", state.DidResume, err)
			}
		}
	})
}

func TestAnswersOfGetCertificate(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want tls.AlertError
	}{
		"no certificate sends unrecognized_name (RFC 6066 §3)": {nil, unrecognizedName},
		"an error sends internal_error":                        {errors.New("broken"), internalError},
	} {
		t.Run(name, func(t *testing.T) {
			addr := listen(t, Server(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, row.err }))
			_, err := dial(t, addr, &tls.Config{})
			wantAlert(t, err, row.want)
		})
	}
}

// Row 11 of the fault list. crypto/tls clients cannot ask for a renegotiation; openssl can.
func TestRenegotiationIsRefused(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("HOLDFAST_CI") == "1" {
			t.Fatal("openssl is missing: apt-get install openssl")
		}
		t.Skip("openssl is missing: apt-get install openssl")
	}
	config := Server(always(ecdsaCertificate(t)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() { served <- untilReadFails(listener, config) }()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := exec.CommandContext(ctx, "openssl", "s_client", "-connect", listener.Addr().String(), "-tls1_2", "-servername", "a.example")
	in, err := client.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	if err := waitForLine(out, "Verify return code"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(in, "R\n") // s_client's command for "renegotiate"
	if err := <-served; err == nil || !strings.Contains(err.Error(), "unexpected handshake message") {
		t.Errorf("the server did not take the second hello for an error: %v", err)
	}
	in.Close()
	_, _ = io.Copy(io.Discard, out)
	_ = client.Wait() // its verdict on a refused renegotiation varies by version
}

func untilReadFails(listener net.Listener, config *tls.Config) error {
	raw, err := listener.Accept()
	if err != nil {
		return err
	}
	c := tls.Server(raw, config)
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c)
	return err
}

func waitForLine(r io.Reader, text string) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return nil
		}
	}
	return errors.Join(io.ErrUnexpectedEOF, lines.Err())
}

func TestGroupName(t *testing.T) {
	for id, want := range map[tls.CurveID]string{
		0:                  "",
		tls.X25519:         "x25519",
		tls.X25519MLKEM768: "X25519MLKEM768",
		tls.CurveP256:      "secp256r1",
		tls.CurveP384:      "secp384r1",
		tls.CurveP521:      "secp521r1",
		0xfefe:             "CurveID(65278)",
	} {
		if got := GroupName(id); got != want {
			t.Errorf("%d: got %q, want %q", uint16(id), got, want)
		}
	}
}
