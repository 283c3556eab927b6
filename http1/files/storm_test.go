package files

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/files/coding"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// attempts is how many requests a storm makes: HOLDFAST_STORM, or usual without it.
func attempts(t *testing.T, usual int) int {
	t.Helper()
	value := os.Getenv("HOLDFAST_STORM")
	if value == "" {
		return usual
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("HOLDFAST_STORM is no number: %v", err)
	}
	return n
}

// fortress is a site with every way out that a link can offer, and a secret beside it.
func fortress(t *testing.T) (s *site, up string) {
	t.Helper()
	s = newSite(t, map[string]string{
		"index.html": "inside", "dir/index.html": "inside", "dir/secret": "inside", "dir/deep/secret": "inside", ".env": "OUTSIDE",
	})
	outside := t.TempDir()
	s.must(os.Mkdir(filepath.Join(outside, "deep"), 0o755))
	for _, name := range []string{"secret", "index.html", "deep/secret"} {
		s.must(os.WriteFile(filepath.Join(outside, name), []byte("OUTSIDE"), 0o644))
	}
	up, err := filepath.Rel(s.dir, outside)
	s.must(err)
	s.link("in", "dir")
	s.link("out", up)
	s.link("abs", outside)
	s.link("dir/up", "../"+up)
	s.link("self", ".")
	s.link("parent", "..")
	s.link("loop", "loop")
	return s, up
}

