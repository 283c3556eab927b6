package files

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A restless disk lets a test act when a file has been opened and before each of its reads.
type restless struct {
	tree
	opened func(name string)
	reads  func(at int64) error
}

func (d restless) open(name string) (*file, error) {
	f, err := d.tree.open(name)
	if err != nil || name == "404.html" {
		return f, err
	}
	if d.opened != nil {
		d.opened(name)
	}
	f.content = &watched{content: f.content, reads: d.reads}
	return f, nil
}

type watched struct {
	content
	reads func(at int64) error
	pos   int64
}

func (w *watched) Seek(offset int64, whence int) (pos int64, err error) {
	w.pos, err = w.content.Seek(offset, whence)
	return w.pos, err
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.before(w.pos); err != nil {
		return 0, err
	}
	n, err := w.content.Read(b)
	w.pos += int64(n)
	return n, err
}

func (w *watched) ReadAt(b []byte, at int64) (int, error) {
	if err := w.before(at); err != nil {
		return 0, err
	}
	return w.content.ReadAt(b, at)
}

func (w *watched) before(at int64) error {
	if w.reads == nil {
		return nil
	}
	return w.reads(at)
}

const (
	largeBytes = 10 * pieceBytes
	largeEnd   = largeBytes - pieceBytes // where the piece begins that is held back
)

var (
	oldLarge = strings.Repeat("o", largeBytes)
	newLarge = strings.Repeat("n", largeBytes)
)

// once is f for the first read at or behind that place.
func once(from int64, f func()) func(at int64) error {
	done := false
	return func(at int64) error {
		if !done && at >= from {
			done = true
			f()
		}
		return nil
	}
}

// rewrite writes into the file that is there, as if a second later.
func (s *site) rewrite(name, content string) {
	s.must(os.WriteFile(s.path(name), []byte(content), 0o644))
	s.must(os.Chtimes(s.path(name), written, written.Add(time.Second)))
}

func (s *site) append(name, more string) {
	f, err := os.OpenFile(s.path(name), os.O_APPEND|os.O_WRONLY, 0)
	s.must(err)
	_, err = f.WriteString(more)
	s.must(err)
	s.must(f.Close())
}

func TestChangeWhileSent(t *testing.T) {
	for _, c := range []struct {
		clause string
		from   int64
		change func(s *site)
		cut    bool
	}{
		{"truncated at once", pieceBytes, func(s *site) { s.must(os.Truncate(s.path("f"), 0)) }, true},
		{"truncated by a byte at the end", largeEnd, func(s *site) { s.must(os.Truncate(s.path("f"), largeBytes-1)) }, true},
		{"truncated to what was read", pieceBytes, func(s *site) { s.must(os.Truncate(s.path("f"), pieceBytes)) }, true},
		{"rewritten in place", pieceBytes, func(s *site) { s.rewrite("f", newLarge) }, true},
		{"rewritten in place at the end", largeEnd, func(s *site) { s.rewrite("f", newLarge) }, true},
		{"rewritten by something longer", pieceBytes, func(s *site) { s.rewrite("f", newLarge+"n") }, true},
		{"rewritten by something shorter", pieceBytes, func(s *site) { s.rewrite("f", "n") }, true},
		{"removed", pieceBytes, func(s *site) { s.must(os.Remove(s.path("f"))) }, false},
		{"replaced", pieceBytes, func(s *site) { s.write("g", newLarge); s.must(os.Rename(s.path("g"), s.path("f"))) }, false},
		{"made unreadable", pieceBytes, func(s *site) { s.must(os.Chmod(s.path("f"), 0)) }, false},
		{"appended to", pieceBytes, func(s *site) { s.append("f", "more") }, true},
		{"appended to at the end", largeEnd, func(s *site) { s.append("f", "more") }, true},
		{"rewritten by something longer that begins alike", pieceBytes, func(s *site) { s.rewrite("f", oldLarge[:pieceBytes]+newLarge) }, true},
	} {
		t.Run(c.clause, func(t *testing.T) {
			s := newSite(t, map[string]string{"f": oldLarge})
			h := newHandler(restless{tree{s.root}, nil, once(c.from, func() { c.change(s) })}, Options{Log: s.log.logger()}, s.now)
			r := do(h, "GET", "/f")
			if !c.cut {
				expect(t, r, 200, oldLarge)
				return
			}
			if !r.Cut || r.Status != 200 || r.Length != largeBytes || len(r.Content) >= largeBytes {
				t.Errorf("answered %d, cut %v, %d of %d bytes", r.Status, r.Cut, len(r.Content), r.Length)
			}
			if s.log.lines("file=f", errChanged.Error()) != 1 {
				t.Errorf("logged: %s", s.log.all.String())
			}
		})
	}
}

