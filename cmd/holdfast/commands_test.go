package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
)

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		name, args string
		exit       int
		want       string // the beginning of stderr's one line
	}{
		{"a mistyped command", "serv", 2, `holdfast: unexpected argument serv, did you mean one of "serve", "users"?; see holdfast --help`},
		{"a mistyped subcommand", "certs cb", 2, `holdfast: unexpected argument cb, did you mean "ca"?; see holdfast certs --help`},
		{"a flag before the command", "--https :1 serve", 2, `holdfast: unknown flag --https; see holdfast --help`},
		{"an argument too many", "version now", 2, `holdfast: unexpected argument now`},
		{"an unknown flag of a command without settings", "version --jsn", 2, `holdfast: unknown flag "--jsn"; did you mean --json?`},
		{"an unknown flag of explain", "explain --all", 2, `holdfast: unknown flag "--all"; see holdfast explain --help`},
		{"an unknown flag of certs ca", "certs ca --stat x", 2, `holdfast: unknown flag "--stat"; did you mean --state?`},
		{"an argument that would overwrite a terminal", "\x1b[2J", 2, `holdfast: unexpected argument \x1b[2J`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), strings.Fields(c.args)...)
			if got := lines(r.err); r.exit != c.exit || r.out != "" || len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %q", r.exit, r.out, got, c.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Run("one line", func(t *testing.T) {
		for _, args := range [][]string{{"version"}, {"--version"}} {
			r := holdfast(t, testEnvironment(t), args...)
			if r.exit != 0 || len(lines(r.out)) != 1 || !strings.HasPrefix(r.out, "holdfast ") || !strings.Contains(r.out, " go1.") {
				t.Errorf("%q: exit %d, %q", args, r.exit, r.out)
			}
		}
	})
	t.Run("one JSON object", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "version", "--json")
		var got map[string]any
		if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.exit != 0 {
			t.Fatalf("exit %d, %q: %v", r.exit, r.out, err)
		}
		for _, key := range []string{"version", "modified", "go", "os", "arch"} {
			if got[key] == nil {
				t.Errorf("no %s in %s", key, r.out)
			}
		}
	})
	t.Run("a release built from a checkout", func(t *testing.T) {
		b := buildOf(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.time", Value: "2025-03-01T12:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		}})
		b.Go, b.OS, b.Arch = "go1.26.0", "linux", "amd64"
		if want := "holdfast v1.2.3 (0123456789ab, modified, 2025-03-01T12:00:00Z) go1.26.0 linux/amd64"; b.String() != want {
			t.Errorf("got %q, want %q", b, want)
		}
	})
	t.Run("a build without any information", func(t *testing.T) {
		if b := buildOf(&debug.BuildInfo{}); b.Version != "devel" || b.Modified {
			t.Errorf("got %+v", b)
		}
	})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	reasons := http1.Reasons()
	t.Run("every code has its status, section and sentence", func(t *testing.T) {
		for _, reason := range reasons {
			r := holdfast(t, testEnvironment(t), "explain", reason.Code)
			for _, want := range []string{reason.Code, reason.Section, reason.Why} {
				if r.exit != 0 || !strings.Contains(r.out, want) {
					t.Errorf("explain %s: exit %d, without %q:\n%s", reason.Code, r.exit, want, r.out)
				}
			}
		}
	})
	t.Run("without a code all are listed", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "explain")
		if n := len(lines(r.out)); r.exit != 0 || n != 1+len(reasons)+len(handshakeFailures) {
			t.Errorf("exit %d, %d lines for %d reasons", r.exit, n, len(reasons))
		}
	})
	t.Run("an unknown code has its neighbours", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "explain", "bad-chunk-sise")
		if want := `holdfast: unknown reason code "bad-chunk-sise"; did you mean bad-chunk-size?`; r.exit != 2 || !strings.HasPrefix(r.err, want[:len(want)-1]) {
			t.Errorf("exit %d, %q", r.exit, r.err)
		}
	})
	t.Run("a code like none says where they are", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "explain", "zzzzzz")
		if want := "holdfast: unknown reason code \"zzzzzz\"; holdfast explain lists them all\n"; r.exit != 2 || r.err != want {
			t.Errorf("exit %d, %q", r.exit, r.err)
		}
	})
}

func TestCertsCA(t *testing.T) {
	t.Run("makes a CA once and explains how to trust it", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		first := holdfast(t, testEnvironment(t), "certs", "ca", "--state", dir)
		path := filepath.Join(dir, "ca.pem")
		if first.exit != 0 || lines(first.out)[0] != path {
			t.Fatalf("exit %d\n%s%s", first.exit, first.out, first.err)
		}
		for _, want := range []string{"curl --cacert " + path, "update-ca-certificates", "trust anchor " + path, "add-trusted-cert", "certutil -d sql:", "Firefox"} {
			if !strings.Contains(first.out, want) {
				t.Errorf("no %q in\n%s", want, first.out)
			}
		}
		before := readCA(t, path)
		second := holdfast(t, testEnvironment(t, "HOLDFAST_STATE="+dir), "certs", "ca")
		if second.exit != 0 || second.err != "" || second.out != first.out || !readCA(t, path).Equal(before) {
			t.Errorf("the second time: exit %d\n%s%s", second.exit, second.out, second.err)
		}
	})
	t.Run("takes state and names from the server's configuration", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		file := writeFile(t, "holdfast.toml", "state = '"+dir+"'\nlocal-name = ['dev.example.org']\nhttps = ':1'\n")
		r := holdfast(t, testEnvironment(t), "certs", "ca", "--config", file)
		if r.exit != 0 {
			t.Fatalf("exit %d, %s", r.exit, r.err)
		}
		if permitted := readCA(t, filepath.Join(dir, "ca.pem")).PermittedDNSDomains; !strings.Contains(strings.Join(permitted, " "), "dev.example.org") {
			t.Errorf("it may sign for %q", permitted)
		}
	})
	t.Run("a path with a blank is quoted for the shell", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "my state")
		if r := holdfast(t, testEnvironment(t), "certs", "ca", "--state", dir); !strings.Contains(r.out, "--cacert '"+dir+"/ca.pem' ") {
			t.Errorf("exit %d\n%s", r.exit, r.out)
		}
	})
	t.Run("without any directory it says which to set", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t, "HOME="), "certs", "ca")
		if r.exit != 1 || len(lines(r.err)) != 1 || !strings.Contains(r.err, "--state") {
			t.Errorf("exit %d, %q", r.exit, r.err)
		}
	})
	t.Run("a directory that is a file is one line", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "certs", "ca", "--state", "main.go")
		if r.exit != 1 || len(lines(r.err)) != 1 || r.out != "" {
			t.Errorf("exit %d, %q", r.exit, r.err)
		}
	})
}

func readCA(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatalf("%s is no PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
