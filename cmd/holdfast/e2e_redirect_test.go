package main

import (
	"strings"
	"testing"
)

func TestRedirectListener(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay"})
	s := launch(t, root, "--http", "127.0.0.1:0")
	fixed := launch(t, root, "--http", "127.0.0.1:0", "--public-https-port", "444")
	for _, c := range []struct {
		name         string
		s            *server
		host, target string
		status       int
		location     string
	}{
		{"a Host without a port goes to 443", s, "example.org", "/", 308, "https://example.org/"},
		{"a Host with a port goes to the listener's", s, "localhost:8080", "/", 308, "https://localhost:PORT/"},
		{"path and query stay as they are", s, "example.org", "/a%2Fb/c?x=1&y=%20", 308, "https://example.org/a%2Fb/c?x=1&y=%20"},
		{"a path of two slashes stays behind the host", s, "example.org", "//evil.example/", 308, "https://example.org//evil.example/"},
		{"an address in brackets keeps them", s, "[::1]:80", "/x", 308, "https://[::1]:PORT/x"},
		{"the public port is named", fixed, "example.org", "/x", 308, "https://example.org:444/x"},
		{"the public port replaces another", fixed, "localhost:8080", "/x", 308, "https://localhost:444/x"},
		{"a Host with a slash is refused", s, "example.org/evil", "/", 400, ""},
		{"a Host with user information is refused", s, "user@example.org", "/", 400, ""},
		{"a Host with a space is refused", s, "example.org evil", "/", 400, ""},
		{"a Host with a quote and a bracket is refused", s, `"><script>`, "/", 400, ""},
		{"a Host with a bare CR is refused", s, "example.org\rX: y", "/", 400, ""},
		{"an empty Host is refused", s, "", "/", 400, ""},
		{"a Host with a port that is no number is refused", s, "example.org:http", "/", 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := dialTCP(t, c.s.http, 0)
			p.send("GET " + c.target + " HTTP/1.1\r\nHost: " + c.host + "\r\nConnection: close\r\n\r\n")
			response, _ := p.response(c.status)
			want := strings.ReplaceAll(c.location, "PORT", c.s.port())
			if got := response.Header.Get("Location"); got != want {
				t.Errorf("Location %q, want %q", got, want)
			}
		})
	}
	s.stop()
	fixed.stop()
}

func TestPlainListenerAlone(t *testing.T) {
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), "--https", "off", "--http", "127.0.0.1:0")
	response, body, err := fetch(client(t, nil), "http://"+s.http+"/")
	if err != nil || response.StatusCode != 200 || string(body) != "the quay" {
		t.Errorf("%v %q %v, want the page: without HTTPS the plain listener serves the root", response, body, err)
	}
	s.stop()
}
