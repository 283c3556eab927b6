package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestUsersOnATerminal(t *testing.T) {
	path, state := binary(t), filepath.Join(t.TempDir(), "state")
	sitDown := func(t *testing.T, args ...string) (*seat, *bytes.Buffer) {
		t.Helper()
		stdout := new(bytes.Buffer)
		return sit(t, stdout, path, append([]string{"users"}, append(args, "--state", state)...)...), stdout
	}
	unseen := func(t *testing.T, s *seat, stdout *bytes.Buffer) {
		t.Helper()
		for _, secret := range []string{annsPassword, otherPassword} {
			if strings.Contains(s.shown.text()+stdout.String(), secret) {
				t.Errorf("the password is shown:\n%s%s", s.shown.text(), stdout)
			}
		}
		if !s.echoes() {
			t.Error("the terminal still hides what is typed")
		}
	}
	t.Run("a password is typed twice, and not shown", func(t *testing.T) {
		s, stdout := sitDown(t, "add", "ann")
		s.typeHidden("New password for ann: ", annsPassword+"\n")
		s.typeHidden("The same again: ", annsPassword+"\n")
		if code := s.exit(); code != 0 || stdout.String() != "ann is a member now.\n" {
			t.Errorf("exit %d\n%s%s", code, s.shown.text(), stdout)
		}
		unseen(t, s, stdout)
	})
	t.Run("two that differ change nothing", func(t *testing.T) {
		s, stdout := sitDown(t, "passwd", "ann")
		s.typeHidden("New password for ann: ", annsPassword+"\n")
		s.typeHidden("The same again: ", otherPassword+"\n")
		if code := s.exit(); code != 1 || !strings.Contains(s.shown.text(), "the passwords are not the same") {
			t.Errorf("exit %d\n%s%s", code, s.shown.text(), stdout)
		}
		unseen(t, s, stdout)
	})
	t.Run("Ctrl-C in the midst of it gives the terminal back as it was", func(t *testing.T) {
		s, stdout := sitDown(t, "passwd", "ann")
		s.typeHidden("New password for ann: ", annsPassword+"\x03")
		if code := s.exit(); code != 130 {
			t.Errorf("exit %d\n%s%s", code, s.shown.text(), stdout)
		}
		unseen(t, s, stdout)
	})
	t.Run("Enter alone is no password", func(t *testing.T) {
		s, stdout := sitDown(t, "passwd", "ann")
		s.typeHidden("New password for ann: ", "\n")
		if code := s.exit(); code != 1 || !strings.Contains(s.shown.text(), "no password was typed") {
			t.Errorf("exit %d\n%s%s", code, s.shown.text(), stdout)
		}
		unseen(t, s, stdout)
	})
	t.Run("a removal asks, and no is the answer of whoever only presses Enter", func(t *testing.T) {
		for _, c := range []struct {
			typed string
			code  int
			said  string
		}{{"\n", 1, ""}, {"no\n", 1, ""}, {"y\n", 0, "ann is no member any more"}} {
			s, stdout := sitDown(t, "remove", "ann")
			s.asked(`Remove the member "ann", made on `)
			s.types(c.typed)
			if code := s.exit(); code != c.code || !strings.HasPrefix(stdout.String(), c.said) {
				t.Errorf("%q: exit %d\n%s%s", c.typed, code, s.shown.text(), stdout)
			}
		}
	})
}
