package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The README takes a newcomer from an empty directory to a protected page: its lines are run as
// they are, on a free port.
func TestReadmeMembers(t *testing.T) {
	content, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(content), "\n### Members\n")
	section, _, _ = strings.Cut(section, "\n### ")
	_, file, fenced := strings.Cut(section, "```toml\n")
	file, _, _ = strings.Cut(file, "```")
	if !found || !fenced {
		t.Fatal("the README has no section of members with its file")
	}
	empty := t.TempDir()
	replace(t, filepath.Join(empty, "holdfast.toml"), file)
	s := (*server)(nil)
	for line := range strings.Lines(section) {
		command, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "    ")
		switch {
		case !ok:
		case strings.HasPrefix(command, "holdfast serve "):
			s = launchIn(t, empty, strings.Fields(command)[1:]...)
		case strings.HasPrefix(command, "holdfast users "):
			words := strings.Fields(strings.NewReplacer("holdfast.toml", filepath.Join(empty, "holdfast.toml"), "members.jsonl", filepath.Join(empty, "members.jsonl")).Replace(command))
			usersOf(t, memberPassword+"\n", append(words[2:], "--state", s.state)...)
		default:
			sh := exec.Command("/bin/sh", "-ec", command)
			sh.Dir = empty
			if out, err := sh.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", command, err, out)
			}
		}
	}
	if s == nil {
		t.Fatal("no server is started there")
	}
	v := newVisitor(t, s)
	if r := v.get("/"); r.content != "for everybody\n" {
		t.Errorf("%d %s", r.status, r.content)
	}
	if r := v.get("/members/"); r.status != 303 || !strings.HasPrefix(r.location, "/-/sign-in?next=") {
		t.Errorf("%d %s", r.status, r.location)
	}
	if r := v.get("/-/sign-in"); r.status != 200 || !strings.Contains(r.content, "/-/sign-up") {
		t.Errorf("%d %s", r.status, r.content)
	}
	v.signUp("newcomer")
	if r := v.get("/members/"); r.content != "for members alone\n" || !strings.Contains(r.header.Get("RateLimit-Policy"), "q=1000;w=3600") {
		t.Errorf("%d %v %s", r.status, r.header, r.content)
	}
	s.stop()
}

// launchIn starts holdfast in a directory, on a free port.
func launchIn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := &server{t: t, state: filepath.Join(t.TempDir(), "state"), log: new(transcript), access: new(transcript), gone: make(chan struct{})}
	s.cmd = exec.Command(binary(t), args...)
	s.cmd.Dir = dir
	s.cmd.Env = slices.Concat(childEnvironment(t), []string{"HOLDFAST_HTTPS=127.0.0.1:0", "HOLDFAST_HTTP=off", "HOLDFAST_LOG=json", "HOLDFAST_STATE=" + s.state})
	s.cmd.Stdout, s.cmd.Stderr = s.access, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.gone)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.end)
	return s.listen()
}
