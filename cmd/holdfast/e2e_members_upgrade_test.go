package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An upgrade has two processes on one store for a while.
func TestMembersAcrossUpgrades(t *testing.T) {
	l := found(t, nil, nil, serveArgs(membersSite(t), "--https", "127.0.0.1:0", "--config", membersFile(t, `sign-up = "open"`))...).serving()
	ann, left := newVisitor(t, l.server), newVisitor(t, l.server)
	ann.signUp("ann")
	if r := left.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 303 {
		t.Fatalf("%d %s", r.status, r.content)
	}
	gone := left.http.Jar.Cookies(left.at())[0]
	left.post("/-/sign-out")
	for n := range 2 {
		l.upgraded()
		ann.http.CloseIdleConnections() // the next request is the successor's
		if !ann.isMember() {
			t.Errorf("upgrade %d signed the member out", n+1)
		}
		if left.carrying(gone).isMember() {
			t.Errorf("upgrade %d brought a session back", n+1)
		}
		if r := ann.post("/-/sign-out"); r.status != 303 || ann.isMember() {
			t.Errorf("a sign-out after upgrade %d: %d", n+1, r.status)
		}
		if r := ann.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 303 || !ann.isMember() {
			t.Errorf("a sign-in after upgrade %d: %d", n+1, r.status)
		}
	}
	l.finish(3)
}

// Processes of one state directory, as with --reuse-port, share the store.
func TestMembersInTwoProcesses(t *testing.T) {
	a := launch(t, membersSite(t), "--config", membersFile(t, `sign-up = "open"`))
	b := a.again()
	ann := newVisitor(t, a)
	ann.signUp("ann")
	t.Run("who signs in at one is a member of the other", func(t *testing.T) {
		if ann.server = b; !ann.isMember() {
			t.Error("no member")
		}
	})
	t.Run("a sign-out at one holds at the other", func(t *testing.T) {
		cookie := ann.http.Jar.Cookies(ann.at())[0]
		ann.post("/-/sign-out")
		ann.server = a
		took := within(func() {
			eventually(t, "the sign-out", func() bool { return !ann.carrying(cookie).isMember() })
		})
		t.Logf("it held after %v", took)
	})
	a.stop()
	b.stop()
}

// A rehearsal has [accounts] on, and members of its own.
func TestRehearsalWithMembers(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	seeds := openSeeds(t, state)
	seeds.add("ann")
	before := readFile(t, sqliteBelow(state).path)
	r, report := rehearsed(t, "--https", "127.0.0.1:0", "--state", state, "--config", membersFile(t, `sign-up = "open"`), "--drain-delay", "5s", "--endpoint-lag", "50ms")
	report.accounted(t)
	if r.exit != 0 || report.Lost != 0 {
		t.Errorf("exit %d, %d of %d lost: %v\n%s", r.exit, report.Lost, report.Requests.Begun, r.out, r.stderr)
	}
	if readFile(t, sqliteBelow(state).path) != before {
		t.Error("the rehearsal was in the service's store")
	}
	entries, err := os.ReadDir(state)
	if err != nil || len(entries) != 1 {
		t.Errorf("the rehearsal left something in the state directory: %v, %v", entries, err)
	}
	if strings.Contains(r.stderr, "DATA RACE") {
		t.Error(r.stderr)
	}
}
