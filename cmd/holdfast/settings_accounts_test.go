package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/account"
)

const fullAccounts = `
[accounts]
protect = ["/members/**", "/reports/*.pdf"]
sign-up = "invite"
store = "sqlite"
quota = "1_000/1h"
idle-timeout = "48h"
lifetime = "720h"
prefix = "/account/"
home = "/members/"
name = "The Club"
trusted-origins = ["https://app.example.org"]
cookie-name = "club"
`

// accountsOf are the settings of a file.
func accountsOf(t *testing.T, text string, vars ...string) *accountSettings {
	t.Helper()
	return configured(t, testEnvironment(t, vars...), "--config", writeFile(t, "f.toml", text), "--state", "/state").Accounts
}

func TestAccountSettings(t *testing.T) {
	usual := accountSettings{Protect: []string{"/members/**"}, SignUp: "closed", Store: memberStore{path: "/state/members/members.db"},
		IdleTimeout: 14 * 24 * time.Hour, Lifetime: 90 * 24 * time.Hour, Prefix: "/-/", CookieName: "session"}
	check := func(t *testing.T, got *accountSettings, want accountSettings) {
		t.Helper()
		if got == nil {
			t.Fatal("there are none")
		}
		got.From, got.ProtectFrom = "", ""
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%+v\nwant %+v", *got, want)
		}
	}
	t.Run("there are none without the table", func(t *testing.T) {
		if a := accountsOf(t, `http = "127.0.0.1:0"`); a != nil {
			t.Errorf("%+v", a)
		}
	})
	t.Run("protect is enough", func(t *testing.T) {
		check(t, accountsOf(t, "[accounts]\nprotect = [\"/members/**\"]\n"), usual)
	})
	t.Run("each key says what it says", func(t *testing.T) {
		check(t, accountsOf(t, fullAccounts), accountSettings{
			Protect: []string{"/members/**", "/reports/*.pdf"}, SignUp: "invite", Store: memberStore{path: "/state/members/members.db"},
			Quota: account.Quota{N: 1000, Window: time.Hour}, IdleTimeout: 48 * time.Hour, Lifetime: 720 * time.Hour, Prefix: "/account/",
			Home: "/members/", Name: "The Club", TrustedOrigins: []string{"https://app.example.org"}, CookieName: "club"})
	})
	t.Run("keys may have underscores in place of dashes", func(t *testing.T) {
		want := usual
		want.SignUp, want.IdleTimeout = "open", time.Hour
		check(t, accountsOf(t, "[accounts]\nprotect = [\"/members/**\"]\nsign_up = \"open\"\nidle_timeout = \"1h\"\n"), want)
	})
	t.Run("one table is for all sites", func(t *testing.T) {
		file := sitesFile(t, twoSites+fullAccounts)
		if a := configured(t, testEnvironment(t), "--config", file, "--state", "/state").Accounts; a == nil || a.Name != "The Club" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("it knows where it stands", func(t *testing.T) {
		if a := accountsOf(t, fullAccounts); !strings.HasSuffix(a.From, "f.toml:2") || !strings.HasSuffix(a.ProtectFrom, "f.toml:3") {
			t.Errorf("%s, %s", a.From, a.ProtectFrom)
		}
	})
}

func TestAccountStoreSetting(t *testing.T) {
	const table = "[accounts]\nprotect = [\"/m/**\"]\nstore = "
	rows := []struct {
		name, store string
		want        memberStore
	}{
		{"sqlite is below the state directory", "sqlite", memberStore{path: "/state/members/members.db"}},
		{"sqlite may be elsewhere", "sqlite:/elsewhere/club.db", memberStore{path: "/elsewhere/club.db"}},
		{"a Redis here is not in the clear", "redis://:secret@127.0.0.1:6379/1", memberStore{address: "redis://:secret@127.0.0.1:6379/1"}},
		{"a Redis of the same name's loopback is not either", "redis://localhost", memberStore{address: "redis://localhost"}},
		{"a Redis elsewhere is", "redis://u:secret@redis.example.org", memberStore{address: "redis://u:secret@redis.example.org", inClear: true}},
		{"unless it speaks TLS", "rediss://u:secret@redis.example.org", memberStore{address: "rediss://u:secret@redis.example.org"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := accountsOf(t, table+`"`+row.store+`"`).Store; got != row.want {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
		t.Run(row.name+", by the variable too", func(t *testing.T) {
			if got := accountsOf(t, table+`"redis://nowhere"`, "HOLDFAST_ACCOUNTS_STORE="+row.store).Store; got != row.want {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}

func TestAccountFaults(t *testing.T) {
	rows := []struct {
		name, text string
		want       []string // each in the fault of one line
	}{
		{"protect is needed", "[accounts]\n", []string{"f.toml:1", "without protect", `add protect = ["/members/**"]`}},
		{"protect is not nothing", "[accounts]\nprotect = []\n", []string{"f.toml:2", "is empty"}},
		{"a glob begins at the root", "[accounts]\nprotect = [\"members/**\"]\n", []string{"f.toml:2", `protect "members/**" is no glob`, "begins with one slash"}},
		{"sign-up is one of three", "[accounts]\nprotect = [\"/m/**\"]\nsign-up = \"opne\"\n", []string{"f.toml:3", `sign-up "opne" is none of open, invite, closed`, "did you mean open"}},
		{"a key has its own name", "[accounts]\nprotect = [\"/m/**\"]\nqota = \"1/1h\"\n", []string{"f.toml:3", `unknown key "qota" in [accounts]`, "quota"}},
		{"a key is there once", "[accounts]\nprotect = [\"/m/**\"]\nsign-up = \"open\"\nsign_up = \"open\"\n", []string{"f.toml:3", "f.toml:4", "sign-up is there twice"}},
		{"the table is there once", "[[accounts]]\nprotect = [\"/m/**\"]\n", []string{"f.toml:1", "accounts is no table", "write [accounts] once"}},
		{"it has no tables", "[accounts]\nprotect = [\"/m/**\"]\n[[accounts.member]]\nname = \"a\"\n", []string{"f.toml:3", "unknown table", "no tables in it"}},
		{"a quota has two parts", "[accounts]\nprotect = [\"/m/**\"]\nquota = \"1000\"\n", []string{`quota "1000" is no quota`, "1000/1h"}},
		{"a quota's time has a unit", "[accounts]\nprotect = [\"/m/**\"]\nquota = \"1000/60\"\n", []string{"it has no unit"}},
		{"a quota's time is a second at least", "[accounts]\nprotect = [\"/m/**\"]\nquota = \"9/1ms\"\n", []string{"is out of range"}},
		{"an idle-timeout is a duration", "[accounts]\nprotect = [\"/m/**\"]\nidle-timeout = \"14d\"\n", []string{`idle-timeout "14d" is no duration`, "f.toml:3"}},
		{"a lifetime is one that browsers keep", "[accounts]\nprotect = [\"/m/**\"]\nlifetime = \"20000h\"\n", []string{"is out of range"}},
		{"a prefix has its slashes", "[accounts]\nprotect = [\"/m/**\"]\nprefix = \"-\"\n", []string{`prefix "-"`, `"/-/"`}},
		{"home is a path here", "[accounts]\nprotect = [\"/m/**\"]\nhome = \"//evil.example\"\n", []string{"is no page to go to after a sign-in"}},
		{"an origin has no path", "[accounts]\nprotect = [\"/m/**\"]\ntrusted-origins = [\"https://a.example/\"]\n", []string{"is no origin"}},
		{"a cookie has a plain name", "[accounts]\nprotect = [\"/m/**\"]\ncookie-name = \"a b\"\n", []string{"cannot name a cookie"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			faults := faultsOf(t, testEnvironment(t), "--config", writeFile(t, "f.toml", row.text))
			if len(faults) != 1 {
				t.Fatalf("%d faults: %+v", len(faults), faults)
			}
			for _, want := range row.want {
				if line := faults[0].line(); !strings.Contains(line, want) || !faults[0].Usage {
					t.Errorf("%s\nhas no %s", line, want)
				}
			}
		})
	}
	t.Run("all of them are told at once", func(t *testing.T) {
		text := "[accounts]\nprotect = [\"m\", \"{\"]\nsign-up = \"x\"\nquota = \"x\"\nlifetime = \"x\"\nprefix = \"x\"\nstore = \"x\"\n"
		if faults := faultsOf(t, testEnvironment(t), "--config", writeFile(t, "f.toml", text)); len(faults) != 7 {
			t.Errorf("%d faults: %+v", len(faults), faults)
		}
	})
}

func TestAccountStoreFaultsKeepThePassword(t *testing.T) {
	for what, store := range map[string]string{"no host": `"redis://u:hunter2@"`, "no such scheme": `"redsi://u:hunter2@host"`,
		"no text": `["redis://u:hunter2@host"]`, "no URL": `"redis://u:hunter2/x@host"`, "no store": `"hunter2"`} {
		t.Run(what, func(t *testing.T) {
			file := writeFile(t, "f.toml", "[accounts]\nprotect = [\"/m/**\"]\nstore = "+store+"\n")
			faults := faultsOf(t, testEnvironment(t), "--config", file)
			if len(faults) != 1 || !strings.Contains(faults[0].line(), "f.toml:3") {
				t.Fatalf("%+v", faults)
			}
			if line := faults[0].line(); strings.Contains(line, "hunter2") || !strings.Contains(line, "store of [accounts]") {
				t.Error(line)
			}
		})
	}
}

func TestMemberStoreOfACommand(t *testing.T) {
	dir := t.TempDir()
	env := testEnvironment(t)
	t.Run("without [accounts] it is the usual one", func(t *testing.T) {
		c, _ := parse([]string{"certs", "ca", "--state", dir})
		c.env = env
		store, a, faults := c.memberStore()
		if want := (memberStore{path: filepath.Join(dir, "members", "members.db")}); len(faults) > 0 || a != nil || store != want {
			t.Errorf("%+v, %+v, %+v", store, a, faults)
		}
	})
	t.Run("else it is that of the table", func(t *testing.T) {
		c, _ := parse([]string{"certs", "ca", "--state", dir, "--config", writeFile(t, "f.toml", "[accounts]\nprotect = [\"/m/**\"]\nstore = \"redis://127.0.0.1\"\n")})
		c.env = env
		if store, a, faults := c.memberStore(); len(faults) > 0 || a == nil || store.address != "redis://127.0.0.1" {
			t.Errorf("%+v, %+v, %+v", store, a, faults)
		}
	})
}

// faultsOf are the lines of what is wrong with a command line of serve.
func faultsOf(t *testing.T, env environment, args ...string) []fault {
	t.Helper()
	c, faults := parse(append([]string{"serve"}, args...))
	if c == nil {
		t.Fatal(faults)
	}
	c.env, c.faults = env, faults
	_, faults = c.settings()
	return faults
}

func TestRehearsedMembers(t *testing.T) {
	s := configured(t, testEnvironment(t), "--config", writeFile(t, "f.toml", "[accounts]\nprotect = [\"/m/**\"]\nstore = \"redis://redis.example.org\"\n"))
	service := s.Accounts
	s.rehearsed("/rehearsal/2")
	if want := (memberStore{path: "/rehearsal/members/members.db"}); s.Accounts.Store != want || !reflect.DeepEqual(s.Accounts.Protect, service.Protect) {
		t.Errorf("%+v: a rehearsal's servers share a store of their own", s.Accounts)
	}
	if service.Store.address == "" {
		t.Error("the service's settings were changed")
	}
}
