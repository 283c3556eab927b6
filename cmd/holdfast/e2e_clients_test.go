package main

import (
	"crypto/tls"
	"strings"
	"syscall"
	"testing"
	"time"
)

// as is a client of the server's local CA that shows a certificate, and keeps its sessions.
func (s *server) as(text string) *tls.Config {
	s.t.Helper()
	cert, err := tls.X509KeyPair([]byte(text), []byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	config := s.trust()
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	// Whatever the server asks for: a client is not there to help it.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	return config
}

func TestClientCertificatesOfCurlAndOpenSSL(t *testing.T) {
	curl, openssl := program(t, "curl", "curl"), program(t, "openssl", "openssl")
	a, stranger := newAuthority(t), newAuthority(t)
	caFile := writeFile(t, "client-ca.pem", a.caPEM())
	root := site(t, map[string]string{"index.html": "the quay"})
	require := launch(t, root, "--client-ca", caFile, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	request := launch(t, root, "--client-ca", caFile, "--client-auth", "request")
	good := writeFile(t, "mary.pem", a.clientPEM("mary", oneDay))
	foreign := writeFile(t, "mallory.pem", stranger.clientPEM("mallory", oneDay))
	expired := writeFile(t, "late.pem", a.clientPEM("late", -time.Hour))
	for _, c := range []struct {
		name   string
		server *server
		cert   string
		want   string // of what openssl says; "" for the page
	}{
		{"required and shown", require, good, ""},
		{"required and not there", require, "", "alert certificate required"},
		{"required and of another CA", require, foreign, "alert unknown ca"},
		{"required and expired", require, expired, "alert certificate expired"},
		{"requested and shown", request, good, ""},
		{"requested and not there", request, "", ""},
		{"requested and of another CA", request, foreign, "alert unknown ca"},
		{"requested and expired", request, expired, "alert certificate expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			byOpenSSL := []string{"s_client", "-connect", c.server.https, "-servername", "localhost", "-CAfile", c.server.caFile(), "-tls1_3", "-ign_eof"}
			byCurl := []string{"-sS", "--cacert", c.server.caFile(), c.server.url("/")}
			if c.cert != "" {
				byOpenSSL = append(byOpenSSL, "-cert", c.cert, "-key", c.cert)
				byCurl = append(byCurl, "--cert", c.cert)
			}
			said := runToEnd(t, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", openssl, byOpenSSL...)
			got := runToEnd(t, "", curl, byCurl...)
			served := strings.Contains(said.out, "the quay")
			switch {
			case c.want == "" && (!served || got.exit != 0 || got.out != "the quay"):
				t.Errorf("openssl:\n%s%s\ncurl %d: %s%s", said.out, said.stderr, got.exit, got.out, got.stderr)
			case c.want != "" && (served || !strings.Contains(said.stderr, c.want)):
				t.Errorf("openssl lacks %q:\n%s%s", c.want, said.out, said.stderr)
			case c.want != "" && (got.exit == 0 || got.out != ""):
				t.Errorf("curl %d: %s%s", got.exit, got.out, got.stderr)
			}
		})
	}
	t.Run("the plain listener redirects everybody", func(t *testing.T) {
		response, _, err := fetch(client(t, nil), "http://"+require.http+"/")
		if err != nil || response.StatusCode != 308 {
			t.Errorf("%v, %v", response, err)
		}
	})
	t.Run("the admin listener asks nobody, and counts who was refused", func(t *testing.T) {
		admin, _ := require.await("listening")["admin"].(string)
		response, _, err := fetch(client(t, nil), "http://"+admin+"/readyz")
		if err != nil || response.StatusCode != 200 {
			t.Errorf("%v, %v", response, err)
		}
		eventually(t, "the refused are counted", func() bool {
			_, body, err := fetch(client(t, nil), "http://"+admin+"/metrics")
			return err == nil && strings.Contains(string(body), `holdfast_handshakes_failed_total{reason="client-certificate"} 6`)
		})
	})
	request.stop()
	require.stop()
	wantSubjects(t, require, "CN=mary")
	wantSubjects(t, request, "CN=mary", "")
}

// wantSubjects reads the access log of a server that has ended: every request over TLS was
// made by one of these, and each of these made some.
func wantSubjects(t *testing.T, s *server, want ...string) {
	t.Helper()
	seen := map[string]int{}
	for _, line := range s.access.records("request") {
		if subject, there := line["client_subject"].(string); there || line["tls"] != nil {
			seen[subject]++
		}
	}
	for _, subject := range want {
		if seen[subject] == 0 {
			t.Errorf("no request of %q in the access log: %v", subject, seen)
		}
		delete(seen, subject)
	}
	if len(seen) > 0 {
		t.Errorf("requests of others: %v", seen)
	}
}

// returnTo makes a connection of its own, and tells whether it was served, by a session that
// resumed or not.
func returnTo(t *testing.T, s *server, config *tls.Config) (served, resumed bool) {
	t.Helper()
	c := client(t, config)
	response, _, err := fetch(c, s.url("/"))
	c.CloseIdleConnections()
	if err != nil {
		return false, false
	}
	return response.StatusCode == 200, response.TLS.DidResume
}

func TestRemovedCAEndsSessions(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			old, next := newAuthority(t), newAuthority(t)
			caFile := writeFile(t, "client-ca.pem", old.caPEM()+next.caPEM())
			s := launch(t, site(t, map[string]string{"index.html": "the quay"}), "--client-ca", caFile)
			mary, john := s.as(old.clientPEM("mary", oneDay)), s.as(next.clientPEM("john", oneDay))
			mary.MaxVersion, john.MaxVersion = version, version
			for _, config := range []*tls.Config{mary, john} {
				for _, again := range []bool{false, true} {
					if served, resumed := returnTo(t, s, config); !served || resumed != again {
						t.Errorf("served %t, resumed %t, want %t", served, resumed, again)
					}
				}
			}
			replace(t, caFile, "no CA at all")
			s.signal(syscall.SIGHUP)
			s.await("reload failed, the old certificates stay")
			if served, resumed := returnTo(t, s, mary); !served || !resumed {
				t.Errorf("a bad file changes something: served %t, resumed %t", served, resumed)
			}
			replace(t, caFile, next.caPEM())
			s.signal(syscall.SIGHUP)
			s.await("client CAs reloaded")
			if served, _ := returnTo(t, s, mary); served {
				t.Error("a client whose CA was removed is served")
			}
			if served, resumed := returnTo(t, s, john); !served || !resumed {
				t.Errorf("a client whose CA stayed: served %t, resumed %t", served, resumed)
			}
			s.stop()
		})
	}
}
