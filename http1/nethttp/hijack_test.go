package nethttp_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

// acceptKey answers a WebSocket key (RFC 6455 §4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// echo is a small WebSocket server: it sends every frame of up to 125 bytes back, until it
// gets one that closes. With begin it calls WriteHeader before Hijack, as some libraries
// do; else it writes its head itself, as others do.
func echo(t *testing.T, begin bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Sec-WebSocket-Accept", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
		if begin {
			w.WriteHeader(http.StatusSwitchingProtocols)
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if !begin {
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
			_ = w.Header().Write(rw)
			_, _ = rw.WriteString("\r\n")
		}
		for rw.Flush() == nil && echoFrame(rw) {
		}
	}
}

func echoFrame(rw *bufio.ReadWriter) bool {
	var head [6]byte // opcode, length and mask
	if _, err := io.ReadFull(rw, head[:]); err != nil || head[0]&0xF == 8 {
		return false
	}
	payload := make([]byte, head[1]&0x7F)
	_, err := io.ReadFull(rw, payload)
	for i := range payload {
		payload[i] ^= head[2+i%4]
	}
	_, _ = rw.Write([]byte{head[0], byte(len(payload))})
	_, _ = rw.Write(payload)
	return err == nil
}

// frame is a masked text frame (RFC 6455 §5.2).
func frame(text string) string {
	mask := binary.BigEndian.AppendUint32(nil, 0xA1B2C3D4)
	b := append([]byte{0x81, 0x80 | byte(len(text))}, mask...)
	for i := range len(text) {
		b = append(b, text[i]^mask[i%4])
	}
	return string(b)
}

const wsKey = "dGhlIHNhbXBsZSBub25jZQ=="

var handshake = get("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: "+wsKey)

// chat upgrades and has three frames echoed; the first is sent right behind the head.
func chat(t *testing.T, address string) {
	t.Helper()
	c, r := dial(t, address)
	_, _ = io.WriteString(c, handshake+frame("early"))
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != acceptKey(wsKey) {
		t.Fatalf("%+v, %v", res, err)
	}
	for i, text := range []string{"early", "second", "third"} {
		if i > 0 {
			_, _ = io.WriteString(c, frame(text))
		}
		got := make([]byte, 2+len(text))
		if _, err := io.ReadFull(r, got); err != nil || string(got[2:]) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
	_, _ = c.Write([]byte{0x88, 0x80, 0, 0, 0, 0})
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d bytes and %v where the end was to be", n, err)
	}
}

func TestWebSocket(t *testing.T) {
	for _, begin := range []bool{true, false} {
		t.Run(fmt.Sprintf("echoes, WriteHeader before Hijack %v", begin), func(t *testing.T) {
			chat(t, serveOurs(t, echo(t, begin)))
		})
		t.Run(fmt.Sprintf("echoes through ReverseProxy, WriteHeader before Hijack %v", begin), func(t *testing.T) {
			chat(t, serveOurs(t, proxyTo(serveOurs(t, echo(t, begin)))))
		})
	}
}

func proxyTo(address string) *httputil.ReverseProxy {
	target := &url.URL{Scheme: "http", Host: address}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
}

func TestReverseProxy(t *testing.T) {
	backend := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			flushed("part")(w, r)
			panic(http.ErrAbortHandler)
		case "/hints":
			w.Header().Set("Link", "</a>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, r.Body)
		w.Header().Set("X-Sum", "1")
	})
	address := serveOurs(t, proxyTo(serveOurs(t, backend)))
	t.Run("it passes content and trailers", func(t *testing.T) {
		o := observe(t, address, message("POST /", chunkedHello, "Transfer-Encoding: chunked"))
		if o.Status != 200 || o.Content != "hello" || o.Trailers != "X-Sum: 1\r\n" {
			t.Errorf("%+v", o)
		}
	})
	t.Run("it passes early hints", func(t *testing.T) {
		if o := observe(t, address, get("/hints")); len(o.Informed) != 1 || !strings.HasPrefix(o.Informed[0], "103") || o.Status != 200 {
			t.Errorf("%+v", o)
		}
	})
	t.Run("a backend that breaks off is a cut, not an end", func(t *testing.T) {
		if o := observe(t, address, get("/cut")); !o.Broken || o.Content != "part" {
			t.Errorf("%+v", o)
		}
	})
}