// hostile are segments, and pieces of them, of a traversal.
func hostile(up string) []string {
	return append(strings.Split(up, "/"),
		"..", ".", "", "%2e%2e", "%2E.", ".%2e", "%2f", "%2F..", "..%2f", "..%5c", "%5c", `..\`, "%00", "..%00", "%252e%252e", "%c0%ae%c0%ae",
		"%ef%bc%8e", "..;", "...", "....", "%20", "dir", "deep", "in", "out", "abs", "up", "self", "parent", "loop", "secret", "index.html",
		".env", "%2eenv", ".well-known", "etc", "passwd", "proc", "self%2ffd", "~", "C:", "dir%2fsecret", "%2fetc%2fpasswd", "con", "a:b", "%", "%2", strings.Repeat("x", 300),
	)
}

// contained fails the test when a response is anything else than inside or not there.
func contained(t *testing.T, target string, r *http1test.Response) {
	t.Helper()
	switch {
	case bytes.Contains(r.Content, []byte("OUTSIDE")), r.Cut:
		t.Fatalf("%q escaped: %d, cut %v, %q", target, r.Status, r.Cut, r.Content)
	case r.Status == 200 && string(r.Content) != "inside":
		t.Fatalf("%q brought %q", target, r.Content)
	case r.Status == 301 && !strings.HasPrefix(r.Get("Location"), "./"):
		t.Fatalf("%q leads to %q", target, r.Get("Location"))
	case r.Status != 200 && r.Status != 301 && r.Status != 404:
		t.Fatalf("%q answered %d", target, r.Status)
	}
}

func TestTraversalStorm(t *testing.T) {
	s, up := fortress(t)
	pieces := hostile(up)
	rng := rand.New(rand.NewPCG(9110, 9112))
	answered := make(map[int]int)
	for range attempts(t, 100_000) {
		var target strings.Builder
		for range 1 + rng.IntN(8) {
			if rng.IntN(10) > 0 {
				target.WriteByte('/')
			}
			target.WriteString(pieces[rng.IntN(len(pieces))])
		}
		r := s.get(target.String())
		contained(t, target.String(), r)
		answered[r.Status]++
	}
	if answered[200] == 0 || answered[301] == 0 || answered[404] == 0 {
		t.Errorf("the storm did not reach all doors: %v", answered)
	}
}

// TestSwapRace exchanges a directory for a link out of the root while it is asked for, with
// and without a cache: a million times by make swaprace.
func TestSwapRace(t *testing.T) {
	t.Run("by the disk", func(t *testing.T) { swapRace(t, Options{}) })
	t.Run("by a cache whose looks are always due", func(t *testing.T) {
		swapRace(t, Options{Cache: NewCache(1 << 20), Precompressed: true, Encoders: coding.NewEncoders(1)})
	})
}

func swapRace(t *testing.T, opts Options) {
	s, up := fortress(t)
	if s = s.with(opts); opts.Cache != nil {
		begun, n := time.Now(), 0
		now := func() time.Time { n++; return begun.Add(time.Duration(n) * checkEvery) }
		s.now, s.disk.(*keeper).now = now, now
	}
	answered := make(map[int]int)
	stop := s.meanwhile(func(i int) {
		target := []string{"dir", up, "dir/deep", up + "/deep"}[i%4]
		s.must(os.Symlink(target, s.path("next")))
		s.must(os.Rename(s.path("next"), s.path("swap")))
		// A true directory too: away, a link in its place, and back.
		s.must(os.Rename(s.path("dir/deep"), s.path("aside")))
		s.must(os.Symlink("../"+up+"/deep", s.path("dir/deep")))
		s.must(os.Remove(s.path("dir/deep")))
		s.must(os.Rename(s.path("aside"), s.path("dir/deep")))
	})
	targets := []string{"/swap/secret", "/swap/", "/swap/deep/secret", "/dir/deep/secret", "/self/self/swap/secret", "/in/deep/secret"}
	asked := attempts(t, 10_000)
	for i := range asked {
		target := targets[i%len(targets)]
		r := s.get(target, "Accept-Encoding", "br")
		contained(t, target, r)
		answered[r.Status]++
	}
	swaps := stop()
	if swaps == 0 || answered[200] == 0 || answered[404] == 0 {
		t.Errorf("%d swaps, answers %v", swaps, answered)
	}
	t.Logf("%d attempts, %d swaps, 0 escapes; answered: %v", asked, swaps, answered)
}

// meanwhile calls f again and again on a goroutine of its own until stop, which waits for
// it and says how often f ran.
func (s *site) meanwhile(f func(i int)) (stop func() int) {
	done := make(chan struct{})
	rounds := 0
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; ; rounds++ {
			f(rounds)
			select {
			case <-done:
				rounds++
				return
			default:
			}
		}
	})
	end := sync.OnceFunc(func() { close(done); wg.Wait() })
	s.t.Cleanup(end)
	return func() int { end(); return rounds }
}

// TestKubernetesVolume serves a volume as kubelet lays it out and swaps it the way kubelet does:
// every response is one version of a file, with that version's tag.
func TestKubernetesVolume(t *testing.T) {
	s := newSite(t, nil)
	versions := []string{strings.Repeat("old", pieceBytes), strings.Repeat("new", pieceBytes+1)}
	for i, content := range versions {
		s.write("..v"+strconv.Itoa(i)+"/app.js", content)
		s.write("..v"+strconv.Itoa(i)+"/index.html", content)
	}
	s.link("..data", "..v0")
	s.link("app.js", "..data/app.js")
	s.link("index.html", "..data/index.html")
	stop := s.meanwhile(func(i int) {
		s.must(os.Symlink("..v"+strconv.Itoa(i%2), s.path("..data_tmp")))
		s.must(os.Rename(s.path("..data_tmp"), s.path("..data")))
	})

	tags := make(map[string]string)
	for i := range 300 {
		r := s.get([]string{"/app.js", "/"}[i%2])
		content := string(r.Content)
		if r.Status != 200 || r.Cut || content != versions[0] && content != versions[1] {
			t.Fatalf("answered %d, cut %v, %d bytes that are neither version", r.Status, r.Cut, len(content))
		}
		if known, ok := tags[r.Get("ETag")]; ok && known != content {
			t.Fatalf("%s tags both versions", r.Get("ETag"))
		}
		tags[r.Get("ETag")] = content
	}
	if stop() == 0 {
		t.Error("nothing was swapped")
	}
	t.Run("its inner names are not served", func(t *testing.T) {
		expect(t, s.get("/..data/app.js"), 404, "404 Not Found\n")
		expect(t, s.get("/..v0/app.js"), 404, "404 Not Found\n")
	})
}

// TestReplaceRace renames one file over another while it is asked for: what is
// answered is one of them, whole.
func TestReplaceRace(t *testing.T) {
	s := newSite(t, map[string]string{"f": oldLarge})
	stop := s.meanwhile(func(i int) {
		s.must(os.WriteFile(s.path("g"), []byte([]string{newLarge, oldLarge}[i%2]), 0o644))
		s.must(os.Rename(s.path("g"), s.path("f")))
	})
	for range 100 {
		r := s.get("/f")
		if content := string(r.Content); r.Cut || r.Status != 200 || content != oldLarge && content != newLarge {
			t.Fatalf("answered %d, cut %v, %d bytes that are neither file", r.Status, r.Cut, len(content))
		}
	}
	if stop() == 0 {
		t.Error("nothing was replaced")
	}
}
