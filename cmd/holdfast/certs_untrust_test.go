package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/cmd/holdfast/trust"
)

// database is an environment whose home has an NSS database with this CA alone. What certutil
// is called with to change it is appended to a file.
func database(t *testing.T, ca trust.Certificate) (env environment, calls string) {
	t.Helper()
	env = trustEnvironment(t)
	dir := filepath.Join(env.get("HOME"), ".pki", "nssdb")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cert9.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	name := "Holdfast local CA " + ca.Fingerprint()[:16]
	calls = filepath.Join(t.TempDir(), "calls")
	script := "#!/bin/sh\ncase \"$3 $4 $5\" in\n'-L  ') echo '" + name + "   C,,';;\n'-L -n " + name + "') exec /bin/cat '" + ca.Path + "';;\n'-L '*) exit 1;;\n*) echo \"$@\" >>'" + calls + "';;\nesac\n"
	if err := os.WriteFile(filepath.Join(env.get("PATH"), "certutil"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return env, calls
}

func TestUntrustOfACAThatWasReplaced(t *testing.T) {
	made := func() (string, trust.Certificate) {
		dir := filepath.Join(t.TempDir(), "state")
		if r := holdfast(t, testEnvironment(t), "certs", "ca", "--state", dir); r.exit != 0 {
			t.Fatal(r.err)
		}
		ca, err := trust.Read(filepath.Join(dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return dir, ca
	}
	_, old := made()
	state, _ := made()
	env, calls := database(t, old)
	untrust := func(args ...string) *ran { // as a user would
		r := holdfast(t, env, append([]string{"certs", "untrust", "--only", "browsers"}, args...)...)
		return &ran{exit: r.exit, out: r.out, stderr: r.err}
	}
	t.Run("it is told of, with the line that takes it out", func(t *testing.T) {
		r := untrust("--state", state)
		if r.exit != 0 || !strings.Contains(r.out, "stays trusted: "+told(old)) || !strings.Contains(r.out, "certs untrust --fingerprint "+old.Fingerprint()+" --only browsers\n") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("without a state directory the fingerprint is asked for", func(t *testing.T) {
		if r := untrust("--state", t.TempDir()); r.exit != 1 || !strings.Contains(r.stderr, "--fingerprint all --dry-run") {
			t.Errorf("exit %d\n%s", r.exit, r.stderr)
		}
	})
	t.Run("another fingerprint takes nothing out", func(t *testing.T) {
		if r := untrust("--fingerprint", "00112233445566778899", "--yes"); r.exit != 0 || !strings.HasSuffix(r.out, "Nothing is to be done.\n") {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
	})
	t.Run("what is no fingerprint is refused", func(t *testing.T) {
		for _, text := range []string{"0011", "every", "zz112233445566778899"} {
			if r := untrust("--fingerprint", text, "--yes"); r.exit != 2 || !strings.Contains(r.stderr, "(--fingerprint)") {
				t.Errorf("%s: exit %d\n%s", text, r.exit, r.stderr)
			}
		}
	})
	t.Run("its own takes it out, and so does all", func(t *testing.T) {
		if _, err := os.Stat(calls); !os.IsNotExist(err) {
			t.Fatalf("something was changed before: %v", err)
		}
		for i, text := range []string{strings.ToUpper(old.Fingerprint()[:2]) + ":" + old.Fingerprint()[2:20], "all"} {
			r := untrust("--fingerprint", text, "--yes")
			said, err := os.ReadFile(calls)
			if r.exit != 0 || err != nil || strings.Count(string(said), " -D -n Holdfast local CA "+old.Fingerprint()[:16]+"\n") != i+1 {
				t.Errorf("%s: exit %d, called with %s, %v\n%s%s", text, r.exit, said, err, r.out, r.stderr)
			}
		}
	})
}
