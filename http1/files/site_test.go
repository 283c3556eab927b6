package files

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// written is when the files of a site were, unless a test writes them itself.
var written = time.Date(2024, 3, 1, 12, 34, 56, 789_000_000, time.UTC)

// A site is a directory and a handler for it.
type site struct {
	*Handler
	t    testing.TB
	dir  string
	root *os.Root
	log  *journal
}

// newSite makes a directory of those files, by name and content.
func newSite(t testing.TB, contents map[string]string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), log: new(journal)}
	for name, content := range contents {
		s.write(name, content)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	s.root = root
	s.Handler = New(root, Options{Log: slog.New(slog.NewTextHandler(s.log, nil))})
	return s
}

// path is where a name of the site is on the disk.
func (s *site) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// write puts a file there as if it had been since 2024.
func (s *site) write(name, content string) {
	s.t.Helper()
	s.must(os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	s.must(os.WriteFile(s.path(name), []byte(content), 0o644))
	s.must(os.Chtimes(s.path(name), written, written))
}

// link makes a symbolic link that says target, word for word.
func (s *site) link(name, target string) {
	s.t.Helper()
	s.must(os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	s.must(os.Symlink(target, s.path(name)))
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// get asks for a target with those fields, name and value in turn.
func (s *site) get(target string, fields ...string) *http1test.Response {
	return s.do("GET", target, fields...)
}

func (s *site) do(method, target string, fields ...string) *http1test.Response {
	return do(s.Handler, method, target, fields...)
}

func do(h http1.Handler, method, target string, fields ...string) *http1test.Response {
	return http1test.Do(h, http1test.Request{Method: method, Target: target, Fields: fields})
}

// expect fails the test unless the response is whole and has that status and content.
func expect(t testing.TB, r *http1test.Response, status int, content string) {
	t.Helper()
	if r.Status != status || r.Cut || string(r.Content) != content {
		t.Errorf("answered %d, cut %v, %q; want %d, %q", r.Status, r.Cut, brief(r.Content), status, brief([]byte(content)))
	}
}

// expectField fails the test unless the field has that value; "" for none.
func expectField(t testing.TB, r *http1test.Response, name, want string) {
	t.Helper()
	if got := strings.Join(r.Values(name), "|"); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

func brief(content []byte) string {
	if len(content) > 80 {
		return string(content[:80]) + "…"
	}
	return string(content)
}

// A journal keeps what was logged.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(p)
}

// lines are those that hold all of the words.
func (j *journal) lines(words ...string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
next:
	for line := range strings.Lines(j.all.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		n++
	}
	return n
}
