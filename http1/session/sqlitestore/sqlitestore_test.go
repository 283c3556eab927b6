package sqlitestore

import (
	"path/filepath"
	"testing"

	"github.com/holdfast-server/holdfast/http1/session"
	"github.com/holdfast-server/holdfast/http1/session/storetest"
)

// open opens a store that must open, and closes it.
func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// place is where a store may be.
func place(t testing.TB) string { return filepath.Join(t.TempDir(), "state", "members.db") }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() session.Store {
		path := place(t)
		return func() session.Store { return open(t, path) }
	})
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open(b, place(b))) }
