package files

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// A moving site is a path that can come to lead elsewhere, served with a clock of its own.
type moving struct {
	*Directory
	t     testing.TB
	path  string
	log   *journal
	clock atomic.Int64
}

// newMoving has releases one and two beside a link to the first.
func newMoving(t testing.TB, opts Options) *moving {
	t.Helper()
	m := &moving{t: t, path: filepath.Join(t.TempDir(), "current"), log: new(journal)}
	m.release("one")
	m.release("two")
	m.turn("one")
	root, err := os.OpenRoot(m.path)
	m.must(err)
	opts.Log = m.log.logger()
	m.clock.Store(time.Now().Add(time.Hour).UnixNano())
	m.Directory = follow(root, opts, func() time.Time { return time.Unix(0, m.clock.Load()) })
	t.Cleanup(m.Close)
	return m
}

func (m *moving) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *moving) beside(name string) string { return filepath.Join(filepath.Dir(m.path), name) }

// release makes a directory whose files say its name.
func (m *moving) release(name string) {
	m.must(os.MkdirAll(m.beside(name), 0o755))
	m.must(os.WriteFile(filepath.Join(m.beside(name), "f.txt"), []byte(name), 0o644))
	m.must(os.WriteFile(filepath.Join(m.beside(name), "large"), []byte(strings.Repeat(name, largeBytes)), 0o644))
}

// turn makes the link lead to another release in one step, as deployments do.
func (m *moving) turn(name string) {
	m.must(os.Symlink(name, m.beside("next")))
	m.must(os.Rename(m.beside("next"), m.path))
}

func (m *moving) later() { m.clock.Add(int64(lookEvery)) }

func (m *moving) get(target string) *http1test.Response { return do(m.Directory, "GET", target) }

func TestDirectory(t *testing.T) {
	for clause, opts := range map[string]Options{"": {}, ", with a cache": {Cache: NewCache(1 << 20), Precompressed: true}} {
		t.Run("a link that is turned is followed within a second"+clause, func(t *testing.T) {
			m := newMoving(t, opts)
			expect(t, m.get("/f.txt"), 200, "one")
			m.turn("two")
			m.clock.Add(int64(lookEvery) - 1)
			expect(t, m.get("/f.txt"), 200, "one")
			m.clock.Add(1)
			expect(t, m.get("/f.txt"), 200, "two")
			if m.log.lines("another directory", m.path) != 1 {
				t.Errorf("logged: %s", m.log.all.String())
			}
		})
		t.Run("a directory that is removed is 503 until it is back"+clause, func(t *testing.T) {
			m := newMoving(t, opts)
			expect(t, m.get("/f.txt"), 200, "one")
			m.must(os.RemoveAll(m.beside("one")))
			for range 3 {
				m.later()
				r := m.get("/f.txt")
				expect(t, r, 503, "503 Service Unavailable\n")
				expectField(t, r, "Retry-After", retryAfterSeconds)
			}
			if m.Present() || m.log.lines("is gone", m.path) != 1 {
				t.Errorf("present %v, logged: %s", m.Present(), m.log.all.String())
			}
			m.release("one")
			m.later()
			expect(t, m.get("/f.txt"), 200, "one")
			if !m.Present() {
				t.Error("it is not present")
			}
		})
	}
	t.Run("one that was made anew in between is found", func(t *testing.T) {
		m := newMoving(t, Options{})
		m.must(os.RemoveAll(m.beside("one")))
		m.release("one")
		m.must(os.WriteFile(m.beside("one/f.txt"), []byte("anew"), 0o644))
		m.later()
		expect(t, m.get("/f.txt"), 200, "anew")
	})
	t.Run("a file in its place is nothing to serve", func(t *testing.T) {
		m := newMoving(t, Options{})
		m.turn("one/f.txt")
		m.later()
		expect(t, m.get("/"), 503, "503 Service Unavailable\n")
	})
	t.Run("Expire has the next request look", func(t *testing.T) {
		m := newMoving(t, Options{})
		m.turn("two")
		m.Expire()
		expect(t, m.get("/f.txt"), 200, "two")
	})
	t.Run("Close is the end", func(t *testing.T) {
		m := newMoving(t, Options{})
		m.Close()
		m.later()
		expect(t, m.get("/f.txt"), 503, "503 Service Unavailable\n")
	})
}

func TestDirectoryOfOneInFlight(t *testing.T) {
	cache := NewCache(1 << 20)
	m := newMoving(t, Options{Cache: cache})
	expect(t, m.get("/f.txt"), 200, "one")
	old := m.current.Load()
	turned := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		g := m.enter()
		defer g.leave()
		m.turn("two")
		m.later()
		expect(t, m.get("/f.txt"), 200, "two")
		g.handler.Serve(w, r)
	})
	expect(t, do(turned, "GET", "/large"), 200, strings.Repeat("one", largeBytes))
	if _, err := old.root.Stat("."); err == nil {
		t.Error("the old root is open behind its last request")
	}
	for key := range cache.entries {
		if key.of == old.handler.disk {
			t.Errorf("the cache still has the old %s", key.name)
		}
	}
}

// Many requests meet many turns: each gets one release whole.
func TestDirectoryStorm(t *testing.T) {
	m := newMoving(t, Options{Cache: NewCache(1 << 20)})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if r := m.get("/f.txt"); r.Status != 200 || string(r.Content) != "one" && string(r.Content) != "two" {
					t.Errorf("answered %d, %q", r.Status, r.Content)
				}
			}
		})
	}
	for i := range 100 {
		m.turn([]string{"one", "two"}[i%2])
		m.later()
	}
	all.Wait()
}
