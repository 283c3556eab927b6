package main

import (
	"syscall"
	"testing"
)

// Members' requests go on through the drain, which the store outlives.
func TestMembersInADrain(t *testing.T) {
	s := launch(t, membersSite(t), "--config", membersFile(t, `sign-up = "open"`), "--drain-delay", "1h")
	ann := newVisitor(t, s)
	ann.signUp("ann")
	s.signal(syscall.SIGTERM)
	s.await("stopping")
	if !ann.isMember() {
		t.Error("no member in the lame duck")
	}
	if r := ann.post("/-/sign-out"); r.status != 303 || ann.isMember() {
		t.Errorf("a sign-out in the lame duck: %d", r.status)
	}
	if r := ann.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 303 || !ann.isMember() {
		t.Errorf("a sign-in in the lame duck: %d", r.status)
	}
	s.signal(syscall.SIGKILL)
	s.exit()
}