// A file that changed in the last minute is judged by what it holds, not by its times.
func TestChangeOfAHotFileWhileSent(t *testing.T) {
	for _, c := range []struct {
		clause string
		from   int64
		change func(s *site)
		cut    bool
	}{
		{"appended to", pieceBytes, func(s *site) { s.append("f", "more") }, false},
		{"appended to at the end", largeEnd, func(s *site) { s.append("f", "more") }, false},
		{"touched", pieceBytes, func(s *site) { s.must(os.Chtimes(s.path("f"), written, written.Add(time.Hour))) }, false},
		{"rewritten by what comes out the same", pieceBytes, func(s *site) { s.rewrite("f", oldLarge) }, false},
		{"rewritten by something longer that begins alike", pieceBytes, func(s *site) { s.rewrite("f", oldLarge[:pieceBytes]+newLarge) }, true},
		{"rewritten with size and times restored", pieceBytes, func(s *site) { s.write("f", newLarge) }, true},
		{"rewritten behind the middle", 2 * pieceBytes, func(s *site) { s.rewrite("f", oldLarge[:8*pieceBytes]+newLarge) }, true},
		{"truncated", pieceBytes, func(s *site) { s.must(os.Truncate(s.path("f"), 1)) }, true},
	} {
		t.Run(c.clause, func(t *testing.T) {
			s := newSite(t, map[string]string{"f": oldLarge})
			hashed := false // the first reads are those for the hash
			change := once(c.from, func() { c.change(s) })
			h := newHandler(restless{tree{s.root}, nil, func(at int64) error {
				if hashed {
					return change(at)
				}
				hashed = at == largeEnd
				return nil
			}}, Options{}, func() time.Time { return written.Add(hotFor - 1) })
			r := do(h, "GET", "/f")
			if !c.cut {
				expect(t, r, 200, oldLarge)
			} else if !r.Cut || r.Status != 200 || len(r.Content) >= largeBytes {
				t.Errorf("answered %d, cut %v, %d bytes", r.Status, r.Cut, len(r.Content))
			}
		})
	}
	t.Run("between the hash and the head it starts over", func(t *testing.T) {
		s := newSite(t, map[string]string{"f": oldLarge})
		h := newHandler(restless{tree{s.root}, nil, once(largeEnd, func() { s.rewrite("f", newLarge) })}, Options{},
			func() time.Time { return written.Add(time.Second) })
		expect(t, do(h, "GET", "/f"), 200, newLarge)
	})
	for change, cut := range map[string]bool{oldLarge + "more": false, oldLarge[:5*pieceBytes] + newLarge: true} {
		t.Run("in ranges", func(t *testing.T) {
			s := newSite(t, map[string]string{"f": oldLarge})
			hashed := false
			h := newHandler(restless{tree{s.root}, nil, func(at int64) error {
				if hashed && at > 1 {
					hashed = false
					s.rewrite("f", change)
				}
				hashed = hashed || at == 300_000
				return nil
			}}, Options{}, func() time.Time { return written.Add(time.Second) })
			if r := do(h, "GET", "/f", "Range", "bytes=1-9,100000-200000,300000-"); r.Cut != cut || r.Status != 206 {
				t.Errorf("answered %d, cut %v", r.Status, r.Cut)
			}
		})
	}
}

func TestChangeOfRangesWhileSent(t *testing.T) {
	for _, c := range []struct{ clause, ranges string }{
		{"one part", "bytes=1-"},
		{"several parts", "bytes=1-9,100000-200000,300000-"},
		{"several that end within a piece", "bytes=0-200000,300000-300009"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			s := newSite(t, map[string]string{"f": oldLarge})
			h := newHandler(restless{tree{s.root}, nil, once(pieceBytes, func() { s.rewrite("f", newLarge) })}, Options{}, s.now)
			if r := do(h, "GET", "/f", "Range", c.ranges); !r.Cut || r.Status != 206 {
				t.Errorf("answered %d, cut %v", r.Status, r.Cut)
			}
		})
	}
}

