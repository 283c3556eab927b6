package contestant

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair makes a certificate and its key, as files.
func writePair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// serving is a server under test.
type serving struct {
	addr   string
	config *tls.Config
	end    context.CancelFunc
	ended  chan error
}

func open(t *testing.T, name, root string, config *tls.Config) *serving {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &serving{l.Addr().String(), config, cancel, make(chan error, 1)}
	go func() { s.ended <- Serve(ctx, name, root, l, config) }()
	return s
}

func (s *serving) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if s.config != nil {
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	return c
}

const request = "GET /some/where?x=1 HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\r\n"

// checkAnswers reads n answers, which must be what every contestant answers.
func checkAnswers(t *testing.T, r *bufio.Reader, n int) {
	t.Helper()
	for range n {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 || string(content) != Content || res.ContentLength != int64(len(Content)) || res.Close {
			t.Errorf("answer %+v with %q, %v", res, content, err)
		}
		res.Header.Del("Connection") // who says how long the connection is kept sends 48 bytes more: his own cost
		res.Header.Del("Keep-Alive")
		if len(res.Header) != 3 || res.Header.Get("Content-Type") != ContentType || len(res.Header.Get("Date")) != len(http.TimeFormat) {
			t.Errorf("fields %v, want Date, Content-Type and Content-Length alone beside those of the connection", res.Header)
		}
	}
}

func TestContestants(t *testing.T) {
	certFile, keyFile := writePair(t)
	config, err := TLSConfig(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		for security, config := range map[string]*tls.Config{"plain": nil, "TLS": config} {
			t.Run(name+" "+security+" answers like all others", func(t *testing.T) {
				s := open(t, name, "", config)
				c := s.dial(t)
				r := bufio.NewReader(c)
				for _, batch := range []int{1, 1, 16, 1} {
					if _, err := io.WriteString(c, strings.Repeat(request, batch)); err != nil {
						t.Fatal(err)
					}
					checkAnswers(t, r, batch)
				}
				if tc, ok := c.(*tls.Conn); ok && tc.ConnectionState().Version != tls.VersionTLS13 {
					t.Errorf("TLS version %x", tc.ConnectionState().Version)
				}
				s.end() // with the connection still open
				if err := <-s.ended; err != nil {
					t.Errorf("it ended with %v", err)
				}
				if b, err := io.ReadAll(r); len(b) > 0 {
					t.Errorf("it said %q, %v", b, err)
				}
				if c, err := net.Dial("tcp", s.addr); err == nil {
					t.Error("it still accepts connections")
					c.Close()
				}
			})
		}
	}
}

func TestServe(t *testing.T) {
	t.Run("an unknown name is an error that lists the others, and closes the listener", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := Serve(t.Context(), "apache", "", l, nil); err == nil || !strings.Contains(err.Error(), "fasthttp") {
			t.Error(err)
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener was open: %v", err)
		}
	})
	t.Run("a dead listener ends each server with an error", func(t *testing.T) {
		for _, name := range Names() {
			dead := &deadListener{Listener: nil}
			if err := Serve(t.Context(), name, "", dead, nil); !errors.Is(err, errDead) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("a missing key is an error", func(t *testing.T) {
		if _, err := TLSConfig(t.TempDir()+"/cert.pem", t.TempDir()+"/key.pem"); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}

var errDead = errors.New("the listener is dead")

// deadListener accepts nothing.
type deadListener struct{ net.Listener }

func (*deadListener) Accept() (net.Conn, error) { return nil, errDead }
func (*deadListener) Close() error              { return nil }
func (*deadListener) Addr() net.Addr            { return &net.TCPAddr{} }

func TestRawLoop(t *testing.T) {
	s := open(t, "raw", "", nil)
	t.Run("a head that comes in pieces is answered once", func(t *testing.T) {
		c := s.dial(t)
		for _, piece := range strings.SplitAfter(request, "\r") {
			if _, err := io.WriteString(c, piece); err != nil {
				t.Fatal(err)
			}
		}
		checkAnswers(t, bufio.NewReader(c), 1)
	})
	t.Run("a head larger than its buffer ends the connection", func(t *testing.T) {
		c := s.dial(t)
		_, _ = c.Write(bytes.Repeat([]byte("x"), 2*rawBytes)) // it may be cut before its end
		if b, _ := io.ReadAll(c); len(b) > 0 {
			t.Errorf("it said %q", b)
		}
	})
	s.end()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func TestOrders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cpu.prof")
	in := strings.Join([]string{
		OrderCollect, "dance", OrderProfileEnd, OrderProfile + " " + path, OrderProfile + " " + path + "2", OrderProfileEnd, OrderCollect, "",
	}, "\n")
	var out strings.Builder
	if err := Obey(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	want := []string{"ok", "error: no order", "error: no profile", "ok", "error: ", "ok", "ok", ""}
	got := strings.Split(out.String(), "\n")
	if len(got) != len(want) {
		t.Fatalf("answers %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("answer %d is %q, want %q", i, got[i], want[i])
		}
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		t.Errorf("no profile: %d bytes, %v", len(b), err)
	}
}
