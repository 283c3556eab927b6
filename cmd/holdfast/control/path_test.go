package control

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// longDir is a directory too deep for a socket.
func longDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(shortDir(t), strings.Repeat("deep", 25))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func getenv(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

// found is where a client looks, for a server of this user.
func found(t *testing.T, stateDir string, env func(string) string) string {
	t.Helper()
	at, err := Find(stateDir, env)
	if err != nil || at.Owner != os.Geteuid() {
		t.Fatalf("looks for %+v, %v", at, err)
	}
	return at.Path
}

func TestPath(t *testing.T) {
	t.Run("in the state directory", func(t *testing.T) {
		dir := shortDir(t)
		got, err := Path(dir, getenv(nil))
		if want := filepath.Join(dir, Name); err != nil || got != want || found(t, dir, getenv(nil)) != want {
			t.Errorf("got %q, %v and %q; want %q", got, err, found(t, dir, getenv(nil)), want)
		}
	})
	t.Run("hashed into the runtime directory where that is too deep", func(t *testing.T) {
		env := getenv(map[string]string{"XDG_RUNTIME_DIR": shortDir(t)})
		dir := longDir(t)
		got, err := Path(dir, env)
		if err != nil || filepath.Dir(got) != filepath.Join(env("XDG_RUNTIME_DIR"), "holdfast") || len(got) > directPathBytes {
			t.Fatalf("got %q, %v", got, err)
		}
		other, err := Path(longDir(t), env)
		if err != nil || other == got {
			t.Errorf("two directories have one name %q, %v", other, err)
		}
		link := filepath.Join(shortDir(t), "state")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{dir, dir + "/", dir + "/../" + filepath.Base(dir), link} {
			if at := found(t, name, env); at != got {
				t.Errorf("by the name %q a client looks at %q, want %q", name, at, got)
			}
		}
	})
	t.Run("a server is found where it listens", func(t *testing.T) {
		env := getenv(map[string]string{"XDG_RUNTIME_DIR": shortDir(t)})
		dir := longDir(t)
		path, err := Path(dir, env)
		if err != nil {
			t.Fatal(err)
		}
		g := newStage(t, path)
		g.take()
		g.path = found(t, dir, env)
		g.must(Request{Verb: "echo"})
	})
}

func TestRuntimeDirs(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"a user's session", map[string]string{"XDG_RUNTIME_DIR": "/run/user/7"}, []string{"/run/user/7/holdfast", "/run/holdfast", "/tmp/holdfast-7"}},
		{"a service", nil, []string{"/run/holdfast", "/tmp/holdfast-7"}},
		{"a temporary directory of one's own", map[string]string{"TMPDIR": "/scratch"}, []string{"/run/holdfast", "/scratch/holdfast-7"}},
		{"relative ones do not count", map[string]string{"XDG_RUNTIME_DIR": "run", "TMPDIR": "tmp"}, []string{"/run/holdfast", "/tmp/holdfast-7"}},
		{"nor do those that are too deep themselves", map[string]string{"XDG_RUNTIME_DIR": "/" + strings.Repeat("d", 80)}, []string{"/run/holdfast", "/tmp/holdfast-7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := runtimeDirs(7, getenv(c.env)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFirstPrivate(t *testing.T) {
	base := shortDir(t)
	missing := filepath.Join(base, "missing")
	made := func(name string, mode os.FileMode) string {
		dir := filepath.Join(base, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	open, mine := made("open", 0o777), made("mine", 0o700)
	file, link := filepath.Join(base, "file"), filepath.Join(base, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mine, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		dirs       []string
	}{
		{"one that is there", mine, []string{mine, missing}},
		{"not one that others may write to", mine, []string{open, mine}},
		{"not a file", mine, []string{file, mine}},
		{"not a link, which can be turned elsewhere", mine, []string{link, mine}},
		{"not below one that is missing", mine, []string{filepath.Join(base, "a", "b"), mine}},
		{"a missing one is made", missing, []string{missing, mine}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := firstPrivate(c.dirs); got != c.want || err != nil {
				t.Errorf("got %q and %v, want %q", got, err, c.want)
			}
		})
	}
	t.Run("none says what is wrong with each", func(t *testing.T) {
		_, err := firstPrivate([]string{open, file})
		if err == nil || !strings.Contains(err.Error(), "open to other users (mode 0777)") || !strings.Contains(err.Error(), "no directory") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another user's is none", func(t *testing.T) {
		if err := private(mine, os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "another user's") {
			t.Errorf("got %v", err)
		}
	})
}
