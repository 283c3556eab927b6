package nethttp_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

// show writes all that a handler can see of its request.
func show(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%q %q %q %d %d\n", r.Method, r.RequestURI, r.Proto, r.ProtoMajor, r.ProtoMinor)
	fmt.Fprintf(w, "%#v\n%q %q\n", *r.URL, r.Host, r.Header)
	fmt.Fprintf(w, "%d %q %v %v\n", r.ContentLength, r.TransferEncoding, r.Close, r.TLS == nil)
	host, port, err := net.SplitHostPort(r.RemoteAddr)
	fmt.Fprintln(w, host, port != "", err, r.Body == http.NoBody)
	fmt.Fprintf(w, "%T %v\n", r.Context().Value(http.LocalAddrContextKey), r.Context().Err())
	_, served := r.Context().Value(http.ServerContextKey).(*http.Server)
	fmt.Fprintf(w, "%v trailer %q\n", served, r.Trailer)
	content, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%q %v trailer %q\n", content, err, r.Trailer)
	n, err := r.Body.Read(make([]byte, 1))
	fmt.Fprintln(w, n, err, r.Body.Close())
}

func TestRequestIsAsNetHTTPReadsIt(t *testing.T) {
	rows := []struct{ name, request string }{
		{"origin-form", get("/a/b?c=d&e")},
		{"an empty query keeps its question mark", get("/a?")},
		{"an escaped slash is in RawPath", get("/a%2Fb%20c")},
		{"a path of two slashes", get("//a//b/../c")},
		{"absolute-form wins over Host", get("http://other.test:81/x?y")},
		{"absolute-form without a path", get("http://other.test")},
		{"OPTIONS *", message("OPTIONS *", "")},
		{"CONNECT names an authority", message("CONNECT example.test:443", "")},
		{"TRACE", message("TRACE /", "")},
		{"a method of WebDAV's", message("PROPFIND /", "")},
		{"a method of nobody's", message("x-METHOD! /", "")},
		{"names are canonical, values keep their order", get("/", "x-a: 1", "X-A: 2", "ACCEPT: */*", "x-A:")},
		{"Pragma stands for Cache-Control", get("/", "Pragma: no-cache")},
		{"Cache-Control is enough", get("/", "Pragma: no-cache", "Cache-Control: max-age=0")},
		{"close", get("/", "Connection: x, Close")},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: old.test\r\n\r\n"},
		{"HTTP/1.0 with keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"},
		{"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n"},
		{"content of a length", post("content", "Content-Type: text/plain")},
		{"content of length 0", post("")},
		{"chunked content", message("POST /", chunkedHello, "Transfer-Encoding: chunked")},
		{"empty chunked content", message("POST /", "0\r\n\r\n", "Transfer-Encoding: chunked")},
		{"GET with content", message("GET /", "abc", "Content-Length: 3")},
		{"GET with chunked content", message("GET /", chunkedHello, "Transfer-Encoding: chunked")},
		{"HEAD with content", message("HEAD /", "abc", "Content-Length: 3")},
		{"HEAD with chunked content", message("HEAD /", chunkedHello, "Transfer-Encoding: chunked")},
		{"declared trailers", message("POST /", "1\r\na\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\n\r\n", "Transfer-Encoding: chunked", "Trailer: X-Sum, x-other")},
		{"undeclared trailers", message("POST /", "1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", "Transfer-Encoding: chunked")},
		{"Trailer without chunks is a field", get("/", "Trailer: X-Sum")},
		{"an Upgrade that is not taken", get("/", "Connection: Upgrade", "Upgrade: websocket")},
		{"a cookie", get("/", "Cookie: a=b; c=d")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			compare(t, behaviour{request: row.request, handler: show})
		})
	}
}

