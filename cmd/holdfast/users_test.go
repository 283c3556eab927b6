package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/account"
	"github.com/holdfast-server/holdfast/http1/session"
)

const (
	annsPassword  = "a boat in the harbour"
	otherPassword = "two boats in the harbour"
)

// atDesk is who types commands of users, for the members of one state directory.
type atDesk struct {
	t     *testing.T
	env   environment
	state string
}

func newDesk(t *testing.T) *atDesk {
	return &atDesk{t: t, env: testEnvironment(t), state: filepath.Join(t.TempDir(), "state")}
}

// users runs a command of users with something on its standard input, which is no terminal.
func (d *atDesk) users(stdin string, args ...string) result {
	d.t.Helper()
	return d.at(strings.NewReader(stdin), append(args, "--state", d.state)...)
}

func (d *atDesk) at(stdin io.Reader, args ...string) result {
	d.t.Helper()
	var out, errs bytes.Buffer
	std := streams{in: stdin, out: &out, err: &errs}
	o := execute(append([]string{"users"}, args...), d.env, std)
	if o.work != nil {
		o.exit = o.work(std, make(chan os.Signal))
	}
	for _, secret := range []string{annsPassword, otherPassword, "$argon2id$"} {
		if strings.Contains(errs.String(), secret) || args[0] != "export" && strings.Contains(out.String(), secret) {
			d.t.Errorf("users %q shows a secret:\n%s%s", args, &out, &errs)
		}
	}
	return result{exit: o.exit, out: out.String(), err: errs.String()}
}

// must is users for what has to work.
func (d *atDesk) must(stdin string, args ...string) result {
	d.t.Helper()
	r := d.users(stdin, args...)
	if r.exit != exitOK {
		d.t.Fatalf("users %q: exit %d\n%s%s", args, r.exit, r.out, r.err)
	}
	return r
}

// file is where the members are.
func (d *atDesk) file() string { return filepath.Join(d.state, "members", "members.db") }

// refused is that a command did not do it, and said so in one line with all of these words.
func (r result) refused(t *testing.T, exit int, words ...string) {
	t.Helper()
	if r.exit != exit || r.out != "" || len(lines(r.err)) != 1 || !strings.HasPrefix(r.err, "holdfast: ") {
		t.Errorf("exit %d, want %d\n%s%s", r.exit, exit, r.out, r.err)
	}
	for _, word := range words {
		if !strings.Contains(r.err, word) {
			t.Errorf("without %q: %s", word, r.err)
		}
	}
}

func TestUsersAdd(t *testing.T) {
	t.Parallel()
	t.Run("a password on standard input makes a member, in a store for its owner alone", func(t *testing.T) {
		d := newDesk(t)
		if r := d.must(annsPassword+"\n", "add", "Ann", "--email", "ann@example.org"); r.out != "Ann is a member now.\n" || r.err != "" {
			t.Errorf("%q, %q", r.out, r.err)
		}
		for path, mode := range map[string]os.FileMode{d.file(): 0o600, filepath.Dir(d.file()): 0o700} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
		}
	})
	t.Run("one that is made is all of stdout, and another one each time", func(t *testing.T) {
		d, seen := newDesk(t), make(map[string]bool)
		for _, name := range []string{"ann", "bob"} {
			r := d.must("", "add", name, "--generate")
			if !regexp.MustCompile(`^[a-z2-7]{5}(-[a-z2-7]{5}){3}\n$`).MatchString(r.out) || !strings.Contains(r.err, "shown this once") || seen[r.out] {
				t.Errorf("%q, %q", r.out, r.err)
			}
			seen[r.out] = true
		}
	})
	t.Run("a name that is taken is said before a password is read, in whatever case it is written", func(t *testing.T) {
		d := newDesk(t)
		d.must(annsPassword, "add", "ann")
		d.users("", "add", "ANN").refused(t, exitCannotStart, `there is a member "ANN" already`, "users passwd")
	})
	for _, c := range []struct {
		name, stdin string
		args        []string
		exit        int
		words       []string
	}{
		{"an argument after the name may be the password: it is refused, and not repeated", "", []string{"ann", annsPassword}, exitUsage,
			[]string{"an argument after the name", "in ps", "standard input"}},
		{"a flag for it is none, and its value is not repeated", annsPassword, []string{"ann", "--password", otherPassword}, exitUsage, []string{`unknown flag "--password"`}},
		{"nor where it is joined to the flag", annsPassword, []string{"ann", "--password=" + otherPassword}, exitUsage, []string{`unknown flag "--password"`}},
		{"nothing on standard input", "", []string{"ann"}, exitCannotStart, []string{"no password on standard input", "--generate"}},
		{"a short password", "seven77\n", []string{"ann"}, exitCannotStart, []string{"the password is not taken", "at least 8"}},
		{"one that is too long", strings.Repeat("x", 1025) + "\n", []string{"ann"}, exitCannotStart, []string{"the password is not taken", "1,024"}},
		{"one of the commonest", "password\n", []string{"ann"}, exitCannotStart, []string{"the password is not taken", "commonest"}},
		{"the name as the password", "annabelle\n", []string{"annabelle"}, exitCannotStart, []string{"the password is not taken", "the name"}},
		{"a name with a slash", annsPassword, []string{"a/b"}, exitUsage, []string{`the name "a/b"`, "slash"}},
		{"a name that would overwrite a terminal", annsPassword, []string{"\x1b[2J"}, exitUsage, []string{`"\x1b[2J"`}},
		{"no name", annsPassword, nil, exitUsage, []string{"no NAME is given"}},
		{"an e-mail address that is none", annsPassword, []string{"ann", "--email", "ann"}, exitUsage, []string{"the email is not taken (--email)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.users(c.stdin, append([]string{"add"}, c.args...)...).refused(t, c.exit, c.words...)
			if _, err := os.Stat(d.file()); c.exit == exitUsage && err == nil {
				t.Error("it made a store all the same")
			}
		})
	}
	t.Run("the longest password fits, with a line's end of Windows", func(t *testing.T) {
		d := newDesk(t)
		d.must(strings.Repeat("xy", 512)+"\r\n", "add", "ann")
	})
}

