package doctor

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, dir, want string }{
		{"a directory", dir, "ok: "},
		{"one that is yet to be made", filepath.Join(dir, "a", "b"), "ok: "},
		{"none", "", "note: the store is no directory"},
		{"a file", file, "fault: " + file + " cannot be written: it is a file"},
		{"below a file", filepath.Join(file, "a"), "fault: "},
		{"a file system that takes no files", "/proc/holdfast", "fault: /proc/holdfast cannot be written: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if kind, _ := lastingOf(dir); kind != lasts && c.want == "ok: " {
				t.Skip("the tests' temporary directory is in memory or a container's")
			}
			want(t, collect((&Doctor{StoreDir: c.dir}).examineStore()), "store", c.want)
		})
	}
	t.Run("leaves nothing behind", func(t *testing.T) {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 {
			t.Errorf("%v, %v", left, err)
		}
	})
	t.Run("a directory that may not be written", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		closed := t.TempDir()
		if err := os.Chmod(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		want(t, collect((&Doctor{StoreDir: closed}).examineStore()), "store", "fault: "+closed+" cannot be written: permission denied")
	})
}
