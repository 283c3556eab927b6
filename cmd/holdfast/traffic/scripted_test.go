package traffic

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// patience bounds what must happen; the clients that are to lose theirs have less.
const patience = 30 * time.Second

// A peer is the server's side of one connection, which a script plays.
type peer struct {
	t    *testing.T
	raw  *net.TCPConn
	conn net.Conn // TLS on it, where the script speaks it
	r    *bufio.Reader
}

type script func(p *peer)

// request reads a whole request.
func (p *peer) request() {
	q, err := http.ReadRequest(p.r)
	if err == nil {
		_, err = io.Copy(io.Discard, q.Body)
	}
	if err != nil {
		p.t.Errorf("the client's request: %v", err)
	}
}

// say writes text, or as much of it as the client takes.
func (p *peer) say(text string) { _, _ = io.WriteString(p.conn, text) }

// reset makes the connection end by RST.
func (p *peer) reset() { _ = p.raw.SetLinger(0) }

// untilGone waits until the client has gone.
func (p *peer) untilGone() { _, _ = io.Copy(io.Discard, p.conn) }

// reply is a script that reads a request, answers with text and ends the connection in
// good order.
func reply(text string) script {
	return func(p *peer) {
		p.request()
		p.say(text)
	}
}

// scripted is an endpoint whose connections play the scripts in turn. Further ones are a fault.
func scripted(t *testing.T, config *tls.Config, scripts ...script) *Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var playing sync.WaitGroup
	playing.Go(func() {
		for i := 0; ; i++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if i >= len(scripts) {
				t.Errorf("connection %d was not in the script", i+1)
				_ = c.Close()
				continue
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			p := &peer{t: t, raw: c.(*net.TCPConn), conn: c, r: bufio.NewReader(c)}
			playing.Go(func() {
				defer c.Close()
				scripts[i](p)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		playing.Wait()
	})
	e, err := NewEndpoint(l.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// nobody is an endpoint where nobody listens.
func nobody(t *testing.T) *Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEndpoint(l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return e
}

// clientOf is a client of the one endpoint.
func clientOf(t *testing.T, e *Endpoint) *client {
	t.Helper()
	b := new(Balancer)
	b.Add(e)
	c := &client{load: &Load{Balancer: b, Patience: patience, ContentLimitBytes: -1}, kind: KeepAlive}
	t.Cleanup(c.hangUp)
	return c
}

// hello asks for an echo of five bytes.
func hello() *request {
	q := put([]byte("hello"), false)
	q.patience = patience
	return q
}

// helloOK is the right answer.
const helloOK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func (c *client) mustEnd(t *testing.T, q *request, want End) {
	t.Helper()
	if got := c.ask(t.Context(), q, false); got != want {
		t.Errorf("the request ended as %v, want %v: %+v", got, want, c.load.Losses())
	}
}

// withinReach is a context that ends when the test does not come to its point.
func withinReach(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), patience)
}

// certified are the two sides of TLS with a certificate for localhost.
func certified(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// echo reads a whole request and returns the right answer to it.
func (p *peer) echo() string {
	q, err := http.ReadRequest(p.r)
	if err != nil {
		p.t.Errorf("the client's request: %v", err)
		return ""
	}
	content, err := io.ReadAll(q.Body)
	if err != nil {
		p.t.Errorf("its content: %v", err)
	}
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
}