func TestUsersOfNoStore(t *testing.T) {
	for _, args := range [][]string{{"list"}, {"remove", "ann", "--yes"}, {"passwd", "ann"}, {"quota", "ann"}, {"quota", "ann", "1/1h"}, {"export"}} {
		t.Run("without a store "+args[0]+" says where it looked, and makes none", func(t *testing.T) {
			d := newDesk(t)
			d.users(annsPassword, args...).refused(t, exitCannotStart, "there is no store of members", d.file(), "--state", "users add")
			if _, err := os.Stat(d.state); err == nil {
				t.Error("the state directory was made")
			}
		})
	}
	t.Run("root makes none in another user's directory, whose server could not open it", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root can give a directory away")
		}
		d := newDesk(t)
		if err := os.Mkdir(d.state, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(d.state, 4321, 4321); err != nil {
			t.Fatal(err)
		}
		d.users(annsPassword, "add", "ann").refused(t, exitCannotStart, "closed to the server", "user 4321", "sudo -u '#4321'")
	})
}

func TestUsersOfAStrangeStore(t *testing.T) {
	put := func(t *testing.T, d *atDesk, content []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(d.file()), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(d.file(), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a newer one is refused, and left as it is", func(t *testing.T) {
		d := newDesk(t)
		d.must(annsPassword, "add", "ann")
		content, err := os.ReadFile(d.file())
		if err != nil {
			t.Fatal(err)
		}
		const userVersion = 60 // its place in the header (sqlite.org/fileformat2.html §1.3)
		content[userVersion+3] = 99
		put(t, d, content)
		d.users("", "list").refused(t, exitCannotStart, "a newer holdfast made this store (version 99", d.file())
		if after, err := os.ReadFile(d.file()); err != nil || !bytes.Equal(after, content) {
			t.Errorf("it was changed, %v", err)
		}
	})
	t.Run("a file that is no store is refused, and left as it is", func(t *testing.T) {
		d := newDesk(t)
		text := []byte(strings.Repeat("a text and no database\n", 100))
		put(t, d, text)
		d.users(annsPassword, "add", "ann").refused(t, exitCannotStart, "no SQLite database", d.file())
		if after, err := os.ReadFile(d.file()); err != nil || !bytes.Equal(after, text) {
			t.Errorf("it was changed, %v", err)
		}
	})
}

