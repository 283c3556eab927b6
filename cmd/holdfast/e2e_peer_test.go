package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// A peer is a client that says exactly what a test has it say.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// dialTCP connects and says nothing. windowBytes is the receive buffer to ask for, which
// bounds what the kernel takes for a client that does not read; 0 leaves it.
func dialTCP(t testing.TB, addr string, windowBytes int) *peer {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if windowBytes == 0 {
			return nil
		}
		// Before the connection: the window that the handshake offers follows from it.
		controlErr := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, windowBytes)
		})
		return errors.Join(err, controlErr)
	}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return newPeer(t, conn)
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// secure makes the TLS handshake.
func (p *peer) secure(config *tls.Config) *peer {
	p.t.Helper()
	conn := tls.Client(p.conn, config)
	if err := conn.Handshake(); err != nil {
		p.t.Fatalf("handshake: %v", err)
	}
	return newPeer(p.t, conn)
}

// dial connects to the server's HTTPS listener and makes the handshake.
func (s *server) dial(t testing.TB) *peer {
	t.Helper()
	return dialTCP(t, s.https, 0).secure(s.trust())
}

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// get sends a request.
func (p *peer) get(target string) {
	p.t.Helper()
	p.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

// response reads a response whole and checks its status.
func (p *peer) response(status int) (*http.Response, []byte) {
	p.t.Helper()
	response := p.head(status)
	body, err := readAndClose(response.Body)
	if err != nil {
		p.t.Fatalf("response %d, its body after %d bytes: %v", response.StatusCode, len(body), err)
	}
	return response, body
}

// head reads a response's head and leaves its body to the caller.
func (p *peer) head(status int) *http.Response {
	p.t.Helper()
	response, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatalf("no response: %v", err)
	}
	if response.StatusCode != status {
		p.t.Fatalf("status %d, want %d", response.StatusCode, status)
	}
	return response
}

// ended reads what is left and expects the orderly end: over TLS a close_notify, else a
// FIN, and nothing before it.
func (p *peer) ended() {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	if err != nil || len(rest) > 0 {
		p.t.Errorf("at the end %d more bytes %.80q and error %v, want the end alone", len(rest), rest, err)
	}
}

func readAndClose(body io.ReadCloser) ([]byte, error) {
	b, err := io.ReadAll(body)
	return b, errors.Join(err, body.Close())
}

// isRefused tells whether nobody listens on an address.
func isRefused(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
