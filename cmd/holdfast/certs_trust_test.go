package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// trustEnvironment is one in which no program is found that changes a store, but these, which
// do nothing and know nothing.
func trustEnvironment(t *testing.T, programs ...string) environment {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return testEnvironment(t, "PATH="+dir)
}

func TestCertsTrustRefuses(t *testing.T) {
	empty, made := t.TempDir(), filepath.Join(t.TempDir(), "state")
	if r := holdfast(t, testEnvironment(t), "certs", "ca", "--state", made); r.exit != 0 {
		t.Fatal(r.err)
	}
	for _, c := range []struct {
		name, args string
		exit       int
		want       string
	}{
		{"no CA", "--state " + empty, 1, `holdfast: there is no local CA in "` + empty + `"; make one with holdfast certs ca`},
		{"an unknown store", "--only browser --state " + made, 2, `holdfast: only "browser" is neither system nor browsers (--only); did you mean browsers?`},
		{"nobody to ask", "--only browsers --state " + made, 2, "holdfast: nothing was done: there is no terminal on which to ask; add --yes"},
		{"an argument", "now --state " + made, 2, "holdfast: unexpected argument now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, trustEnvironment(t, "chromium", "certutil"), append([]string{"certs", "trust"}, strings.Fields(c.args)...)...)
			if got := lines(r.err); r.exit != c.exit || len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
				t.Errorf("exit %d, %q; want %d and %q", r.exit, got, c.exit, c.want)
			}
		})
	}
	t.Run("a CA that was not there is not made", func(t *testing.T) {
		if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}
	})
}

func TestCertsTrustPlans(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my state")
	if r := holdfast(t, testEnvironment(t), "certs", "ca", "--state", dir); r.exit != 0 {
		t.Fatal(r.err)
	}
	env := trustEnvironment(t, "chromium", "certutil")
	t.Run("a dry run prints the commands and runs none", func(t *testing.T) {
		r := holdfast(t, env, "certs", "trust", "--state", dir, "--only", "browsers", "--dry-run")
		database := filepath.Join(env.get("HOME"), ".pki", "nssdb")
		for _, want := range []string{dir + "/ca.pem\n", "SHA-256 ", "\nthe NSS database " + database + "\n  ", "mkdir -p -m 0700 " + database, " -N --empty-password\n", " -A -t C,, -n 'Holdfast local CA ", " -i '" + dir + "/ca.pem'\n"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("no %q in\n%s", want, r.out)
			}
		}
		if _, err := os.Stat(filepath.Dir(database)); r.exit != 0 || r.err != "" || !os.IsNotExist(err) {
			t.Errorf("exit %d, %s, %v", r.exit, r.err, err)
		}
	})
	t.Run("what fails is told, with the exit code 1", func(t *testing.T) {
		r := holdfast(t, env, "certs", "trust", "--state", dir, "--only", "browsers", "--yes")
		if r.exit != 1 || !strings.HasPrefix(r.err, "holdfast: failed at the NSS database ") {
			t.Errorf("exit %d, %s", r.exit, r.err)
		}
	})
	t.Run("untrust where nothing was put has nothing to do", func(t *testing.T) {
		r := holdfast(t, trustEnvironment(t, "certutil"), "certs", "untrust", "--state", dir, "--only", "browsers")
		if r.exit != 0 || !strings.HasSuffix(r.out, "Nothing is to be done.\n") {
			t.Errorf("exit %d, %s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("what needs root is not done, and the line for it is whole", func(t *testing.T) {
		c := &trustChange{in: true, state: dir}
		self, err := os.Executable()
		if want := "sudo " + shellWord(self) + " certs trust --state '" + dir + "' --only system --yes"; err != nil || c.line("sudo ", true, onlySystem) != want {
			t.Errorf("got %s, want %s", c.line("sudo ", true, onlySystem), want)
		}
	})
}
