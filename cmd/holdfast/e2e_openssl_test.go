package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// anyCipher lets OpenSSL offer what its own defaults have given up.
const anyCipher = "ALL@SECLEVEL=0"

func TestOpenSSL(t *testing.T) {
	openssl := program(t, "openssl", "openssl")
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}))
	for _, c := range []struct {
		name string
		args []string
		fail bool
		want string
	}{
		{"TLS 1.3 with a certificate that verifies", []string{"-tls1_3", "-servername", "localhost", "-verify_return_error"}, false, "Verify return code: 0 (ok)"},
		{"TLS 1.2 with an AEAD suite", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"}, false, "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"},
		{"TLS 1.2 with ChaCha20", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"}, false, "Cipher is ECDHE-ECDSA-CHACHA20-POLY1305"},
		{"TLS 1.2 with CBC is refused", []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"}, true, "alert handshake failure"},
		{"TLS 1.2 without forward secrecy is refused", []string{"-tls1_2", "-cipher", "AES128-GCM-SHA256"}, true, "alert handshake failure"},
		{"TLS 1.1 is refused", []string{"-tls1_1", "-cipher", anyCipher}, true, "alert protocol version"},
		{"TLS 1.0 is refused", []string{"-tls1", "-cipher", anyCipher}, true, "alert protocol version"},
		{"ALPN agrees on http/1.1", []string{"-alpn", "h2,http/1.1"}, false, "ALPN protocol: http/1.1"},
		{"ALPN without http/1.1 is refused", []string{"-alpn", "h2"}, true, "alert no application protocol"},
		{"a client without SNI gets the default certificate", []string{"-noservername", "-verify_return_error"}, false, "Verify return code: 0 (ok)"},
		{"an unknown name is refused", []string{"-servername", "elsewhere.example"}, true, "unrecognized name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runToEnd(t, "", openssl, append([]string{"s_client", "-connect", s.https, "-CAfile", s.caFile()}, c.args...)...)
			if failed := got.exit != 0; failed != c.fail {
				t.Errorf("openssl ended with %d, failure wanted: %t", got.exit, c.fail)
			}
			if !strings.Contains(got.out+got.stderr, c.want) {
				t.Errorf("output\n%s%s\nlacks %q", got.out, got.stderr, c.want)
			}
		})
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run("a session is resumed "+version, func(t *testing.T) { testResumption(t, openssl, s, version) })
	}
	s.stop()
}

// testResumption makes a full exchange, for tickets of TLS 1.3 come after the handshake,
// and then another with what it kept.
func testResumption(t *testing.T, openssl string, s *server, version string) {
	ticket := filepath.Join(t.TempDir(), "session.pem")
	connect := []string{"s_client", "-connect", s.https, "-servername", "localhost", "-CAfile", s.caFile(), version, "-ign_eof"}
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	for _, c := range []struct{ flag, want string }{{"-sess_out", "New, "}, {"-sess_in", "Reused, "}} {
		got := runToEnd(t, request, openssl, slices.Concat(connect, []string{c.flag, ticket})...)
		if !strings.Contains(got.out, c.want) || !strings.Contains(got.out, "the quay") {
			t.Errorf("%s: output lacks %q or the page:\n%s%s", c.flag, c.want, got.out, got.stderr)
		}
	}
}