func TestUsersList(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must(annsPassword, "add", "Ann", "--email", "ann@example.org")
	d.must(annsPassword, "add", "bob")
	d.must("", "quota", "bob", "60/1m")
	today := time.Now().UTC().Format(time.DateOnly)
	t.Run("as a table", func(t *testing.T) {
		got := lines(d.must("", "list").out)
		want := [][]string{{"NAME", "E-MAIL", "QUOTA", "CREATED", "LAST", "SEEN", "SESSIONS"}, {"Ann", "ann@example.org", "default", today, "-", "0"}, {"bob", "-", "60/1m", today, "-", "0"}}
		for i := range want {
			if len(got) != len(want) || strings.Join(strings.Fields(got[i]), " ") != strings.Join(want[i], " ") {
				t.Fatalf("%q", got)
			}
		}
	})
	t.Run("as JSON", func(t *testing.T) {
		var l usersListing
		if err := json.Unmarshal([]byte(d.must("", "list", "--json").out), &l); err != nil || len(l.Members) != 2 {
			t.Fatalf("%+v, %v", l, err)
		}
		if ann, bob := l.Members[0], l.Members[1]; ann.Email != "ann@example.org" || ann.Quota != nil || ann.LastSeen != nil || ann.Created == nil || *bob.Quota != (usersLimit{60, 60}) {
			t.Errorf("%+v", l)
		}
	})
	t.Run("nobody is a sentence, or an empty list", func(t *testing.T) {
		d.must("", "remove", "ann", "--yes")
		d.must("", "remove", "bob", "--yes")
		if r := d.must("", "list"); r.out != "there are no members\n" {
			t.Errorf("%q", r.out)
		}
		if r := d.must("", "list", "--json"); r.out != "{\"members\":[]}\n" {
			t.Errorf("%q", r.out)
		}
	})
	t.Run("thousands are read by pages, none twice and none left out", func(t *testing.T) {
		const many = 2500
		var file strings.Builder
		file.WriteString(exported(t, d, "seed"))
		line := lines(file.String())[1]
		for i := range many - 1 {
			file.WriteString(strings.Replace(line, `"seed"`, fmt.Sprintf(`"member%04d"`, i), 1) + "\n")
		}
		d.must(file.String(), "import", "--replace")
		if got := lines(d.must("", "list").out); len(got) != many+1 || !strings.HasPrefix(got[1], "member0000 ") || !strings.HasPrefix(got[many], "seed ") {
			t.Errorf("%d lines, the first %.100q", len(got), got)
		}
	})
}

// exported is an export of a store with one member, of that name.
func exported(t *testing.T, d *atDesk, name string) string {
	t.Helper()
	d.must(annsPassword, "add", name)
	return d.must("", "export").out
}

