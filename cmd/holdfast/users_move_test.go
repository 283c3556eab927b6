package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUsersExportAndImport(t *testing.T) {
	t.Parallel()
	from := newDesk(t)
	from.must(annsPassword, "add", "Ann", "--email", "ann@example.org")
	from.must(annsPassword, "add", "bob")
	from.must("", "quota", "bob", "60/1m")
	whole := from.must("", "export")

	t.Run("an export warns of what is in it, and only on stderr", func(t *testing.T) {
		if !strings.Contains(whole.err, "hashes of all passwords") || !strings.Contains(whole.err, "2 members are exported.") || strings.Contains(whole.out, "hashes of") || len(lines(whole.out)) != 3 {
			t.Errorf("%q, %q", whole.out, whole.err)
		}
	})
	t.Run("a file of it is for its owner alone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "members.jsonl")
		from.must("", "export", "--output", path)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != whole.out {
			t.Errorf("%s, %v", content, err)
		}
		if r := from.users("", "export", "--output", path); r.exit != exitCannotStart || !strings.Contains(r.err, "is there already (--output)") {
			t.Errorf("exit %d, %s", r.exit, r.err)
		}
	})
	t.Run("another store takes it, and the export of that is the same", func(t *testing.T) {
		to := newDesk(t)
		if r := to.must(whole.out, "import"); r.out != "2 members are imported.\n" {
			t.Error(r.out)
		}
		if again := to.must("", "export"); again.out != whole.out {
			t.Errorf("%s\n%s", again.out, whole.out)
		}
	})
	t.Run("a file is taken too", func(t *testing.T) {
		newDesk(t).must("", "import", writeFile(t, "members.jsonl", whole.out))
	})
	t.Run("a conflict is refused, and nothing is written", func(t *testing.T) {
		to := newDesk(t)
		to.must(otherPassword, "add", "BOB")
		r := to.users(whole.out, "import")
		r.refused(t, exitCannotStart, "nothing was imported", `"bob"`, "--replace")
		if n := strings.Count(r.err, "nothing was imported"); n != 1 {
			t.Errorf("it says so %d times: %s", n, r.err)
		}
		if r := to.must("", "list"); len(lines(r.out)) != 2 || !strings.Contains(r.out, "BOB") {
			t.Error(r.out)
		}
		to.must(whole.out, "import", "--replace")
		if again := to.must("", "export"); again.out != whole.out {
			t.Errorf("%s\n%s", again.out, whole.out)
		}
	})
	for name, c := range map[string][2]string{
		"a line that is cut off":        {whole.out[:len(whole.out)-20], "line 3"},
		"a member who is there twice":   {whole.out + lines(whole.out)[1] + "\n", "line 4"},
		"another program's file":        {"{\"users\":[]}\n", "line 1"},
		"nothing":                       {"", "empty"},
		"an export of a newer holdfast": {strings.Replace(whole.out, `"version":1`, `"version":2`, 1), "version 2"},
	} {
		t.Run(name+" is refused before anything is written", func(t *testing.T) {
			to := newDesk(t)
			to.users(c[0], "import").refused(t, exitCannotStart, "nothing was imported", c[1])
			if r := to.must("", "list"); r.out != "there are no members\n" {
				t.Error(r.out)
			}
		})
	}
	t.Run("a file that is not there, or two, or none", func(t *testing.T) {
		newDesk(t).users("", "import", "/nowhere/members.jsonl").refused(t, exitCannotStart, "cannot read the file", "no such file")
		newDesk(t).users("", "import", "a", "b").refused(t, exitUsage, "name one file")
		on := terminal(t)
		d := newDesk(t)
		d.at(on, "import", "--state", d.state).refused(t, exitUsage, "standard input is a terminal")
	})
}
