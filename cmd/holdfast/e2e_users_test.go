package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// usersOf runs a command of users for a store that servers have open, and wants it to work.
func usersOf(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	r := runToEnd(t, stdin, binary(t), append([]string{"users"}, args...)...)
	if r.exit != 0 || strings.Contains(r.out+r.stderr, memberPassword) {
		t.Fatalf("users %q: exit %d\n%s%s", args, r.exit, r.out, r.stderr)
	}
	return r
}

func TestUsersBesideTheServer(t *testing.T) {
	for _, kept := range []string{"sqlite", "redis"} {
		t.Run(kept, func(t *testing.T) {
			store := kept
			if kept == "redis" {
				store = startRedis(t).url()
			}
			file := membersFile(t, fmt.Sprintf("store = %q", store), `sign-up = "invite"`, `quota = "10000/1h"`)
			s := launch(t, membersSite(t), "--config", file)
			at := []string{"--state", s.state, "--config", file}
			users := func(t *testing.T, stdin string, args ...string) ran {
				t.Helper()
				return usersOf(t, stdin, append(args, at...)...)
			}
			checkUsersBesideTheServer(t, s, users)
			s.stop()
			t.Run("on the store that it left too", func(t *testing.T) {
				if got := lines(users(t, "", "list").out); len(got) != 2 || !strings.HasPrefix(got[1], "bob ") {
					t.Errorf("%q", got)
				}
			})
		})
	}
}

func checkUsersBesideTheServer(t *testing.T, s *server, users func(*testing.T, string, ...string) ran) {
	ann, bob := newVisitor(t, s), newVisitor(t, s)
	t.Run("who is added can sign in at once", func(t *testing.T) {
		users(t, memberPassword+"\n", "add", "Ann")
		if r := ann.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 303 || !ann.isMember() {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
	t.Run("the list has the session", func(t *testing.T) {
		var l usersListing
		if err := json.Unmarshal([]byte(users(t, "", "list", "--json").out), &l); err != nil || len(l.Members) != 1 || l.Members[0].Sessions != 1 || l.Members[0].LastSeen == nil {
			t.Errorf("%+v, %v", l, err)
		}
	})
	t.Run("the quota has what was used", func(t *testing.T) {
		if r := users(t, "", "quota", "ann"); !strings.Contains(r.out, "10000/1h, that of the site\nused     1\nleft     9999\n") {
			t.Error(r.out)
		}
		if r := users(t, "", "quota", "ann", "1/1h"); !strings.Contains(r.out, "left     0\n") {
			t.Error(r.out)
		}
		eventually(t, "the quota that was set", func() bool { return ann.get("/members/").status == 429 })
		users(t, "", "quota", "ann", "default")
		eventually(t, "that of the site", func() bool { return ann.get("/members/").status == 200 })
	})
	t.Run("a new password signs out within a second", func(t *testing.T) {
		users(t, wrongPassword+"\n", "passwd", "ann")
		eventually(t, "the end of the session", func() bool { return !ann.isMember() })
		if r := ann.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 401 {
			t.Errorf("the old one: %d", r.status)
		}
	})
	t.Run("an invite is one for this server", func(t *testing.T) {
		code := lines(users(t, "", "invite").out)
		if r := bob.post("/-/sign-up", "name", "bob", "password", memberPassword, "invite", code[0]); r.status != 303 || code[1] != "/-/sign-up?invite="+code[0] {
			t.Errorf("%q: %d %s", code, r.status, r.content)
		}
	})
	t.Run("who is removed is out", func(t *testing.T) {
		users(t, "", "remove", "ann", "--yes")
		if r := ann.post("/-/sign-in", "name", "ann", "password", wrongPassword); r.status != 401 || !bob.isMember() {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
}

func TestUsersMoveBetweenStores(t *testing.T) {
	from, to := membersFile(t, `store = "sqlite"`), membersFile(t, fmt.Sprintf("store = %q", startRedis(t).url()))
	state := t.TempDir()
	usersOf(t, memberPassword+"\n", "add", "ann", "--config", from, "--state", state)
	exported := usersOf(t, "", "export", "--config", from, "--state", state)
	usersOf(t, exported.out, "import", "--config", to)
	if again := usersOf(t, "", "export", "--config", to); again.out != exported.out || !strings.Contains(again.stderr, "hashes of all passwords") {
		t.Errorf("%s\n%s", exported.out, again.out)
	}
	s := launch(t, membersSite(t), "--config", to)
	v := newVisitor(t, s)
	if r := v.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 303 || !v.isMember() {
		t.Errorf("with the password of before: %d %s", r.status, r.content)
	}
	s.stop()
}

func TestUsersOfARedisThatIsAway(t *testing.T) {
	const secret = "not-for-anybodys-eyes"
	file := membersFile(t, `store = "redis://:`+secret+`@127.0.0.1:1/0"`)
	for _, args := range [][]string{{"list"}, {"add", "ann"}, {"export"}, {"invite"}} {
		r := runToEnd(t, memberPassword+"\n", binary(t), append(append([]string{"users"}, args...), "--config", file)...)
		if r.exit != 1 || !strings.Contains(r.stderr, "redis://127.0.0.1:1/0") || strings.Contains(r.out+r.stderr, secret) {
			t.Errorf("users %q: exit %d\n%s%s", args, r.exit, r.out, r.stderr)
		}
	}
}
