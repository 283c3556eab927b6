package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkedMembers runs holdfast check with [accounts] in a file.
func checkedMembers(t *testing.T, root, text string, args ...string) result {
	t.Helper()
	file := writeFile(t, "f.toml", "[accounts]\n"+text)
	return holdfast(t, testEnvironment(t), append([]string{"check", root, "--https", "127.0.0.1:0", "--config", file}, args...)...)
}

func TestCheckMembers(t *testing.T) {
	root := site(t, map[string]string{"index.html": "a", "members/a.html": "b", "reports/2026.pdf": "c"})
	t.Run("it tells what is protected and where members are kept, and makes nothing", func(t *testing.T) {
		state := filepath.Join(t.TempDir(), "state")
		r := checkedMembers(t, root, "protect = [\"/members/**\"]\nsign-up = \"invite\"\nquota = \"9/1m\"\n", "--state", state)
		for _, want := range []string{"members", "/members/**", "sqlite:" + state + "/members/members.db", "sign-up is invite", "9 requests in 1m0s"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("no %q in\n%s%s", want, r.out, r.err)
			}
		}
		if _, err := os.Stat(state); r.exit != 0 || r.err != "" || !os.IsNotExist(err) {
			t.Errorf("exit %d, %s, %v", r.exit, r.err, err)
		}
	})
	t.Run("a Redis is named without its password", func(t *testing.T) {
		r := checkedMembers(t, root, "protect = [\"/members/**\"]\nstore = \"redis://u:hunter2@redis.example.org/3\"\n")
		if strings.Contains(r.out+r.err, "hunter2") || !strings.Contains(r.out, "redis://redis.example.org:6379/3") || !strings.Contains(r.err, "in the clear") {
			t.Errorf("%s%s", r.out, r.err)
		}
	})
	warnings := []struct {
		name, text, want string
		args             []string
	}{
		{"a glob for nothing", "protect = [\"/members/**\", \"/membres/**\"]\n", `protect "/membres/**" is for no file`, nil},
		{"a glob for a file", "protect = [\"/reports/*.pdf\"]\n", "", nil},
		{"a glob for a directory in another case", "protect = [\"/MEMBERS/**\"]\n", "", nil},
		{"a glob that an application's page answers for", "protect = [\"/app/**\"]\n", "", []string{"--spa", "index.html"}},
		{"plain HTTP alone", "protect = [\"/members/**\"]\n", "no member can sign in", []string{"--https", "off", "--http", "127.0.0.1:0"}},
		{"plain HTTP behind a proxy", "protect = [\"/members/**\"]\n", "", []string{"--https", "off", "--http", "127.0.0.1:0", "--trusted-proxy", "10.0.0.1"}},
	}
	for _, row := range warnings {
		t.Run(row.name, func(t *testing.T) {
			file := writeFile(t, "f.toml", "[accounts]\n"+row.text)
			args := append([]string{"check", root, "--config", file}, row.args...)
			if len(row.args) == 0 || row.args[0] != "--https" {
				args = append(args, "--https", "127.0.0.1:0")
			}
			r := holdfast(t, testEnvironment(t), args...)
			if said := strings.Contains(r.err, "warning: "); r.exit != 0 || said != (row.want != "") || !strings.Contains(r.err, row.want) {
				t.Errorf("exit %d, %s", r.exit, r.err)
			}
		})
	}
	t.Run("a store that cannot be is a fault", func(t *testing.T) {
		r := checkedMembers(t, root, "protect = [\"/members/**\"]\nstore = \"sqlite:"+filepath.Join(root, "index.html", "x.db")+"\"\n")
		if r.exit != 1 || !strings.Contains(r.err, "cannot keep members in") || !strings.Contains(r.err, "not a directory") {
			t.Errorf("exit %d, %s", r.exit, r.err)
		}
	})
	t.Run("each URL tells whether it wants a member", func(t *testing.T) {
		r := checkedMembers(t, root, "protect = [\"/members/**\"]\n", "https://localhost/members/a.html", "https://localhost/", "https://localhost/-/sign-in")
		rows := lines(r.out)
		if len(rows) != 3 || !strings.Contains(rows[0], "303  wants a member") || !strings.Contains(rows[1], "file "+root) || !strings.Contains(rows[2], "a page for members") {
			t.Errorf("%s%s", r.out, r.err)
		}
	})
}

func TestCheckMembersBehindARewrite(t *testing.T) {
	root := site(t, map[string]string{"members/a.html": "b"})
	file := writeFile(t, "f.toml", "https = \"127.0.0.1:0\"\n[accounts]\nprotect = [\"/members/**\"]\n[[site]]\nhosts = [\"a.test\"]\nroot = \""+root+
		"\"\n[[site.rewrite]]\nfrom = \"/short\"\nto = \"/members/a.html\"\n")
	r := holdfast(t, testEnvironment(t), "check", "--config", file, "https://a.test/short")
	if !strings.Contains(r.out, "wants a member") {
		t.Errorf("a rewrite leads around the sign-in: %s%s", r.out, r.err)
	}
}
