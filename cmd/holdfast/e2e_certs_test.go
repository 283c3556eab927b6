package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certs runs a certs command on the server's control socket.
func (s *server) certs(args ...string) ran {
	s.t.Helper()
	return runToEnd(s.t, "", binary(s.t), append(append([]string{"certs"}, args...), "--state", s.state)...)
}

func (s *server) listing() (l certsListing) {
	s.t.Helper()
	r := s.certs("list", "--json")
	if err := json.Unmarshal([]byte(r.out), &l); err != nil || r.exit != 0 {
		s.t.Fatalf("exit %d: %v\n%s%s", r.exit, err, r.out, r.stderr)
	}
	return l
}

func TestCertsOfTheLocalCA(t *testing.T) {
	s := launch(t, site(t, map[string]string{"index.html": "a page"}))
	s.awaitSocket()
	t.Run("list has its expiry and when it is issued again", func(t *testing.T) {
		l := s.listing()
		if len(l.Certificates) != 1 {
			t.Fatalf("got %+v", l)
		}
		c := l.Certificates[0]
		life := c.NotAfter.Sub(*c.NotBefore)
		if c.Hosts[0] != "localhost" || c.Source != "local CA" || c.Issuer == "" || *c.LifeLeft < 0.99 || c.LastError != "" {
			t.Errorf("got %+v", c)
		}
		if at := c.NextRenewal.Sub(*c.NotBefore); at < life*66/100 || at > life*67/100 {
			t.Errorf("renewed %v after it begins, of %v", at, life)
		}
	})
	t.Run("list is a table for people", func(t *testing.T) {
		r := s.certs("list")
		if got := lines(r.out); r.exit != 0 || len(got) != 2 || !strings.HasPrefix(got[0], "HOST ") || !strings.Contains(got[1], "(in 19 days): two thirds of its life have passed then") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("explain says who renews it", func(t *testing.T) {
		r := s.certs("explain", "localhost")
		if r.exit != 0 || !strings.Contains(r.out, "source        local CA\n") || !strings.Contains(r.out, "The local CA of this server issued it") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("explain of a stranger points at the list", func(t *testing.T) {
		if r := s.certs("explain", "dock.example.org"); r.exit != 1 || r.stderr != "holdfast: the server has no certificate for dock.example.org; holdfast certs list has those it has\n" {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("renew has nothing to order", func(t *testing.T) {
		if r := s.certs("renew", "127.0.0.1"); r.exit != 1 || !strings.Contains(r.stderr, "127.0.0.1 is not renewed: the local CA issues it again by itself") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	s.stop()
}

func TestCertsOfFiles(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.pairPEM(7, 30*24*time.Hour)
	dir := site(t, map[string]string{"a.pem": cert, "a.key": key})
	certFile, keyFile := filepath.Join(dir, "a.pem"), filepath.Join(dir, "a.key")
	s := launch(t, site(t, map[string]string{"index.html": "a page"}), "--cert", certFile, "--key", keyFile)
	s.awaitSocket()
	if c := s.listing().Certificates[0]; c.Serial != "7" || c.NextRenewal != nil || c.Why != pairsWhy || c.LastError != "" {
		t.Errorf("got %+v", c)
	}
	t.Run("a fault of the files is the last error, and the old ones stay", func(t *testing.T) {
		if err := os.WriteFile(certFile, []byte("no certificate"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.ask("reload")
		c := s.listing().Certificates[0]
		if c.Serial != "7" || !strings.Contains(c.LastError, certFile) {
			t.Errorf("got %+v", c)
		}
		if r := s.certs("explain", "localhost"); r.exit != 0 || !strings.Contains(r.out, "The files as they are now are not served: ") || !strings.Contains(r.out, "It comes from "+certFile) {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("renew says whose task it is", func(t *testing.T) {
		if r := s.certs("renew", "localhost"); r.exit != 1 || !strings.Contains(r.stderr, "whoever writes them; holdfast reload has them read at once") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	s.stop()
}

func TestCertsWithoutHTTPS(t *testing.T) {
	s := launch(t, site(t, map[string]string{"index.html": "a page"}), "--https", "off", "--http", "127.0.0.1:0")
	s.awaitSocket()
	if r := s.certs("list"); r.exit != 0 || r.out != "the server has no certificates\n" {
		t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
	}
	if r := s.certs("renew", "localhost"); r.exit != 1 || r.stderr != "holdfast: the server has no certificates: it listens for no HTTPS\n" {
		t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
	}
	s.stop()
}
