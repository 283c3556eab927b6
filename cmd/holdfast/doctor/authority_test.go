package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	for _, c := range []struct {
		name string
		off  time.Duration // the CA's
		want string
	}{
		{"right", 0, "ok: the clock agrees"},
		{"a little off", 30 * time.Second, "ok: the clock agrees"},
		{"minutes behind", 5 * time.Minute, "warning: this machine's clock is "},
		{"minutes ahead", -5 * time.Minute, "warning: this machine's clock is "},
		{"hours behind", 2 * time.Hour, "fault: this machine's clock is "},
		{"a year ahead", -365 * 24 * time.Hour, "fault: this machine's clock is "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &Doctor{Directory: directory(t, c.off, `"CA.example"`), Patience: patience}
			d.prepare()
			r := collect(d.visitCA(t.Context()))
			want(t, r, "clock", c.want)
			want(t, r, "ca", "ok: the CA at 127.0.0.1 can be reached")
			if !slices.Equal(d.ca.identities, []string{"ca.example"}) {
				t.Errorf("identities %q", d.ca.identities)
			}
		})
	}
	t.Run("is exact to the second, whatever the request took", func(t *testing.T) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 900e6, time.UTC)
		for _, row := range []struct {
			date          string
			before, after time.Time
			want          string
		}{
			{"Sun, 01 Mar 2026 12:00:00 GMT", now, now.Add(4 * time.Second), "ok: the clock agrees with the CA's"},
			{"Sun, 01 Mar 2026 12:02:00 GMT", now, now.Add(100 * time.Millisecond), "warning: this machine's clock is 1m59s behind the CA's"},
			{"Sun, 01 Mar 2026 10:00:00 GMT", now, now, "fault: this machine's clock is 2h0m1s ahead of the CA's"},
			{"yesterday", now, now, "note: the CA does not tell its time"},
			{"", now, now, "note: the CA does not tell its time"},
		} {
			c := chart{check: "clock"}
			compareClocks(&c, row.date, row.before, row.after)
			want(t, collect(c.findings), "clock", row.want)
		}
	})
}

func TestCAOutOfReach(t *testing.T) {
	answer := func(status int, body string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for _, c := range []struct{ name, directory, want string }{
		{"no URL", "staging", `fault: "staging" is no URL`},
		{"nobody there", fmt.Sprintf("http://127.0.0.1:%d", closedPort(t)), "fault: the CA cannot be reached"},
		{"maintenance", answer(503, ""), "fault: the CA answers with status 503"},
		{"no directory", answer(200, "<html>"), "fault: what is at "},
		{"another JSON", answer(200, `{"a":1}`), "fault: what is at "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &Doctor{Directory: c.directory, Patience: patience}
			d.prepare()
			want(t, collect(d.visitCA(t.Context())), "ca", c.want)
		})
	}
	t.Run("a clock that is years off is told from the CA's certificate", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		pool := x509.NewCertPool()
		pool.AddCert(s.Certificate())
		later := func() time.Time { return s.Certificate().NotAfter.Add(time.Hour) }
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Time: later}}}
		d := &Doctor{Directory: s.URL, Client: client, Now: later, Patience: patience}
		d.prepare()
		want(t, collect(d.visitCA(t.Context())), "clock", "fault: the certificate of 127.0.0.1 is not valid at this machine's time, ")
	})
	t.Run("a CA that hangs", func(t *testing.T) {
		held := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
		t.Cleanup(s.Close)
		t.Cleanup(func() { close(held) })
		d := &Doctor{Directory: s.URL, Patience: 40 * time.Millisecond}
		d.prepare()
		want(t, collect(d.visitCA(t.Context())), "ca", "fault: the CA cannot be reached")
	})
}

func TestPublicCA(t *testing.T) {
	for host, want := range map[string]bool{"letsencrypt.org": true, "acme-v02.api.letsencrypt.org": true, "notletsencrypt.org": false, "letsencrypt.org.example": false, "": false} {
		if got := (authority{host: host}).isPublic(); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}
