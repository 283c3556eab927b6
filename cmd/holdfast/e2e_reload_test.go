package main

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const oneDay = 24 * time.Hour

// pairFiles writes a pair with this serial number and returns its flags.
func pairFiles(t testing.TB, a *authority, serial int64) (certFile, keyFile string, flags []string) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, key := a.pairPEM(serial, oneDay)
	replace(t, certFile, cert)
	replace(t, keyFile, key)
	return certFile, keyFile, []string{"--cert", certFile, "--key", keyFile}
}

// servedSerial is the serial number that a new handshake shows.
func servedSerial(t testing.TB, s *server, a *authority) int64 {
	t.Helper()
	p := dialTCP(t, s.https, 0).secure(a.trust())
	defer p.conn.Close()
	return p.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func is200(response *http.Response, _ []byte) string {
	if response.StatusCode != 200 {
		return response.Status
	}
	return ""
}

func TestReloadUnderLoad(t *testing.T) {
	a := newAuthority(t)
	certFile, keyFile, flags := pairFiles(t, a, 10)
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), flags...)
	l := loadOn(t, s.url("/"), func() *http.Client { return client(t, a.trust()) }, is200)
	for serial := int64(11); serial < 16; serial++ {
		l.progress(10)
		cert, key := a.pairPEM(serial, oneDay)
		replace(t, keyFile, key)
		replace(t, certFile, cert)
		s.signal(syscall.SIGHUP)
		eventually(t, "new handshakes get the new certificate", func() bool { return servedSerial(t, s, a) == serial })
	}
	l.progress(10)
	l.stop()
	s.stop()
}

func TestBadReloadKeepsTheOldCertificate(t *testing.T) {
	a := newAuthority(t)
	_, foreignKey := a.pairPEM(99, oneDay)
	certFile, keyFile, flags := pairFiles(t, a, 10)
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}), flags...)
	for _, c := range []struct {
		name    string
		content string
	}{
		{"a key that does not match", foreignKey},
		{"half a key", foreignKey[:len(foreignKey)/2]},
		{"no key at all", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(complaints(s))
			replace(t, keyFile, c.content)
			s.signal(syscall.SIGHUP)
			eventually(t, "the log says what is wrong", func() bool { return len(complaints(s)) > before })
			if serial := servedSerial(t, s, a); serial != 10 {
				t.Errorf("a handshake shows certificate %d, want the old one", serial)
			}
			if found := complaints(s)[before:]; len(found) != 1 || !strings.Contains(found[0], "key.pem") {
				t.Errorf("the log says\n%s\nwant one line that names the file", listed(found))
			}
		})
	}
	t.Run("and a good pair mends it", func(t *testing.T) {
		cert, key := a.pairPEM(12, oneDay)
		replace(t, certFile, cert)
		replace(t, keyFile, key)
		s.signal(syscall.SIGHUP)
		eventually(t, "new handshakes get the new certificate", func() bool { return servedSerial(t, s, a) == 12 })
	})
	s.stop()
	if log := s.log.text(); strings.Contains(log, "PRIVATE KEY") || strings.Contains(log, foreignKey[30:60]) {
		t.Error("the log has key material in it")
	}
}

// complaints are the log's lines of level ERROR or WARN.
func complaints(s *server) (found []string) {
	for line := range strings.Lines(s.log.text()) {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, `"level":"WARN"`) {
			found = append(found, line)
		}
	}
	return found
}

// A Secret in Kubernetes: the names link through ..data, and the swap of that one link
// changes certificate and key together. Nobody sends a signal.
func TestContentPollSeesASwappedSecret(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	secret := t.TempDir()
	version := func(name string, serial int64) {
		cert, key := a.pairPEM(serial, oneDay)
		if err := os.Mkdir(filepath.Join(secret, name), 0o700); err != nil {
			t.Fatal(err)
		}
		replace(t, filepath.Join(secret, name, "tls.crt"), cert)
		replace(t, filepath.Join(secret, name, "tls.key"), key)
	}
	version("..1", 1)
	version("..2", 2)
	relink(t, filepath.Join(secret, "..data"), "..1")
	relink(t, filepath.Join(secret, "tls.crt"), "..data/tls.crt")
	relink(t, filepath.Join(secret, "tls.key"), "..data/tls.key")
	s := launch(t, site(t, map[string]string{"index.html": "the quay"}),
		"--cert", filepath.Join(secret, "tls.crt"), "--key", filepath.Join(secret, "tls.key"))
	if serial := servedSerial(t, s, a); serial != 1 {
		t.Fatalf("certificate %d at the start, want 1", serial)
	}
	relink(t, filepath.Join(secret, "..data"), "..2")
	eventually(t, "the new certificate is served without a signal", func() bool { return servedSerial(t, s, a) == 2 })
	s.stop()
}
