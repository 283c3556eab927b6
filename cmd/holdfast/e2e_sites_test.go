package main

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestSitesAreServed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	file := sitesFile(t, twoSites)
	s := launch(t, "", "--config", file, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	trusted := s.trust()
	trusted.ServerName = "" // the certificate is checked for the name that is asked for
	c := client(t, trusted)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if _, port, _ := net.SplitHostPort(addr); port == "80" {
			return new(net.Dialer).DialContext(ctx, network, s.http)
		}
		return new(net.Dialer).DialContext(ctx, network, s.https)
	}
	for _, w := range []struct {
		clause, url, host string
		status            int
		location, body    string
	}{
		{"a site by its host", "https://a.test/", "", 200, "", "a"},
		{"another by its own", "https://b.test/", "", 200, "", "b"},
		{"and by a wildcard", "https://x.b.test/", "", 200, "", "b"},
		{"www leads to the name without", "https://www.a.test/x?y=%2F", "", 308, "https://a.test/x?y=%2F", ""},
		{"a redirect", "https://a.test/old/7", "", 301, "/new/7.html", ""},
		{"and what it leads to", "https://a.test/new/7.html", "", 200, "", "seven"},
		{"a rewrite", "https://a.test/app/x/y", "", 200, "", "the app"},
		{"a rule is one site's", "https://b.test/old/7", "", 404, "", ""},
		{"a host that is not served, on the connection of one that is (RFC 9110 §7.4)", "https://a.test/", "c.test", 421, "", ""},
		{"plain HTTP leads to HTTPS", "http://a.test/old/7", "", 308, "https://a.test/old/7", ""},
		{"but not for a host that is not served", "http://c.test/", "", 421, "", ""},
	} {
		t.Run(w.clause, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodGet, w.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = w.host
			response, err := c.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := readAndClose(response.Body)
			if err != nil || response.StatusCode != w.status || response.Header.Get("Location") != w.location || w.body != "" && string(body) != w.body {
				t.Errorf("%d %q %q, %v", response.StatusCode, response.Header.Get("Location"), body, err)
			}
		})
	}
	t.Run("metrics and the access log name the site and its rules", func(t *testing.T) {
		admin, _ := s.await("listening")["admin"].(string)
		_, metrics, err := fetch(client(t, nil), "http://"+admin+"/metrics")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`route="second",status="200"`, `route="a.test /old/{id}",status="301"`} {
			if !strings.Contains(string(metrics), want) {
				t.Errorf("no %s in the metrics", want)
			}
		}
		eventually(t, "the route in the access log", func() bool { return strings.Contains(s.access.text(), `"route":"a.test /app/{rest...}"`) })
	})
	s.stop()
}

func TestSitesStartWithAllFaults(t *testing.T) {
	root := filepath.Join(t.TempDir(), "missing")
	file := writeFile(t, "f.toml", "https = \"127.0.0.1:0\"\n[[site]]\nhosts = [\"a.test\"]\nroot = "+`"`+root+`"`+"\n[[site.redirect]]\nfrom = \"/a\"\nto = \"b\"\n")
	s := spawn(t, "", "--config", file)
	if code := s.exit(); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, want := range []string{"f.toml:4", "f.toml:7"} {
		if !strings.Contains(s.log.text(), want) {
			t.Errorf("no %s in %s", want, s.log.text())
		}
	}
}