func TestHijackKeepsEarlyBytes(t *testing.T) {
	for name, read := range map[string]func(net.Conn, *bufio.ReadWriter) io.Reader{
		"the reader":     func(_ net.Conn, rw *bufio.ReadWriter) io.Reader { return rw },
		"the connection": func(c net.Conn, _ *bufio.ReadWriter) io.Reader { return c },
		"the reader's buffer and the connection": func(c net.Conn, rw *bufio.ReadWriter) io.Reader {
			early, _ := rw.Reader.Peek(rw.Reader.Buffered())
			return io.MultiReader(bytes.NewReader(early), c)
		},
	} {
		t.Run("what came behind the request is read from "+name, func(t *testing.T) {
			address := serveOurs(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, rw, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				early := make([]byte, 5)
				_, err = io.ReadFull(read(c, rw), early)
				fmt.Fprintf(c, "%s, %v, %T", early, err, c.RemoteAddr())
			}))
			c, r := dial(t, address)
			_, _ = io.WriteString(c, get("/")+"early")
			if got, _ := io.ReadAll(r); string(got) != "early, <nil>, *net.TCPAddr" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestHijackedConnection(t *testing.T) {
	t.Run("the connection lives on after the handler, until it is closed", func(t *testing.T) {
		address := serveOurs(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.CopyN(c, c, 4)
			}()
		}))
		c, r := dial(t, address)
		_, _ = io.WriteString(c, get("/"))
		_, _ = io.WriteString(c, "ping")
		if got, err := io.ReadAll(r); string(got) != "ping" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("a connection that was closed gives net.ErrClosed", func(t *testing.T) {
		errs := make(chan error, 8)
		address := serveOurs(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			blocked := make(chan error, 1)
			go func() { _, err := rw.ReadByte(); blocked <- err }()
			_ = c.Close()
			errs <- <-blocked
			_, err = c.Write([]byte("x"))
			errs <- err
			errs <- c.Close()
			errs <- c.SetDeadline(patienceOver)
		}))
		c, _ := dial(t, address)
		_, _ = io.WriteString(c, get("/"))
		for range 4 {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
	})
}

func TestHijackedConnectionIsCut(t *testing.T) {
	t.Run("a forced stop ends a connection that nobody closes", func(t *testing.T) {
		begun, ended := make(chan bool), make(chan error, 2)
		address, conns := serveHandler(t, nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				close(begun)
				_, err := io.Copy(io.Discard, c)
				ended <- err
				_, err = c.Read(make([]byte, 1)) // the stream may be gone by now
				ended <- err
			}()
		})))
		c, _ := dial(t, address)
		_, _ = io.WriteString(c, get("/"))
		<-begun
		conns.Cut()
		for range 2 {
			if err := <-ended; err == nil {
				t.Error("a read of a cut connection succeeded")
			}
		}
	})
}

func TestHijackAndTheWriter(t *testing.T) {
	t.Run("the writer is of no more use", func(t *testing.T) {
		done := make(chan bool)
		address := serveOurs(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			defer close(done)
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			w.WriteHeader(500)
			_, err = w.Write([]byte("x"))
			_, _, again := w.(http.Hijacker).Hijack()
			if err != http.ErrHijacked || again != http.ErrHijacked || http.NewResponseController(w).Flush() != http.ErrHijacked {
				t.Error(err, again)
			}
		}))
		c, r := dial(t, address)
		_, _ = io.WriteString(c, get("/"))
		if got, _ := io.ReadAll(r); len(got) > 0 {
			t.Errorf("%q", got)
		}
		<-done
	})
	t.Run("a 200 to CONNECT goes ahead of the tunnel", func(t *testing.T) {
		address := serveOurs(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", "1")
			w.WriteHeader(200)
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(c, "tunnel")
			_ = c.Close()
		}))
		c, r := dial(t, address)
		_, _ = io.WriteString(c, message("CONNECT example.test:443", ""))
		got, _ := io.ReadAll(r)
		if s := string(got); !strings.HasPrefix(s, "HTTP/1.1 200 OK\r\nDate: ") || !strings.HasSuffix(s, "GMT\r\nX-A: 1\r\n\r\ntunnel") {
			t.Errorf("%q", s)
		}
	})
	t.Run("where it fails the handler can still answer", func(t *testing.T) {
		for _, before := range []int{0, 101} {
			res := http1test.Do(nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if before != 0 {
					w.WriteHeader(before)
				}
				if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http1.ErrNoUpgrade) {
					t.Error(err)
				}
				http.Error(w, "no", http.StatusNotImplemented)
			})), http1test.Request{})
			if res.Status != http.StatusNotImplemented {
				t.Errorf("%d: %+v", before, res)
			}
		}
	})
}
