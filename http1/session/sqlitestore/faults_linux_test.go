package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

// fill writes until the store cannot, and returns its error.
func fill(t *testing.T, s *Store) error {
	t.Helper()
	for i := range 1000 {
		if err := s.Apply(t.Context(), session.Change{Key: "fill/" + strconv.Itoa(i), Value: make([]byte, session.MaxValueBytes)}); err != nil {
			return err
		}
	}
	t.Fatal("62 MB fit into a full disk")
	return nil
}

// lives tells whether reads go on.
func lives(t *testing.T, s *Store) {
	t.Helper()
	if r, err := s.Get(t.Context(), "a"); err != nil || string(r.Value) != "x" {
		t.Errorf("get: %q, %v", r.Value, err)
	}
	if records, err := s.List(t.Context(), "fill/", "", 1); err != nil || len(records) != 1 {
		t.Errorf("list: %d, %v", len(records), err)
	}
	if _, err := s.Changes(t.Context(), ""); err != nil {
		t.Errorf("changes: %v", err)
	}
	if _, err := s.Take(t.Context(), "quota/a", 0, 1, hour); err != nil {
		t.Errorf("look: %v", err)
	}
}

func TestFileSizeLimit(t *testing.T) {
	if path, _, is := inChild(); is {
		testFileSizeLimit(t, path)
		return
	}
	out, err := child(t, "TestFileSizeLimit", place(t), 0).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestFileSizeLimit") {
		t.Errorf("%v\n%s", err, out)
	}
}

// testFileSizeLimit has a process of its own, since the limit is one.
func testFileSizeLimit(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	s := open(t, path)
	if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: free.Max}); err != nil {
		t.Fatal(err)
	}
	if err := fill(t, s); !strings.Contains(err.Error(), "the disk") || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	lives(t, s)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x")}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	lives(t, s)
}

// smallDisk is a file system of so many KiB.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("only root may mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "2m")
	s := open(t, dir+"/members.db")
	if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/ballast", make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := fill(t, s); !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("%v", err)
		}
		lives(t, s)
	}
	if err := os.Remove(dir + "/ballast"); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x")}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	lives(t, s)
}

func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, "2m")
	s, err := Open(dir+"/members.db", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"members.db", "new.db", "new/new.db"} {
		if _, err := Open(dir+"/"+name, Options{}); err == nil || !strings.Contains(err.Error(), dir+"/"+name) {
			t.Errorf("%s: %v; want an error that names it", name, err)
		}
	}
}

func TestAnotherWriter(t *testing.T) {
	path := place(t)
	s := open(t, path)
	if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x")}, session.Change{Key: "fill/0", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // it was rolled back
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("who waits for it ends with its context", func(t *testing.T) {
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			if err := s.Apply(ctx, session.Change{Key: "a", Value: []byte("y")}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, session.ErrBusy) {
				t.Errorf("%v", err)
			}
			cancel()
		}
	})
	t.Run("reads go on", func(t *testing.T) { lives(t, s) })
	t.Run("what is refused or looked at waits for nobody", func(t *testing.T) {
		if c, err := s.Take(t.Context(), "quota/a", 2, 1, hour); err != nil || c.Taken {
			t.Errorf("%+v, %v", c, err)
		}
	})
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	t.Run("afterwards writes do", func(t *testing.T) {
		if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x")}); err != nil {
			t.Error(err)
		}
	})
}

func TestBounds(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	path := place(t)
	s, err := Open(path, Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	t.Run("writers remove what has expired", func(t *testing.T) {
		for i := range 100 {
			key := strconv.Itoa(i)
			if err := s.Apply(t.Context(), session.Change{Key: "old/" + key, Value: []byte("x"), Expires: now.Add(time.Minute), Quiet: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Take(t.Context(), "old/"+key, 1, 1, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(time.Minute)
		for range 100/8 + 1 {
			if err := s.Apply(t.Context(), session.Change{Key: "a", Value: []byte("x"), Quiet: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Take(t.Context(), "a", 1, 100, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if n := ask(t, path, `SELECT count(*) FROM record`); n != "1" {
			t.Errorf("%s records are kept, want 1", n)
		}
		if n := ask(t, path, `SELECT count(*) FROM count`); n != "1" {
			t.Errorf("%s counters are kept, want 1", n)
		}
	})
	t.Run("the feed keeps the last changes", func(t *testing.T) {
		execute(t, path, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO feed (key) SELECT i FROM n`)
		if err := s.Apply(t.Context(), session.Change{Key: "a"}); err != nil {
			t.Fatal(err)
		}
		if n := ask(t, path, `SELECT count(*) FROM feed`); n != strconv.Itoa(feedLimit) {
			t.Errorf("%s are kept, want %d", n, feedLimit)
		}
	})
}
