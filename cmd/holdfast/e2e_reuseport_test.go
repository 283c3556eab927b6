package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestReusePort replaces one independent server by another on the same port, several times.
func TestReusePort(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.pairPEM(1, 1e12)
	root := quaySite(t)
	flags := []string{"--reuse-port", "on", "--drain-delay", "1s", "--cert", writeFile(t, "c.pem", cert), "--key", writeFile(t, "k.pem", key)}
	old := launch(t, root, flags...)
	flags = append(flags, "--https", old.https)
	load := loadOn(t, old.url("/"), func() *http.Client { return client(t, a.trust()) }, func(r *http.Response, body []byte) string {
		if r.StatusCode != 200 || string(body) != "the quay" {
			return fmt.Sprintf("%d, %q", r.StatusCode, body)
		}
		return ""
	})
	load.progress(50)
	for range 3 {
		next := launch(t, root, flags...)
		load.progress(50)
		old.stop()
		load.progress(50)
		old = next
	}
	load.stop()
	old.stop()
	if late := old.ledger("connections")["late_bytes"]; late != 0.0 {
		t.Errorf("%v bytes came too late", late)
	}
}

// TestReusePortOfStartsThatFail has clients of a server on which others fail to start beside it.
func TestReusePortOfStartsThatFail(t *testing.T) {
	root := quaySite(t)
	flags := []string{"--reuse-port", "on"}
	old := launch(t, root, append(flags, "--https", "off", "--http", "127.0.0.1:0")...)
	flags = append(flags, "--http", old.http)
	load := loadOn(t, "http://"+old.http+"/", func() *http.Client { return client(t, nil) }, func(r *http.Response, body []byte) string {
		if r.StatusCode != 200 || string(body) != "the quay" {
			return fmt.Sprintf("%d, %q", r.StatusCode, body)
		}
		return ""
	})
	load.progress(50)
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	strangersAddress := stranger.Addr().String()
	noPair := writeFile(t, "bad.pem", "no PEM")
	for fault, wrong := range map[string][]string{
		"bad.pem":                              {"--https", "127.0.0.1:0", "--cert", noPair, "--key", noPair},
		`cannot write the pid file`:            {"--https", "off", "--pid-file", "/nowhere/pid"},
		`idle-timeout "60" is no duration`:     {"--https", "off", "--idle-timeout", "60"},
		"cannot listen on 192.0.2.1:9090":      {"--https", "off", "--admin", "192.0.2.1:9090"},
		"cannot listen on " + strangersAddress: {"--https", strangersAddress},
	} {
		for range 4 {
			s := spawn(t, root, append(flags, wrong...)...)
			if code := s.exit(); code == exitOK || !strings.Contains(s.log.text(), fault) {
				t.Errorf("exit code %d without the fault %q", code, fault)
			}
		}
		load.progress(20)
	}
	load.stop()
	old.stop()
}
