package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// limitFiles bounds the size of what the server writes, as a full disk does, and returns what the
// bound was.
func (s *server) limitFiles(t *testing.T, bytes uint64) (was uint64) {
	t.Helper()
	var before unix.Rlimit
	pid := s.cmd.Process.Pid
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return before.Cur
}

func TestMembersOnAFullDisk(t *testing.T) {
	s := launch(t, membersSite(t), "--config", membersFile(t, `sign-up = "open"`))
	ann, other := newVisitor(t, s), newVisitor(t, s)
	ann.signUp("ann")
	free := s.limitFiles(t, 1)
	t.Run("members stay signed in", func(t *testing.T) {
		if !ann.isMember() {
			t.Error("no member")
		}
	})
	t.Run("public pages are served", func(t *testing.T) {
		if r := other.get("/"); r.status != 200 {
			t.Errorf("%d", r.status)
		}
	})
	t.Run("what has to be written is 503, and nobody is told otherwise", func(t *testing.T) {
		ann.hasty, other.hasty = true, true
		defer func() { ann.hasty, other.hasty = false, false }()
		if r := other.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 503 || r.header.Get("Retry-After") == "" || r.header.Get("Set-Cookie") != "" {
			t.Errorf("sign-in: %d %v", r.status, r.header)
		}
		if r := ann.post("/-/sign-out"); r.status != 503 || r.header.Get("Set-Cookie") != "" {
			t.Errorf("sign-out: %d %v", r.status, r.header)
		}
		ann.hasty = false
		if !ann.isMember() {
			t.Error("no member")
		}
	})
	s.limitFiles(t, free)
	t.Run("once there is room, all is as before", func(t *testing.T) {
		eventually(t, "a sign-in", func() bool {
			return other.post("/-/sign-in", "name", "ann", "password", memberPassword).status == 303
		})
		if r := ann.post("/-/sign-out"); r.status != 303 || ann.isMember() || !other.isMember() {
			t.Errorf("%d", r.status)
		}
	})
	s.stop()
}