func TestChangeBeforeTheHead(t *testing.T) {
	t.Run("is sent as it is now", func(t *testing.T) {
		s := newSite(t, map[string]string{"f": "old"})
		changed := false
		h := newHandler(restless{tree{s.root}, func(string) {
			if !changed {
				changed = true
				s.rewrite("f", "new content")
			}
		}, nil}, Options{}, s.now)
		r := do(h, "GET", "/f")
		expect(t, r, 200, "new content")
		expectField(t, r, "ETag", s.get("/f").Get("ETag"))
	})
	for clause, change := range map[string]func(s *site, n int){
		"by truncation": func(s *site, n int) { s.rewrite("f", oldLarge[n:]) },
		"in place": func(s *site, n int) {
			s.must(os.Chtimes(s.path("f"), written, written.Add(time.Duration(1+n)*time.Second)))
		},
	} {
		t.Run("again and again is 503, "+clause, func(t *testing.T) {
			s := newSite(t, map[string]string{"f": "old"})
			n := 0
			s.rewrite("f", oldLarge)
			h := newHandler(restless{tree{s.root}, func(string) { n++; change(s, n) }, nil}, Options{}, s.now)
			r := do(h, "GET", "/f")
			expect(t, r, 503, "503 Service Unavailable\n")
			expectField(t, r, "Retry-After", retryAfterSeconds)
			expectField(t, r, "ETag", "")
			if n != sendAttempts {
				t.Errorf("%d attempts", n)
			}
		})
	}
	t.Run("by growing is sent as it is now", func(t *testing.T) {
		s := newSite(t, map[string]string{"f": "old"})
		n := 0
		h := newHandler(restless{tree{s.root}, func(string) {
			if n++; n < 3 {
				s.append("f", "+")
			}
		}, nil}, Options{}, s.now)
		r := do(h, "GET", "/f")
		expect(t, r, 200, "old++")
		expectField(t, r, "ETag", s.get("/f").Get("ETag"))
	})
}

func TestReadErrors(t *testing.T) {
	failing := func(from int64) func(int64) error {
		return func(at int64) error {
			if at >= from {
				return syscall.EIO
			}
			return nil
		}
	}
	s := newSite(t, map[string]string{"f": oldLarge})
	for _, c := range []struct {
		clause string
		from   int64
		logged int // by us; what breaks off in the middle is the server's to log
	}{
		{"at the first byte is 500", 0, 1},
		{"in the middle is a cut", pieceBytes, 0},
		{"at the end is a cut", largeEnd, 1},
	} {
		t.Run(c.clause, func(t *testing.T) {
			log := new(journal)
			h := newHandler(restless{tree{s.root}, nil, failing(c.from)}, Options{Log: log.logger()}, s.now)
			r := do(h, "GET", "/f")
			if c.from == 0 {
				expect(t, r, 500, "500 Internal Server Error\n")
				expectField(t, r, "ETag", "")
				expectField(t, r, "Accept-Ranges", "")
			} else if !r.Cut || len(r.Content) >= largeBytes || r.Result.Err == nil {
				t.Errorf("cut %v, %d bytes, %v", r.Cut, len(r.Content), r.Result.Err)
			}
			if log.lines("file=f", "input/output error") != c.logged {
				t.Errorf("logged: %s", log.all.String())
			}
		})
	}
	t.Run("of a file that is empty do not matter", func(t *testing.T) {
		s.write("empty", "")
		h := newHandler(restless{tree{s.root}, nil, failing(0)}, Options{}, s.now)
		expect(t, do(h, "GET", "/empty"), 200, "")
	})
	t.Run("of a HEAD do not come up", func(t *testing.T) {
		h := newHandler(restless{tree{s.root}, nil, failing(0)}, Options{}, s.now)
		expect(t, do(h, "HEAD", "/f"), 200, "")
	})
}

// The reader that a response gets must be an *os.File below a limit, or there is no sendfile.
func TestSendfileShape(t *testing.T) {
	s := newSite(t, map[string]string{"f": oldLarge})
	f, err := tree{s.root}.open("f")
	s.must(err)
	defer f.Close()
	var r io.Reader = f.content
	if _, ok := r.(*os.File); !ok {
		t.Errorf("the content of a file is a %T", r)
	}
}
