package files

import (
	"os"
	"testing"
)

// The time of change tells what size and modification time hide.
func TestChangeOfTheInodeWhileSent(t *testing.T) {
	for _, c := range []struct {
		clause string
		change func(s *site)
		cut    bool
	}{
		{"rewritten with size and times restored", func(s *site) { s.write("f", newLarge) }, true},
		{"given another name beside its own", func(s *site) { s.must(os.Link(s.path("f"), s.path("g"))) }, false},
		{"given another mode", func(s *site) { s.must(os.Chmod(s.path("f"), 0o600)) }, false},
	} {
		t.Run(c.clause, func(t *testing.T) {
			s := newSite(t, map[string]string{"f": oldLarge})
			settle(t, s.path("f"))
			h := newHandler(restless{tree{s.root}, nil, once(largeEnd, func() { c.change(s) })}, Options{}, s.now)
			r := do(h, "GET", "/f")
			if r.Cut != c.cut || r.Status != 200 {
				t.Errorf("answered %d, cut %v", r.Status, r.Cut)
			}
		})
	}
}

// settle waits until the filesystem's clock has gone on since the file's last change, so that another
// change has another time.
func settle(t *testing.T, path string) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for probe := path + ".clock"; ; {
		if err := os.WriteFile(probe, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if now, err := os.Stat(probe); err != nil || changeTime(now) > changeTime(before) {
			return
		}
	}
}

// However many names a file has, by links, one hash is kept of it.
func TestSumsAreOfFilesNotOfNames(t *testing.T) {
	s := newSite(t, map[string]string{"f": letters})
	sums := newSums()
	for _, name := range []string{"a", "b", "c"} {
		s.link(name, "f")
		f, err := tree{s.root}.open(name)
		s.must(err)
		_, err = sums.of(nil, name, f)
		s.must(err)
		s.must(f.Close())
	}
	if len(sums.known) != 1 {
		t.Errorf("%d are kept", len(sums.known))
	}
}
