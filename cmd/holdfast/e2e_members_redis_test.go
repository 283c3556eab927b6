package main

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// An outage is what clients meet while a Redis is away.
type outage struct {
	slowestPublic, slowestRefusal time.Duration
}

// endure asks for pages until the store is known to be away, and then some more: the public page
// is what it always is, and the protected one says when to come back.
func (o *outage) endure(t *testing.T, member *visitor) {
	t.Helper()
	refused := 0
	eventually(t, "refusals", func() bool {
		public, protected := reply{}, reply{}
		o.slowestPublic = max(o.slowestPublic, within(func() { public = member.get("/") }))
		took := within(func() { protected = member.get("/members/") })
		if public.status != 200 || public.content != "for all" {
			t.Fatalf("the public page: %d %s", public.status, public.content)
		}
		switch {
		case protected.status == 503 && protected.header.Get("Retry-After") == "1":
			o.slowestRefusal = max(o.slowestRefusal, took)
			refused++
		case protected.status != 200 || refused > 0:
			t.Fatalf("the protected page: %d %v", protected.status, protected.header)
		}
		return refused >= 20
	})
	if r := member.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 503 || r.header.Get("Retry-After") == "" {
		t.Errorf("sign-in: %d %v", r.status, r.header)
	}
}

// recovered waits until the protected page is answered again, and tells how long that took.
func recovered(t *testing.T, member *visitor) (took time.Duration) {
	t.Helper()
	return within(func() {
		eventually(t, "the end of the outage", func() bool { return member.get("/members/").status != 503 })
	})
}

func TestMembersWhenRedisFails(t *testing.T) {
	redis := startRedis(t)
	s := launch(t, membersSite(t), "--config", membersFile(t, `sign-up = "open"`, `store = "`+redis.url()+`"`, `quota = "10000/1h"`), "--admin", "127.0.0.1:0")
	ann := newVisitor(t, s)
	ann.signUp("ann")
	if !ann.isMember() {
		t.Fatal("no member to begin with")
	}
	ann.hasty = true
	rows := []struct {
		name      string
		away      func(t *testing.T)
		back      func(t *testing.T)
		forgotten bool // what was in it
	}{
		{"a black hole", func(t *testing.T) { redis.hang(t) }, func(t *testing.T) { redis.wake(t) }, false},
		{"CLIENT PAUSE", func(t *testing.T) { redis.command(t, "CLIENT PAUSE 10000 ALL") },
			func(t *testing.T) { redis.command(t, "CLIENT UNPAUSE") }, false}, // which is answered when the pause is over
		{"one that died, and came back without its data", func(t *testing.T) { redis.end(t) }, func(t *testing.T) { redis.restart(t) }, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			ann.t = t
			o := new(outage)
			row.away(t)
			o.endure(t, ann)
			t.Run("the probe stays 200, with a warning", func(t *testing.T) {
				wantPage(t, adminOf(s), "/readyz", 200, `"check":"members"`)
			})
			row.back(t)
			took := recovered(t, ann)
			want := 200
			if row.forgotten {
				want = 303 // once the memory of before counts no longer
			}
			eventually(t, fmt.Sprintf("the protected page is %d", want), func() bool { return ann.get("/members/").status == want })
			t.Logf("the slowest public page took %v, the slowest refusal %v; back after %v", o.slowestPublic, o.slowestRefusal, took)
		})
	}
	t.Run("the log says that it failed and that it is back, without a storm", func(t *testing.T) {
		failed, back := len(s.log.records("the session store fails")), len(s.log.records("the session store answers again"))
		if failed == 0 || back == 0 || failed > 50 {
			t.Errorf("%d lines about failures, %d about returns", failed, back)
		}
	})
}

func TestMembersStartWithoutRedis(t *testing.T) {
	redis := startRedis(t)
	redis.end(t)
	s := launch(t, membersSite(t), "--config", membersFile(t, `sign-up = "open"`, `store = "redis://:hunter2@`+redis.addr+`"`))
	ann := newVisitor(t, s)
	t.Run("public pages are served", func(t *testing.T) {
		if r := ann.get("/"); r.status != 200 {
			t.Errorf("%d", r.status)
		}
	})
	t.Run("a sign-up is told to come back", func(t *testing.T) {
		ann.hasty = true
		defer func() { ann.hasty = false }()
		if r := ann.post("/-/sign-up", "name", "ann", "password", memberPassword); r.status != 503 || r.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
	t.Run("the password is in no log", func(t *testing.T) {
		s.await("the session store fails")
		if strings.Contains(s.log.text(), "hunter2") {
			t.Error(s.log.text())
		}
	})
	t.Run("once it is there, members sign up", func(t *testing.T) {
		redis.restart(t, "--requirepass", "hunter2")
		eventually(t, "a sign-up", func() bool {
			return ann.post("/-/sign-up", "name", "ann", "password", memberPassword).status == 303
		})
		if !ann.isMember() {
			t.Error("no member")
		}
	})
}

// Two replicas have one Redis between them.
func TestMembersOnTwoReplicas(t *testing.T) {
	redis := startRedis(t)
	file := membersFile(t, `sign-up = "open"`, `store = "`+redis.url()+`"`, `quota = "7/1h"`)
	root := membersSite(t)
	a, b := launch(t, root, "--config", file), launch(t, root, "--config", file)
	ann, there := newVisitor(t, a), newVisitor(t, b)
	ann.signUp("ann")
	cookie := ann.http.Jar.Cookies(ann.at())[0]
	there.carrying(&http.Cookie{Name: cookie.Name, Value: cookie.Value, Path: "/", Secure: true})
	t.Run("who signs in on one is a member on the other", func(t *testing.T) {
		if !there.isMember() {
			t.Error("no member")
		}
	})
	t.Run("the quota is one", func(t *testing.T) {
		taken, maybe := 1, 0
		ann.hasty, there.hasty = true, true
		defer func() { ann.hasty, there.hasty = false, false }()
		for i := range 20 {
			v := []*visitor{ann, there}[i%2]
			switch r := v.get("/members/"); r.status {
			case 200:
				taken++
			case 503:
				maybe++ // Redis may have counted it, and answered too late
			case 429:
				if r.header.Get("Retry-After") == "" {
					t.Errorf("%v", r.header)
				}
			default:
				t.Fatalf("%d %s", r.status, r.content)
			}
		}
		if taken > 7 || taken+maybe < 7 {
			t.Errorf("%d requests of 7", taken)
		}
	})
	t.Run("a sign-out on one holds on the other", func(t *testing.T) {
		ann.post("/-/sign-out")
		took := within(func() {
			eventually(t, "the sign-out", func() bool { return there.get("/members/").status == 303 })
		})
		t.Logf("it held after %v", took)
	})
}

// command has Redis do something, by its inline protocol.
func (r *redis) command(t *testing.T, line string) {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(c, "%s\r\n", line); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 64)
	if n, err := c.Read(answer); err != nil || string(answer[:n]) != "+OK\r\n" {
		t.Fatalf("%s: %q, %v", line, answer[:n], err)
	}
}

// restart begins another process on the port of the one that ended, with none of its data.
func (r *redis) restart(t *testing.T, flags ...string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.gone = make(chan struct{})
	r.cmd = exec.Command(r.cmd.Path, append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no"}, flags...)...)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func(cmd *exec.Cmd, gone chan struct{}) {
		defer close(gone)
		_ = cmd.Wait() // killed
	}(r.cmd, r.gone)
	if !r.answers(t) {
		t.Fatal("redis-server does not start on port " + strconv.Quote(port))
	}
}
