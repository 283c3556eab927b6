package redirect_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/conntest"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/redirect"
)

func TestToHTTPS(t *testing.T) {
	byRule := redirect.ToHTTPS{ListenerPort: 8443}
	for _, c := range []struct {
		name           string
		to             redirect.ToHTTPS
		authority, url string
		want           string
	}{
		{"a host without a port goes to 443, unnamed", byRule, "example.org", "/", "https://example.org/"},
		{"a host with a port goes to the listener's", byRule, "localhost:8080", "/", "https://localhost:8443/"},
		{"also with the port that it need not name", byRule, "localhost:80", "/", "https://localhost:8443/"},
		{"a listener on 443 is not named", redirect.ToHTTPS{ListenerPort: 443}, "localhost:8080", "/", "https://localhost/"},
		{"an empty port is none", byRule, "localhost:", "/", "https://localhost/"},
		{"the public port goes before the rule", redirect.ToHTTPS{Port: 444, ListenerPort: 8443}, "example.org", "/", "https://example.org:444/"},
		{"the public port 443 is not named", redirect.ToHTTPS{Port: 443, ListenerPort: 8443}, "localhost:8080", "/", "https://localhost/"},
		{"path and query are kept as they came", byRule, "example.org", "/a%2Fb/c?x=1&y=%20", "https://example.org/a%2Fb/c?x=1&y=%20"},
		{"a question mark in the query is the query's", byRule, "example.org", "/?a?b", "https://example.org/?a?b"},
		{"an IPv6 address keeps its brackets", byRule, "[::1]:8080", "/x", "https://[::1]:8443/x"},
		{"an IPv6 address without a port", byRule, "[::1]", "/x", "https://[::1]/x"},
		{"an IPv6 address with an empty port", byRule, "[::1]:", "/x", "https://[::1]/x"},
		{"a path of two slashes stays behind the host", byRule, "example.org", "//evil.example/", "https://example.org//evil.example/"},
		{"a target that looks like a URL stays behind the host", byRule, "example.org", "/https://evil.example/", "https://example.org/https://evil.example/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "PROPFIND"} {
				res := http1test.Do(c.to, http1test.Request{Method: method, Target: c.url, Authority: c.authority})
				if res.Status != 308 || res.Get("Location") != c.want || !res.SecretQuery {
					t.Errorf("%s: %d to %q, want 308 to %q", method, res.Status, res.Get("Location"), c.want)
				}
			}
		})
	}
}

func TestWhatCameOverHTTPSIsNotRedirected(t *testing.T) {
	site := http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.Text(200, "the site") })
	for _, c := range []struct {
		name   string
		to     redirect.ToHTTPS
		secure bool
		status int
		cache  string
	}{
		{"it gets the site", redirect.ToHTTPS{Site: site}, true, 200, ""},
		{"the rest is redirected, and no cache keeps that", redirect.ToHTTPS{Site: site}, false, 308, "no-store"},
		{"without a site all is", redirect.ToHTTPS{}, true, 308, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if res := http1test.Do(c.to, http1test.Request{Secure: c.secure}); res.Status != c.status || res.Get("Cache-Control") != c.cache {
				t.Errorf("status %d, Cache-Control %q, want %d and %q", res.Status, res.Get("Cache-Control"), c.status, c.cache)
			}
		})
	}
}

// What only a parser can bring: requests without a host, absolute targets, noise.
func TestToHTTPSBehindTheParser(t *testing.T) {
	for _, c := range []struct {
		name, send, method string
		status             int
		location           string
	}{
		{"HTTP/1.0 without a host has nowhere to go", "GET / HTTP/1.0\r\n\r\n", "GET", 400, ""},
		{"HTTP/1.0 with one", "GET /a HTTP/1.0\r\nHost: example.org\r\n\r\n", "GET", 308, "https://example.org/a"},
		{"HTTP/1.1 without a host is the parser's to refuse", "GET / HTTP/1.1\r\n\r\n", "GET", 400, ""},
		{"an absolute target's authority wins", "GET http://b.example:81/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET", 308, "https://b.example:8443/x?y"},
		{"OPTIONS for the server as a whole", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", 204, ""},
		{"OPTIONS for a path", "OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", 308, "https://a/x"},
		{"CONNECT is no URL", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "CONNECT", 400, ""},
		{"HEAD gets no content", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD", 308, "https://a/"},
		{"a host that would break out is refused before", "GET / HTTP/1.1\r\nHost: a/../b@c\r\n\r\n", "GET", 400, ""},
		{"content is not read", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "POST", 308, "https://a/x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := ask(t, redirect.ToHTTPS{ListenerPort: 8443}, c.send, c.method)
			if res.StatusCode != c.status || res.Header.Get("Location") != c.location {
				t.Errorf("%d to %q, want %d to %q", res.StatusCode, res.Header.Get("Location"), c.status, c.location)
			}
		})
	}
}

// ask sends a message to a server in memory and returns the response.
func ask(t *testing.T, h http1.Handler, message, method string) *http.Response {
	t.Helper()
	l, conns, served := conntest.Listen(), new(conn.Server), make(chan error, 1)
	go func() { served <- conns.Serve(&conn.Listener{Listener: l, Handler: &http1.Server{Handler: h}}) }()
	c, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(c, strings.NewReader(message)); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	conns.CloseListeners(t.Context())
	<-conns.Drain()
	<-served
	return res
}