func TestRequest(t *testing.T) {
	t.Run("content is asked for by the first read", func(t *testing.T) {
		address := serveOurs(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusContinue) // changes nothing: the read sends it
			_, _ = io.Copy(w, r.Body)
		}))
		c, r := dial(t, address)
		_, _ = io.WriteString(c, message("POST /", "", "Expect: 100-continue", "Content-Length: 3"))
		if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatal(line, err)
		}
		_, _ = io.WriteString(c, "abc")
		_, _ = r.ReadString('\n')
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(res.Body); string(content) != "abc" || err != nil {
			t.Errorf("content %q, %v", content, err)
		}
	})
	t.Run("content that breaks off is an unexpected EOF", func(t *testing.T) {
		got := make(chan error, 1)
		address := serveOurs(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			got <- err
		}))
		c, _ := dial(t, address)
		_, _ = io.WriteString(c, message("POST /", "ab", "Content-Length: 3"))
		_ = c.(*net.TCPConn).CloseWrite()
		if err := <-got; err != io.ErrUnexpectedEOF {
			t.Error(err)
		}
	})
	t.Run("TLS is told", func(t *testing.T) {
		res := http1test.Do(nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.TLS.ServerName)
		})), http1test.Request{Secure: true})
		if string(res.Content) != "example.test" {
			t.Errorf("%q", res.Content)
		}
	})
	t.Run("the client's certificate is told as net/http does", func(t *testing.T) {
		cert := &x509.Certificate{Raw: []byte("mary's")}
		called := false
		http1test.Do(nethttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			called = true
			if r.TLS.PeerCertificates[0] != cert || r.TLS.VerifiedChains[0][0] != cert {
				t.Error("another certificate")
			}
		})), http1test.Request{ClientCertificate: cert})
		if !called {
			t.Error("the handler was not called")
		}
	})
	t.Run("a target that net/url cannot read is a 400", func(t *testing.T) {
		never := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
		if res := http1test.Do(nethttp.Handler(never), http1test.Request{Target: "no-slash"}); res.Status != 400 || !res.Close {
			t.Errorf("%+v", res)
		}
	})
	t.Run("a body read after the handler returned gives an error", func(t *testing.T) {
		var kept io.Reader
		http1test.Do(nethttp.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			kept = r.Body
		})), http1test.Request{Method: "POST", Content: "secret"})
		if n, err := kept.Read(make([]byte, 9)); n != 0 || err != http.ErrBodyReadAfterClose {
			t.Error(n, err)
		}
	})
}

type key struct{}

func TestContext(t *testing.T) {
	base := context.WithValue(t.Context(), key{}, "mine")
	server := &http.Server{}
	options := nethttp.Options{BaseContext: base, Server: server}
	t.Run("it has the values of the program and of the server", func(t *testing.T) {
		http1test.Do(options.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			if ctx.Value(key{}) != "mine" || ctx.Value(http.ServerContextKey) != server {
				t.Error(ctx.Value(key{}), ctx.Value(http.ServerContextKey))
			}
			if a := ctx.Value(http.LocalAddrContextKey).(net.Addr); a.String() != "127.0.0.1:8443" {
				t.Error(a)
			}
		})), http1test.Request{})
	})
	t.Run("it ends when the client resets the connection", func(t *testing.T) {
		begun, cause := make(chan bool), make(chan error, 1)
		address := serveOurs(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
			cause <- http1.Cause(r.Context())
		}))
		c, _ := dial(t, address)
		_, _ = io.WriteString(c, get("/"))
		<-begun
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		if err := <-cause; !errors.Is(err, http1.ErrClientLeft) {
			t.Error(err)
		}
	})
	t.Run("it ends when the handler returns", func(t *testing.T) {
		kept := make(chan context.Context, 1)
		address := serveOurs(t, withAgain(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { kept <- r.Context() })))
		observe(t, address, get("/"))
		<-(<-kept).Done()
	})
}

func TestRemoteAddrIsTheClient(t *testing.T) {
	shows := nethttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }))
	for client, want := range map[string]string{
		"203.0.113.7:4711": "203.0.113.7:4711", "203.0.113.7:0": "203.0.113.7:0", "[2001:db8::7]:0": "[2001:db8::7]:0",
	} {
		told := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			r.SetClient(netip.MustParseAddrPort(client))
			shows.Serve(w, r)
		})
		if got := string(http1test.Do(told, http1test.Request{}).Content); got != want {
			t.Errorf("RemoteAddr %q, want %q", got, want)
		}
	}
	t.Run("a peer without an address is net/http's @", func(t *testing.T) {
		if got := string(http1test.Do(shows, http1test.Request{Unix: true}).Content); got != "@" {
			t.Errorf("RemoteAddr %q, want @", got)
		}
	})
}
