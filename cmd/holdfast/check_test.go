package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

func TestCheck(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay"})
	check := func(t *testing.T, env environment, args ...string) result {
		t.Helper()
		return holdfast(t, env, append([]string{"check", "--https", "127.0.0.1:0"}, args...)...)
	}
	t.Run("a good configuration is a table, and leaves nothing behind", func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "far", "state")
		r := check(t, testEnvironment(t), root, "--state", state, "--drain-delay", "15s")
		want := "https         127.0.0.1:0  serves " + root + " over TLS\n" +
			"http          off\n" +
			"admin         off\n" +
			"certificates  the local CA in " + state + "\n" +
			"drain         15s, then 25s at most; a supervisor has to grant 41s\n"
		if r.exit != 0 || r.err != "" || r.out != want {
			t.Errorf("exit %d\n%s%s\nwant\n%s", r.exit, r.out, r.err, want)
		}
		if _, err := os.Stat(filepath.Dir(state)); !os.IsNotExist(err) {
			t.Errorf("the check made the state directory: %v", err)
		}
	})
	t.Run("a plain listener alone serves the directory", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "check", root, "--https", "off", "--http", "127.0.0.1:0")
		if r.exit != 0 || !strings.Contains(r.out, "serves "+root+" in clear text") || strings.Contains(r.out, "certificates") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("a pair is named, and none that is broken passes", func(t *testing.T) {
		cert, key := newAuthority(t).pairPEM(2, time.Hour)
		certFile, keyFile := writeFile(t, "site.pem", cert), writeFile(t, "site.key", key)
		if r := check(t, testEnvironment(t), root, "--cert", certFile, "--key", keyFile); r.exit != 0 || !strings.Contains(r.out, certFile) {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
		_, other := newAuthority(t).pairPEM(3, time.Hour)
		if r := check(t, testEnvironment(t), root, "--cert", certFile, "--key", writeFile(t, "other.key", other)); r.exit != 1 || r.out != "" {
			t.Errorf("a key of another certificate: exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("pairs and a local name are both named, and what clients have to show", func(t *testing.T) {
		a := newAuthority(t)
		cert, key := a.pairPEM(2, time.Hour)
		certFile, caFile := writeFile(t, "site.pem", cert+key), writeFile(t, "ca.pem", a.caPEM())
		r := check(t, testEnvironment(t), root, "--cert", certFile, "--key", certFile, "--local-name", "dev.test", "--state", "/state",
			"--client-ca", caFile, "--client-auth", "request")
		for _, want := range []string{"certificates  " + certFile + ", the local CA in /state\n", "clients       may show a certificate signed by " + caFile + "\n"} {
			if r.exit != 0 || !strings.Contains(r.out, want) {
				t.Errorf("exit %d, without %q\n%s%s", r.exit, want, r.out, r.err)
			}
		}
	})
	t.Run("files about TLS are read, and all their faults come at once", func(t *testing.T) {
		secret := writeFile(t, "secret", "hunter2")
		r := check(t, testEnvironment(t), root, "--client-ca", "/nowhere.pem", "--client-ca", writeFile(t, "empty.pem", ""), "--cluster-secret-file", secret)
		for _, want := range []string{"client CA file /nowhere.pem: file does not exist", "empty.pem holds no PEM certificate", "cluster secret file " + secret + " is no secret: it has 7 bytes"} {
			if r.exit != 1 || r.out != "" || !strings.Contains(r.err, want) || strings.Contains(r.err, "hunter2") {
				t.Errorf("exit %d, without %q\n%s%s", r.exit, want, r.out, r.err)
			}
		}
	})
	t.Run("a secret that every user can read is a warning", func(t *testing.T) {
		secret := writeFile(t, "secret", strings.Repeat("0f1e", 16))
		if err := os.Chmod(secret, 0o644); err != nil {
			t.Fatal(err)
		}
		r := check(t, testEnvironment(t), root, "--cluster-secret-file", secret)
		if r.exit != 0 || !strings.HasPrefix(r.err, "holdfast: warning: cluster secret file "+secret+" can be read by every user") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("all layers count, and all their faults come at once", func(t *testing.T) {
		file := writeFile(t, "holdfast.toml", "stall-timeout = 'soon'\nmax-fields = 0\n")
		r := check(t, testEnvironment(t, "HOLDFAST_IDLE_TIMEOUT=60"), "/nowhere/at/all", "--config", file, "--log", "xml", "--bogus")
		for _, want := range []string{"stall-timeout", "max-fields", "idle-timeout", "/nowhere/at/all", "log", "--bogus", ":2)"} {
			if r.exit != 2 || r.out != "" || !strings.Contains(r.err, want) {
				t.Errorf("exit %d, without %q:\n%s", r.exit, want, r.err)
			}
		}
	})
	t.Run("an unknown variable is a warning", func(t *testing.T) {
		r := check(t, testEnvironment(t, "HOLDFAST_IDEL_TIMEOUT=1s"), root)
		if r.exit != 0 || !strings.HasPrefix(r.err, `holdfast: warning: unknown variable "HOLDFAST_IDEL_TIMEOUT"`) {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
}

func TestCheckMeetsTheMachine(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay"})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Run("a port that is shared is none, unless its owner does not share", func(t *testing.T) {
		shared, err := conn.ListenShared(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer shared.Close()
		args := []string{"check", t.TempDir(), "--https", "off", "--reuse-port", "on", "--http"}
		if r := holdfast(t, testEnvironment(t), append(args, shared.Addr().String())...); r.exit != 0 || r.err != "" {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
		if r := holdfast(t, testEnvironment(t), append(args, taken.Addr().String())...); r.exit != 0 || !strings.Contains(r.err, "the port is in use") {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
	t.Run("a port in use is a warning: it may be the server that is to be replaced", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "check", root, "--https", taken.Addr().String())
		if r.exit != 0 || !strings.HasPrefix(r.err, "holdfast: warning: cannot listen on "+taken.Addr().String()+" (--https): the port is in use") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("an address that the machine does not have is a fault", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "check", root, "--https", "192.0.2.1:0")
		if r.exit != 1 || !strings.Contains(r.err, "cannot listen on 192.0.2.1:0") {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
	t.Run("a state directory below a file is a fault", func(t *testing.T) {
		file := writeFile(t, "file", "")
		r := holdfast(t, testEnvironment(t), "check", root, "--https", "127.0.0.1:0", "--state", filepath.Join(file, "state"))
		if r.exit != 1 || !strings.Contains(r.err, "cannot keep the local CA in") || !strings.Contains(r.err, "not a directory") {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
	t.Run("no state directory at all is a fault", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t, "HOME="), "check", root, "--https", "127.0.0.1:0")
		if r.exit != 1 || !strings.Contains(r.err, "no directory to keep the local CA in") {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
}
