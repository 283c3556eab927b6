package main

import (
	"fmt"
	"net/http"
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
