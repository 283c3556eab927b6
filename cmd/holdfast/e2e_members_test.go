package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMembers(t *testing.T) {
	root := membersSite(t)
	s := launch(t, root, "--config", membersFile(t, `sign_up = "open"`, `quota = "50/1h"`, `name = "The Club"`))
	ann := newVisitor(t, s)
	t.Run("a protected page sends a stranger to the sign-in page", func(t *testing.T) {
		if r := ann.get("/members/?a=b"); r.status != 303 || r.location != "/-/sign-in?next=%2Fmembers%2F%3Fa%3Db" {
			t.Errorf("%d %q", r.status, r.location)
		}
	})
	t.Run("a program is told instead (RFC 9110 §15.5.2)", func(t *testing.T) {
		r := ann.get("/members/", "Accept", "application/json")
		var problem struct{ Status int }
		if err := json.Unmarshal([]byte(r.content), &problem); err != nil || r.status != 401 || problem.Status != 401 ||
			r.header.Get("Content-Type") != "application/problem+json" || r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%v: %d %v %s", err, r.status, r.header, r.content)
		}
	})
	t.Run("the public page asks nobody, and may be kept by all", func(t *testing.T) {
		r := ann.get("/")
		if r.status != 200 || r.content != "for all" || r.header.Get("Set-Cookie") != "" || strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Cookie") {
			t.Errorf("%d %v", r.status, r.header)
		}
	})
	t.Run("who signs up is signed in", func(t *testing.T) {
		r := ann.post("/-/sign-up", "name", "Ann", "password", memberPassword, "next", "/members/")
		if r.status != 303 || r.location != "/members/" || !ann.isMember() {
			t.Errorf("%d %q %s", r.status, r.location, r.content)
		}
	})
	t.Run("a member's page is nobody else's", func(t *testing.T) {
		r := ann.get("/members/")
		if r.header.Get("Cache-Control") != "no-store" || r.header.Get("RateLimit") == "" {
			t.Errorf("%v", r.header)
		}
	})
	t.Run("the member's own page has the site's name, and the quota", func(t *testing.T) {
		if r := ann.get("/-/account"); r.status != 200 || !strings.Contains(r.content, "The Club") || !strings.Contains(r.content, "50") {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
	other := newVisitor(t, s)
	t.Run("a wrong password is none", func(t *testing.T) {
		if r := other.post("/-/sign-in", "name", "ann", "password", wrongPassword); r.status/100 != 4 || other.isMember() {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
	t.Run("the right one is, in whatever case the name", func(t *testing.T) {
		if r := other.post("/-/sign-in", "name", "aNN", "password", memberPassword); r.status != 303 || !other.isMember() {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
	t.Run("a sign-out ends one session", func(t *testing.T) {
		if r := other.post("/-/sign-out"); r.status != 303 || other.isMember() || !ann.isMember() {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
	t.Run("a post from another site is refused", func(t *testing.T) {
		if r := ann.ask("POST", "/-/sign-out", nil, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); r.status != 403 || !ann.isMember() {
			t.Errorf("%d %s", r.status, r.content)
		}
	})
	t.Run("what the server has for itself is not served", func(t *testing.T) {
		for _, path := range []string{"/_holdfast/note.txt", "/_Holdfast/note.txt", "/%5fholdfast/note.txt", "/_holdfast/"} {
			if r := ann.get(path); r.status != 404 {
				t.Errorf("%s: %d", path, r.status)
			}
		}
	})
	t.Run("the files of the store are the server's alone", func(t *testing.T) {
		dir := filepath.Join(s.state, "members")
		for path, want := range map[string]string{dir: "drwx------", filepath.Join(dir, "members.db"): "-rw-------", filepath.Join(dir, "members.db-wal"): "-rw-------"} {
			if got := modeOf(t, path); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	})
	s.stop()
	t.Run("no log has a secret", func(t *testing.T) {
		cookie := ann.http.Jar.Cookies(ann.at())[0].Value
		for _, secret := range []string{memberPassword, wrongPassword, strings.ReplaceAll(memberPassword, " ", "+"), cookie} {
			if strings.Contains(s.log.text()+s.access.text(), secret) {
				t.Errorf("%q is in a log", secret)
			}
		}
	})
}

func TestMembersSurvive(t *testing.T) {
	s := launch(t, membersSite(t), "--config", membersFile(t, `sign-up = "open"`))
	ann, left := newVisitor(t, s), newVisitor(t, s)
	ann.signUp("ann")
	if r := left.post("/-/sign-in", "name", "ann", "password", memberPassword); r.status != 303 || !left.isMember() {
		t.Fatalf("%d %s", r.status, r.content)
	}
	gone := left.http.Jar.Cookies(left.at())[0]
	left.post("/-/sign-out")
	for _, row := range []struct {
		name string
		end  func(s *server)
	}{
		{"a restart", (*server).stop},
		{"a SIGKILL", func(s *server) {
			s.signal(syscall.SIGKILL)
			s.exit()
		}},
	} {
		t.Run("a session survives "+row.name, func(t *testing.T) {
			row.end(s)
			s = s.again()
			ann.server, left.server = s, s
			if !ann.isMember() {
				t.Error("the member was signed out")
			}
		})
		t.Run("a sign-out survives "+row.name, func(t *testing.T) {
			if left.carrying(gone).isMember() {
				t.Error("the cookie is good again")
			}
		})
	}
}

func TestMembersOwnPages(t *testing.T) {
	root := membersSite(t)
	page := filepath.Join(root, "_holdfast", "sign-in.html")
	replace(t, page, "our own page for {{.Prefix}}")
	s := launch(t, root, "--config", membersFile(t))
	s.awaitSocket()
	v := newVisitor(t, s)
	shows := func(t *testing.T, want string) {
		t.Helper()
		if r := v.get("/-/sign-in"); r.status != 200 || r.content != want {
			t.Errorf("%d %s", r.status, r.content)
		}
	}
	t.Run("a file of the root stands in for a page", func(t *testing.T) { shows(t, "our own page for /-/") })
	t.Run("a reload reads it again", func(t *testing.T) {
		replace(t, page, "the second page")
		if r := s.ask("reload"); r.exit != 0 || !strings.Contains(r.out, "reloaded its members' pages") {
			t.Errorf("exit %d, %q%q", r.exit, r.out, r.stderr)
		}
		shows(t, "the second page")
	})
	t.Run("one that is wrong is told, and the last stays", func(t *testing.T) {
		replace(t, page, "{{.Nonsense}}")
		if r := s.ask("reload"); r.exit != 1 || !strings.Contains(r.stderr, "sign-in.html") || !strings.Contains(r.stderr, "Nonsense") {
			t.Errorf("exit %d, %q%q", r.exit, r.out, r.stderr)
		}
		shows(t, "the second page")
	})
	t.Run("SIGHUP reads it too", func(t *testing.T) {
		replace(t, page, "the third page")
		s.signal(syscall.SIGHUP)
		eventually(t, "the third page", func() bool { return v.get("/-/sign-in").content == "the third page" })
	})
	s.stop()
	t.Run("a start with a wrong page says so", func(t *testing.T) {
		replace(t, page, "{{.Nonsense}}")
		s := spawn(t, root, "--config", membersFile(t))
		if code := s.exit(); code != 1 || !strings.Contains(s.log.text(), "sign-in.html") {
			t.Errorf("exit %d, %s", code, s.log.text())
		}
	})
}

func TestMembersAreKeptFromSharedCaches(t *testing.T) {
	root := membersSite(t)
	replace(t, filepath.Join(root, "members", "style.css.gz"), "not really gzip")
	s := launch(t, root, "--config", membersFile(t, `sign-up = "open"`), "--cache-control", "**=public max-age=3600 s-maxage=7200", "--etag", "content")
	ann, stranger := newVisitor(t, s), newVisitor(t, s)
	ann.signUp("ann")
	private := func(t *testing.T, r reply, status int) {
		t.Helper()
		vary := strings.Join(r.header.Values("Vary"), ", ")
		if c := r.header.Get("Cache-Control"); r.status != status || c != "private, max-age=3600" || !strings.Contains(vary, "Cookie") {
			t.Errorf("%d, Cache-Control %q, Vary %q", r.status, c, vary)
		}
	}
	first := ann.get("/members/style.css", "Accept-Encoding", "identity")
	tag := first.header.Get("ETag")
	t.Run("a rule that calls a file public does not make a protected one so", func(t *testing.T) { private(t, first, 200) })
	t.Run("nor a 304", func(t *testing.T) {
		private(t, ann.get("/members/style.css", "Accept-Encoding", "identity", "If-None-Match", tag), 304)
	})
	t.Run("nor a file that is compressed already", func(t *testing.T) {
		r := ann.get("/members/style.css", "Accept-Encoding", "gzip")
		private(t, r, 200)
		if r.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%v", r.header)
		}
	})
	t.Run("what is in the server's memory is not a stranger's", func(t *testing.T) {
		for range 3 {
			ann.get("/members/")
			for _, fields := range [][]string{{}, {"If-None-Match", tag}, {"Range", "bytes=0-1"}, {"Cookie", "__Host-session=" + strings.Repeat("A", 43)}} {
				if r := stranger.get("/members/style.css", fields...); r.status != 303 || r.header.Get("ETag") != "" {
					t.Errorf("%q: %d %v", fields, r.status, r.header)
				}
			}
		}
	})
	t.Run("the public page is as the rule says", func(t *testing.T) {
		if c := stranger.get("/").header.Get("Cache-Control"); c != "public, max-age=3600, s-maxage=7200" {
			t.Errorf("%q", c)
		}
	})
}