func TestUsersRemoveAndPasswd(t *testing.T) {
	d := newDesk(t)
	d.must(annsPassword, "add", "Ann")
	web := openSeeds(t, d.state)
	sessions := web.sessions
	begin := func(t *testing.T) {
		t.Helper()
		web.begin("ann")
		if n := liveSessions(t, sessions, "ann"); n != 1 {
			t.Fatalf("%d sessions", n)
		}
	}
	t.Run("a new password ends the sessions", func(t *testing.T) {
		begin(t)
		if r := d.must(otherPassword, "passwd", "ann"); !strings.Contains(r.out, "signed out everywhere") {
			t.Error(r.out)
		}
		if n := liveSessions(t, sessions, "ann"); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("a password is made here too", func(t *testing.T) {
		if r := d.must("", "passwd", "ann", "--generate"); len(r.out) != len("aaaaa-aaaaa-aaaaa-aaaaa\n") {
			t.Errorf("%q", r.out)
		}
	})
	t.Run("one that is not taken leaves the old one and the sessions", func(t *testing.T) {
		begin(t)
		d.users("short", "passwd", "ann").refused(t, exitCannotStart, "the password is not taken")
		if n := liveSessions(t, sessions, "ann"); n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("nobody is removed without a terminal or a yes", func(t *testing.T) {
		d.users("y\n", "remove", "ann").refused(t, exitUsage, "nothing was done", "--yes")
		d.must("", "quota", "ann")
	})
	t.Run("with the member the sessions go", func(t *testing.T) {
		d.must("", "remove", "ann", "--yes")
		if n := liveSessions(t, sessions, "ann"); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("who is not there is said to be nobody", func(t *testing.T) {
		d.users("", "remove", "ann", "--yes").refused(t, exitCannotStart, `there is no member "ann"`, "users list")
		d.users(annsPassword, "passwd", "ann").refused(t, exitCannotStart, `there is no member "ann"`)
		d.users("", "quota", "ann").refused(t, exitCannotStart, `there is no member "ann"`)
		d.users("", "quota", "ann", "1/1s").refused(t, exitCannotStart, `there is no member "ann"`)
	})
}

func liveSessions(t *testing.T, m *session.Manager, subject string) int {
	t.Helper()
	all, err := m.List(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func TestUsersQuota(t *testing.T) {
	d := newDesk(t)
	d.must(annsPassword, "add", "ann")
	store := openSeeds(t, d.state).store
	take := func(t *testing.T, n int64) {
		t.Helper()
		var ann struct {
			ID string `json:"id"`
		}
		record, err := store.Get(t.Context(), "member/ann")
		if err == nil {
			err = json.Unmarshal(record.Value, &ann)
		}
		if err == nil {
			_, err = store.Take(t.Context(), "quota/ann/"+ann.ID+"/1h0m0s", n, 100, time.Hour)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("without one nothing is counted", func(t *testing.T) {
		if r := d.must("", "quota", "ann"); !strings.Contains(r.out, "off, that of the site") {
			t.Error(r.out)
		}
	})
	t.Run("one is set and shown", func(t *testing.T) {
		if r := d.must("", "quota", "Ann", "100/1h"); !strings.Contains(r.out, "100/1h, the member's own") || !strings.Contains(r.out, "left     100") {
			t.Error(r.out)
		}
	})
	t.Run("with what is used and left", func(t *testing.T) {
		take(t, 30)
		if r := d.must("", "quota", "ann"); !strings.Contains(r.out, "used     30\nleft     70\nresets   in ") {
			t.Error(r.out)
		}
		var u usersUsage
		if err := json.Unmarshal([]byte(d.must("", "quota", "ann", "--json").out), &u); err != nil || u.Used != 30 || u.Left != 70 || u.ResetsSeconds < 1 || !u.Own || u.WindowSeconds != 3600 {
			t.Errorf("%+v, %v", u, err)
		}
	})
	t.Run("it is lifted, and given back to the site", func(t *testing.T) {
		if r := d.must("", "quota", "ann", "off"); !strings.Contains(r.out, "off, the member's own") {
			t.Error(r.out)
		}
		if r := d.must("", "quota", "ann", "default"); !strings.Contains(r.out, "off, that of the site") {
			t.Error(r.out)
		}
	})
	for text, why := range map[string]string{"100": "is no quota", "x/1h": "is no quota", "0/1h": "", "1/1ms": "", "1/1d": "hour", "": "is no quota", "off/1h": "is no quota"} {
		t.Run("the text "+quote(text)+" is none", func(t *testing.T) {
			d.users("", "quota", "ann", text).refused(t, exitUsage, "quota "+quote(text), why, "1000/1h", "default")
		})
	}
	t.Run("two are one too many", func(t *testing.T) {
		d.users("", "quota", "ann", "1/1h", "2/1h").refused(t, exitUsage, "unexpected argument 2/1h")
	})
}

func TestUsersInvite(t *testing.T) {
	d := newDesk(t)
	redeem := func(code, name string) error {
		_, err := openSeeds(t, d.state).members.Redeem(t.Context(), code, name, annsPassword, "")
		return err
	}
	t.Run("a code is shown with the page's path, and makes one account", func(t *testing.T) {
		r := d.must("", "invite")
		got := lines(r.out)
		if len(got) != 2 || got[1] != "/-/sign-up?invite="+got[0] || !strings.Contains(r.err, "For one account until ") {
			t.Fatalf("%q, %q", r.out, r.err)
		}
		if err := redeem(got[0], "ann"); err != nil {
			t.Error(err)
		}
		if err := redeem(got[0], "bob"); err != account.ErrInvite {
			t.Error(err)
		}
	})
	t.Run("or as many as are asked for", func(t *testing.T) {
		r := d.must("", "invite", "--uses", "2", "--valid", "1h")
		for _, name := range []string{"carol", "dave"} {
			if err := redeem(lines(r.out)[0], name); err != nil {
				t.Error(err)
			}
		}
	})
	for mode, want := range map[string]struct {
		note string // on standard error
		link bool
	}{"open": {"Sign-up is open, and nobody needs a code: ", true}, "invite": {"For one account until ", true}, "closed": {"Sign-up is closed: ", false}} {
		t.Run("where sign-up is "+mode, func(t *testing.T) {
			file := writeFile(t, "holdfast.toml", "[accounts]\nprotect = [\"/m/**\"]\nsign-up = \""+mode+"\"\n")
			r := d.must("", "invite", "--config", file)
			if link := strings.Contains(r.out, "/-/sign-up?invite="); link != want.link || !strings.HasPrefix(r.err, want.note) || !strings.Contains(r.err, "shown this once") {
				t.Errorf("%q, %q", r.out, r.err)
			}
		})
	}
	for flag, text := range map[string]string{"--uses": "0", "--valid": "10000h"} {
		t.Run(flag+" has its bounds", func(t *testing.T) {
			d.users("", "invite", flag, text).refused(t, exitUsage, flag[2:]+` "`+text+`" is out of range (`+flag+")")
		})
	}
}
