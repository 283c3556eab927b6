package sqlitestore

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast-server/holdfast/http1/session"
)

// execute runs SQL beside the store.
func execute(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // what was executed has been told
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// ask reads one value beside the store.
func ask(t *testing.T, path, query string) (value string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), query).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// versionOne is a store as the first version left it, before there was a feed.
const versionOne = `PRAGMA journal_mode = WAL;
	CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
	CREATE TABLE record (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER) STRICT;
	CREATE INDEX record_expires ON record (expires) WHERE expires IS NOT NULL;
	CREATE TABLE count (key TEXT NOT NULL PRIMARY KEY, used INTEGER NOT NULL, ends INTEGER NOT NULL) STRICT;
	CREATE INDEX count_ends ON count (ends);
	INSERT INTO store VALUES (1, 'AAAA', 41);
	INSERT INTO record VALUES ('member/ada', x'7b7d', 17, NULL), ('session/1', x'7b31', 41, 4000000000000), ('session/0', x'7b30', 40, 1);
	PRAGMA application_id = 0x486f6c64; PRAGMA user_version = 1`

func TestMigration(t *testing.T) {
	t.Run("an older store is brought to this version", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "members.db")
		execute(t, path, versionOne)
		s := open(t, path)
		r, err := s.Get(t.Context(), "member/ada")
		if err != nil || string(r.Value) != "{}" || r.Version != 17 || !r.Expires.IsZero() {
			t.Fatalf("%+v, %v", r, err)
		}
		records, err := s.List(t.Context(), "session/", "", 9)
		if err != nil || len(records) != 1 || records[0].Expires.UnixMilli() != 4000000000000 {
			t.Fatalf("%+v, %v; want the one that has not expired", records, err)
		}
		before, err := s.Changes(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(t.Context(), session.Change{Key: "member/ada", Value: []byte("{}"), If: session.Unchanged(r)}); err != nil {
			t.Fatal(err)
		}
		if changes, err := s.Changes(t.Context(), before.Next); err != nil || changes.Lost || fmt.Sprint(changes.Keys) != "[member/ada]" {
			t.Fatalf("%+v, %v", changes, err)
		}
		if r, err = s.Get(t.Context(), "member/ada"); err != nil || r.Version <= 41 {
			t.Fatalf("%+v, %v; want a version above any before", r, err)
		}
		if got := ask(t, path, `PRAGMA user_version`); got != "2" {
			t.Errorf("version %s", got)
		}
	})
	t.Run("a migration that fails changes nothing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "members.db")
		execute(t, path, versionOne+`; CREATE TABLE feed (mine)`)
		if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "feed") {
			t.Errorf("%v", err)
		}
		if got := ask(t, path, `PRAGMA user_version`); got != "1" {
			t.Errorf("version %s", got)
		}
	})
	t.Run("many open a new or an old file at once", func(t *testing.T) {
		for _, old := range []bool{false, true} {
			path := place(t)
			if old {
				path = filepath.Join(t.TempDir(), "members.db")
				execute(t, path, versionOne)
			}
			var all sync.WaitGroup
			ids := make([]string, 6)
			for i := range ids {
				all.Go(func() {
					s, err := Open(path, Options{})
					if err != nil {
						t.Error(err)
						return
					}
					ids[i] = s.id
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for _, id := range ids {
				if id == "" || id != ids[0] {
					t.Errorf("ids %q", ids)
				}
			}
		}
	})
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	newer, other := filepath.Join(dir, "newer.db"), filepath.Join(dir, "other.db")
	execute(t, newer, versionOne+`; PRAGMA user_version = 99; PRAGMA journal_mode = DELETE`)
	execute(t, other, `CREATE TABLE bookmarks (url TEXT)`)
	texts := map[string]string{"short.db": "hello", "page.db": strings.Repeat("text ", 2000), "header.db": "SQLite format 3\x00" + strings.Repeat("x", 5000)}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		newer: "newer holdfast", other: "another program's", filepath.Join(dir, "short.db"): "no SQLite database",
		filepath.Join(dir, "page.db"): "no SQLite database", filepath.Join(dir, "header.db"): "no SQLite database",
	} {
		t.Run(filepath.Base(path)+" is refused and left as it is", func(t *testing.T) {
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, Options{})
			if err == nil {
				_ = s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v; want %q, and the path", err, want)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file has changed, %v", err)
			}
		})
	}
	t.Run("a directory is refused", func(t *testing.T) {
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%v", err)
		}
	})
	t.Run("an empty file becomes a store", func(t *testing.T) {
		path := filepath.Join(dir, "empty.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, path).Get(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}
