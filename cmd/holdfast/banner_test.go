package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func tcp(t *testing.T, addr string) net.Addr {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testListening(t *testing.T) listening {
	now := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	return listening{
		HTTPS: tcp(t, "127.0.0.1:40123"), HTTP: tcp(t, "[::]:80"), Root: "/srv/site", Version: "v1.2.3",
		CertSource: "local CA", CertExpiry: now.Add(30*24*time.Hour + time.Hour), CAPath: "/var/lib/my state/ca.pem", Now: now,
	}
}

func TestBannerText(t *testing.T) {
	var out bytes.Buffer
	banner(&out, nil, colorForm, testListening(t))
	want := `
Holdfast v1.2.3
  https        https://127.0.0.1:40123/
  http         http://localhost/ (on every address of this machine) (redirects to https)
  serves       /srv/site
  certificate  local CA, expires 2025-03-31 13:00 UTC (in 30 days)
  try          curl --cacert '/var/lib/my state/ca.pem' https://127.0.0.1:40123/
  trust        holdfast certs ca --state '/var/lib/my state'
  Ctrl-C to stop, again to force

`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestBannerVariants(t *testing.T) {
	for _, c := range []struct {
		name     string
		edit     func(*listening)
		has, not string
	}{
		{"without TLS there is no certificate to tell of", func(l *listening) { l.HTTPS, l.CertSource, l.CAPath = nil, "", "" },
			"http         http://localhost/ (on every address of this machine)\n", "certificate"},
		{"an admin listener is told of", func(l *listening) { l.Admin = tcp(t, "127.0.0.1:9090") }, "admin        http://127.0.0.1:9090/\n", "9090/ ("},
		{"without HTTP only one URL", func(l *listening) { l.HTTP = nil }, "https://127.0.0.1:40123/\n", "http://"},
		{"a certificate from files needs no curl line", func(l *listening) { l.CertSource, l.CAPath = "file a.pem", "" }, "file a.pem, expires", "--cacert"},
		{"one that ends soon counts hours", func(l *listening) { l.CertExpiry = l.Now.Add(5*time.Hour + time.Minute) }, "(in 5 hours)", "days"},
		{"one that has ended says so", func(l *listening) { l.CertExpiry = l.Now.Add(-time.Hour) }, "(it has expired)", "(in "},
		{"a unix socket is shown by its path, and as curl takes it", func(l *listening) { l.HTTPS = &net.UnixAddr{Net: "unix", Name: "/run/a b"} },
			"  https        unix:/run/a b\n", "127.0.0.1"},
		{"and curl is told of it", func(l *listening) { l.HTTPS = &net.UnixAddr{Net: "unix", Name: "/run/a b"} },
			"ca.pem' --unix-socket '/run/a b' https://localhost/\n", "127.0.0.1"},
		{"a root's name obeys no terminal", func(l *listening) { l.Root = "/a\x1b[2Jb" }, `/a\x1b[2Jb`, "\x1b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := testListening(t)
			c.edit(&l)
			var out bytes.Buffer
			banner(&out, nil, textForm, l)
			if !strings.Contains(out.String(), c.has) || strings.Contains(out.String(), c.not) {
				t.Errorf("want %q and not %q in\n%s", c.has, c.not, out.String())
			}
		})
	}
}

func TestBannerJSON(t *testing.T) {
	var out bytes.Buffer
	banner(&out, newLog(&out, jsonForm, slog.LevelInfo), jsonForm, testListening(t))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(lines(out.String())) != 1 {
		t.Fatalf("%q: %v", out.String(), err)
	}
	for key, want := range map[string]any{
		"level": "INFO", "msg": "listening", "https": "127.0.0.1:40123", "http": "[::]:80", "root": "/srv/site", "version": "v1.2.3",
		"cert_source": "local CA", "cert_expiry": "2025-03-31T13:00:00Z", "ca": "/var/lib/my state/ca.pem",
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	urls, _ := got["urls"].([]any)
	if len(urls) != 2 || urls[0] != "https://127.0.0.1:40123/" || urls[1] != "http://localhost/" {
		t.Errorf("urls are %v", got["urls"])
	}
}

func TestListenerURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8443": "https://127.0.0.1:8443/", "127.0.0.1:443": "https://127.0.0.1/", "127.0.0.1:80": "https://127.0.0.1:80/",
		"0.0.0.0:443": "https://localhost/", "[::]:8443": "https://localhost:8443/", "[::1]:8443": "https://[::1]:8443/",
		"[fe80::1%lo]:8443": "https://[fe80::1%25lo]:8443/",
	} {
		if got := listenerURL("https", tcp(t, addr)); got != want {
			t.Errorf("%s has %q, want %q", addr, got, want)
		}
	}
	if got := listenerURL("https", &net.UnixAddr{Name: "/run/s", Net: "unix"}); got != "unix:/run/s" {
		t.Errorf("a unix socket has %q", got)
	}
}

func TestShellWord(t *testing.T) {
	for s, want := range map[string]string{
		"": "''", "/a/b-c_d.pem": "/a/b-c_d.pem", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "a;b": "'a;b'", "é": "'é'", "~": "'~'",
	} {
		if got := shellWord(s); got != want {
			t.Errorf("%q is %s, want %s", s, got, want)
		}
	}
}
