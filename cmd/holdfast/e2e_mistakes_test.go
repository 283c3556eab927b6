package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mistakeRow is a command line that cannot work, and what its one line has to say.
type mistakeRow struct {
	name string
	args []string
	exit int
	want []string
}

func TestNewcomersMistakes(t *testing.T) {
	root := site(t, map[string]string{"index.html": "the quay"})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, row := range mistakeRows(t, root, taken.Addr().String()) {
		t.Run(row.name, func(t *testing.T) { row.run(t) })
	}
}

func mistakeRows(t *testing.T, root, taken string) []mistakeRow {
	a := newAuthority(t)
	cert, key := a.pairPEM(1, oneDay)
	_, foreign := a.pairPEM(2, oneDay)
	expired, expiredKey := a.pairPEM(3, -time.Hour)
	certFile, keyFile := writeFile(t, "cert.pem", cert), writeFile(t, "key.pem", key)
	missing := filepath.Join(root, "nowhere")
	return []mistakeRow{
		{"a root that is not there", []string{missing}, 1, []string{missing}},
		{"a root that is a file", []string{filepath.Join(root, "index.html")}, 1, []string{"index.html", "directory"}},
		{"a port that is taken", []string{root, "--https", taken}, 1, []string{taken, "--https", "ss -ltnp"}},
		{"a bad flag", []string{root, "--htps", ":8443"}, 2, []string{"--htps", "--https"}},
		{"a bad value", []string{root, "--idle-timeout", "60"}, 2, []string{"--idle-timeout", "60"}},
		{"bad TOML", []string{root, "--config", writeFile(t, "broken.toml", "https = \n")}, 2, []string{"broken.toml:1"}},
		{"an unknown key", []string{root, "--config", writeFile(t, "holdfast.toml", "\nidle-timeot = \"5s\"\n")}, 2,
			[]string{"holdfast.toml:2", "idle-timeot", "idle-timeout"}},
		{"a key that does not match", []string{root, "--cert", certFile, "--key", writeFile(t, "key.pem", foreign)}, 1, []string{"key.pem", "match"}},
		{"key and certificate swapped", []string{root, "--cert", keyFile, "--key", certFile}, 1, []string{"key.pem"}},
		{"an expired certificate", []string{root, "--cert", writeFile(t, "old.pem", expired), "--key", writeFile(t, "old-key.pem", expiredKey)}, 1,
			[]string{"old.pem", "expired"}},
		{"a certificate without its key", []string{root, "--cert", certFile}, 2, []string{"--key"}},
		{"no listener at all", []string{root, "--https", "off"}, 2, []string{"--https"}},
	}
}

func (row mistakeRow) run(t *testing.T) {
	args := []string{"serve", "--log", "json", "--state", filepath.Join(t.TempDir(), "state")}
	if !hasFlag(row.args, "--https") {
		args = append(args, "--https", "127.0.0.1:0")
	}
	got := runToEnd(t, "", binary(t), append(args, row.args...)...)
	if got.exit != row.exit {
		t.Errorf("exit code %d, want %d", got.exit, row.exit)
	}
	if got.out != "" || strings.Contains(got.stderr, `"listening"`) {
		t.Errorf("it listened, or said something on stdout: %q", got.out)
	}
	if n := strings.Count("\n"+got.stderr, "\nholdfast: "); n != 1 {
		t.Errorf("it named %d faults, want one line for one:\n%s", n, got.stderr)
	}
	for _, want := range row.want {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%q lacks %q", got.stderr, want)
		}
	}
	if strings.Contains(got.stderr, "PRIVATE KEY") {
		t.Error("it printed key material")
	}
}

// One round of mending is enough, whoever finds the fault: the parser, the check of the
// settings, the kernel or the certificates' loader.
func TestMistakesComeAllAtOnce(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a := newAuthority(t)
	cert, _ := a.pairPEM(1, oneDay)
	_, foreign := a.pairPEM(2, oneDay)
	addr := taken.Addr().String()
	got := runToEnd(t, "", binary(t), "serve", filepath.Join(t.TempDir(), "nowhere"), "--https", addr, "--idle-timeout", "5",
		"--cert", writeFile(t, "cert.pem", cert), "--key", writeFile(t, "key.pem", foreign))
	if n := strings.Count("\n"+got.stderr, "\nholdfast: "); n != 4 || got.exit != 2 {
		t.Errorf("%d faults and exit code %d, want 4 and 2:\n%s", n, got.exit, got.stderr)
	}
	for _, want := range []string{"nowhere", addr, "--idle-timeout", "key.pem"} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("nothing is said of %s:\n%s", want, got.stderr)
		}
	}
}
