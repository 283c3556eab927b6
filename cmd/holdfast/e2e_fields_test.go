package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

// careful are the response fields that this test is about, as a browser gets them.
func careful(h http.Header) (all []string) {
	for _, name := range []string{
		"X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Cross-Origin-Opener-Policy", "Strict-Transport-Security",
	} {
		for _, value := range h.Values(name) {
			all = append(all, name+": "+value)
		}
	}
	return all
}

// Each field is there once, on pages, errors and redirects, and HSTS for public names alone.
func TestResponseFields(t *testing.T) {
	cert, key := newAuthority(t).pairPEM(1, time.Hour)
	pair := writeFile(t, "pair.pem", cert+key)
	root := site(t, map[string]string{"index.html": "the quay", "folder/index.html": "moored"})
	plain := []string{"X-Content-Type-Options: nosniff", "Referrer-Policy: strict-origin-when-cross-origin", "X-Frame-Options: SAMEORIGIN"}
	secure := append(slices.Clone(plain), "Cross-Origin-Opener-Policy: same-origin-allow-popups")
	const pin = "Strict-Transport-Security: max-age=3600"
	for _, c := range []struct {
		name  string
		flags []string
		url   string // without its port
		http  bool
		want  []string
	}{
		{"a page", nil, "https://www.example.org/", false, secure},
		{"a page that is not there", nil, "https://www.example.org/none", false, secure},
		{"a folder's redirect", nil, "https://www.example.org/folder", false, secure},
		{"the redirect to HTTPS", []string{"--hsts", "1h"}, "http://www.example.org/", true, plain},
		{"a page of a pinned host", []string{"--hsts", "1h"}, "https://www.example.org/", false, append(slices.Clone(secure), pin)},
		{"a page of a pinned localhost", []string{"--hsts", "1h"}, "https://localhost/", false, secure},
		{"a host whose pin is taken back", []string{"--hsts", "0s"}, "https://www.example.org/", false, append(slices.Clone(secure), "Strict-Transport-Security: max-age=0")},
		{"no field but the pin", []string{"--security-headers", "off", "--hsts", "1h"}, "https://www.example.org/none", false, []string{"X-Content-Type-Options: nosniff", pin}},
		{"none at all", []string{"--security-headers", "off"}, "https://www.example.org/none", false, []string{"X-Content-Type-Options: nosniff"}}, // files' own
	} {
		t.Run(c.name, func(t *testing.T) {
			s := launch(t, root, append(c.flags, "--cert", pair, "--key", pair, "--http", "127.0.0.1:0", "--sni-unknown", "default")...)
			to := s.https
			if c.http {
				to = s.http
			}
			browser := client(t, &tls.Config{InsecureSkipVerify: true}) // which name goes with which certificate is not the matter here
			browser.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, to)
			}
			res, _, err := fetch(browser, c.url)
			if err != nil {
				t.Fatal(err)
			}
			if got := careful(res.Header); !slices.Equal(got, c.want) {
				t.Errorf("%d with %q, want %q", res.StatusCode, got, c.want)
			}
		})
	}
}
