package files

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// counting tells how often the disk was asked.
type counting struct {
	opener
	opens map[string]int
}

func (c counting) open(name string) (*file, error) {
	c.opens[name]++
	return c.opener.open(name)
}

// A hoard is a site whose handler has a cache, a clock of its own, and a count of opens.
type hoard struct {
	*site
	cache *Cache
	opens map[string]int
	clock time.Time
}

// newHoard is an hour later than its files: they have settled.
func newHoard(t testing.TB, contents map[string]string, limitBytes int64) *hoard {
	h := &hoard{site: newSite(t, contents), cache: NewCache(limitBytes), opens: make(map[string]int), clock: time.Now().Add(time.Hour)}
	opts := Options{Log: h.log.logger(), Cache: h.cache, Precompressed: true, Encoders: coding.NewEncoders(2)}
	h.Handler = newHandler(counting{tree{h.root}, h.opens}, opts, func() time.Time { return h.clock })
	return h
}

// later lets time pass.
func (h *hoard) later(d time.Duration) { h.clock = h.clock.Add(d) }

// check is TigerBeetle's habit: what must hold after every step.
func (c *Cache) check(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var bytes int64
	for i, e := range c.ring {
		if e.place != i || c.entries[e.key] != e {
			t.Fatalf("entry %d, %q, says it is %d", i, e.key.name, e.place)
		}
		bytes += e.bytes
	}
	if bytes != c.bytes || bytes > c.limitBytes || len(c.ring) != len(c.entries) {
		t.Fatalf("%d entries of %d bytes; booked are %d, %d bytes of at most %d", len(c.ring), bytes, len(c.entries), c.bytes, c.limitBytes)
	}
}

func TestCache(t *testing.T) {
	t.Run("a file is opened once in a second, and read once while it stays", func(t *testing.T) {
		h := newHoard(t, map[string]string{"f.css": letters}, 1<<20)
		for i := range 10 {
			expect(t, h.get("/f.css"), 200, letters)
			if want := 1 + i/5; h.opens["f.css"] != want {
				t.Fatalf("request %d: %d opens, want %d", i, h.opens["f.css"], want)
			}
			h.later(checkEvery / 5)
		}
		h.cache.check(t)
	})
	t.Run("what is answered is what would be without it", func(t *testing.T) {
		h := newHoard(t, map[string]string{"a.css": prose, "a.css.gz": "gzipped", "b.css": prose, "c.bin": letters}, 1<<20)
		bare := h.with(Options{Precompressed: true, Encoders: coding.NewEncoders(2)})
		tag := bare.get("/a.css").Get("ETag")
		for range 2 {
			for _, fields := range [][]string{
				nil, {"Accept-Encoding", "gzip"}, {"Accept-Encoding", "zstd"}, {"Range", "bytes=1-3"}, {"Range", "bytes=0-1,1000-"}, {"Range", "bytes=9999-"},
				{"If-None-Match", tag}, {"If-Match", `"x"`}, {"If-Modified-Since", "Fri, 01 Mar 2024 12:34:56 GMT"},
			} {
				for _, target := range []string{"/a.css", "/b.css", "/c.bin", "/missing"} {
					for _, method := range []string{"GET", "HEAD"} {
						got, want := h.do(method, target, fields...), bare.do(method, target, fields...)
						if got.Status != want.Status || got.Length != want.Length || got.Get("ETag") != want.Get("ETag") || got.Get("Vary") != want.Get("Vary") ||
							!strings.HasPrefix(got.Get("Content-Type"), "multipart") && string(got.Content) != string(want.Content) {
							t.Errorf("%s %s %v: %d, %v; want %d, %v", method, target, fields, got.Status, got.Fields, want.Status, want.Fields)
						}
					}
				}
			}
			h.later(checkEvery)
		}
	})
	t.Run("an encoding is made once", func(t *testing.T) {
		h := newHoard(t, map[string]string{"f.txt": prose}, 1<<20)
		first := h.get("/f.txt", "Accept-Encoding", "gzip")
		h.later(2 * checkEvery)
		for range 2 { // so that nobody could encode it again
			e, _ := h.encoders.Begin(coding.Gzip, io.Discard)
			defer e.Release()
		}
		second := h.get("/f.txt", "Accept-Encoding", "gzip")
		expect(t, second, 200, string(first.Content))
		expectField(t, second, "Content-Encoding", "gzip")
		h.cache.check(t)
	})
	t.Run("the absence of a sibling is known for a second, that of a file never", func(t *testing.T) {
		h := newHoard(t, map[string]string{"f.css": letters}, 1<<20)
		for range 3 {
			h.get("/f.css", "Accept-Encoding", "br")
			h.get("/missing.css", "Accept-Encoding", "br")
		}
		if h.opens["f.css.br"] != 1 || h.opens["missing.css"] != 3 || h.opens["missing.css.br"] != 0 {
			t.Errorf("opens: %v", h.opens)
		}
		h.write("f.css.br", "brotli")
		h.later(checkEvery)
		expect(t, h.get("/f.css", "Accept-Encoding", "br"), 200, "brotli")
	})
	t.Run("a large file and one that is still young are not kept", func(t *testing.T) {
		h := newHoard(t, map[string]string{"large": strings.Repeat("x", cachedFileBytes+1), "most": strings.Repeat("x", cachedFileBytes)}, 1<<20)
		h.clock = time.Now()
		h.write("young", letters)
		for range 3 {
			expect(t, h.get("/young"), 200, letters)
		}
		if h.opens["young"] != 3 {
			t.Errorf("a young file: %d opens", h.opens["young"])
		}
		h.later(time.Hour)
		for range 3 {
			h.get("/large")
			h.get("/most")
			h.get("/young")
		}
		if h.opens["large"] != 3 || h.opens["most"] != 1 || h.opens["young"] != 4 {
			t.Errorf("opens: %v", h.opens)
		}
	})
}

func TestCacheInvalidation(t *testing.T) {
	for _, c := range []struct {
		clause string
		change func(h *hoard)
		status int
		now    string
	}{
		{"rewritten", func(h *hoard) { h.rewrite("f", "new") }, 200, "new"},
		{"rewritten in the same size and with the same time", func(h *hoard) { h.write("f", "OLD") }, 200, "OLD"},
		{"replaced in the same size and with the same time", func(h *hoard) { h.write("g", "OLD"); h.must(os.Rename(h.path("g"), h.path("f"))) }, 200, "OLD"},
		{"truncated", func(h *hoard) { h.must(os.Truncate(h.path("f"), 1)) }, 200, "o"},
		{"appended to", func(h *hoard) { h.append("f", "+") }, 200, "old+"},
		{"removed", func(h *hoard) { h.must(os.Remove(h.path("f"))) }, 404, "404 Not Found\n"},
		{"made a directory", func(h *hoard) { h.must(os.Remove(h.path("f"))); h.write("f/index.html", "x") }, 301, "301 Moved Permanently\n"},
		{"made a link out of the root", func(h *hoard) { h.must(os.Remove(h.path("f"))); h.link("f", "/etc/hostname") }, 404, "404 Not Found\n"},
		{"made a link to another", func(h *hoard) { h.write("g", "linked"); h.must(os.Remove(h.path("f"))); h.link("f", "g") }, 200, "linked"},
	} {
		t.Run(c.clause+", a file is what it is a second later", func(t *testing.T) {
			h := newHoard(t, map[string]string{"f": "old"}, 1<<20)
			expect(t, h.get("/f"), 200, "old")
			c.change(h)
			h.later(checkEvery - 1)
			expect(t, h.get("/f"), 200, "old")
			h.later(1)
			expect(t, h.get("/f"), c.status, c.now)
			h.later(time.Hour)
			expect(t, h.get("/f"), c.status, c.now)
			h.cache.check(t)
		})
	}
	t.Run("made unreadable", func(t *testing.T) {
		h := newHoard(t, map[string]string{"f": "old"}, 1<<20)
		expect(t, h.get("/f"), 200, "old")
		h.later(checkEvery)
		h.disk.(*keeper).opener = failing{tree{h.root}, fs.ErrPermission}
		expect(t, h.get("/f"), 403, "403 Forbidden\n")
		h.later(-checkEvery)
		expect(t, h.get("/f"), 403, "403 Forbidden\n") // it was dropped
	})
	for _, want := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		t.Run("without a look, for "+want.Error(), func(t *testing.T) {
			h := newHoard(t, map[string]string{"f": "old"}, 1<<20)
			expect(t, h.get("/f"), 200, "old")
			disk := h.disk.(*keeper).opener
			h.disk.(*keeper).opener = failing{tree{h.root}, want}
			h.later(staleFor - 1)
			expect(t, h.get("/f"), 200, "old")
			h.later(1)
			expect(t, h.get("/f"), 503, "503 Service Unavailable\n")
			h.disk.(*keeper).opener = disk
			expect(t, h.get("/f"), 200, "old")
		})
	}
	t.Run("a clock that is set back trusts nothing", func(t *testing.T) {
		h := newHoard(t, map[string]string{"f": "old"}, 1<<20)
		expect(t, h.get("/f"), 200, "old")
		h.rewrite("f", "new")
		h.later(-time.Minute)
		expect(t, h.get("/f"), 200, "new")
	})
}

func TestCacheBounds(t *testing.T) {
	contents := make(map[string]string)
	for i := range 100 {
		contents[fmt.Sprintf("f%d", i)] = strings.Repeat("x", 1000)
	}
	t.Run("what is asked for stays, a crawl passes through", func(t *testing.T) {
		h := newHoard(t, contents, 20*(1000+entryBytes+8))
		for i := range 100 {
			h.get("/f0")
			h.get(fmt.Sprintf("/f%d", i))
			h.cache.check(t)
		}
		if h.opens["f0"] != 1 || h.opens["f50"] != 1 {
			t.Errorf("opens: %v", h.opens)
		}
	})
	t.Run("a file that is larger than the cache is served", func(t *testing.T) {
		h := newHoard(t, contents, 1000)
		expect(t, h.get("/f1"), 200, contents["f1"])
		h.cache.check(t)
	})
	t.Run("encodings count", func(t *testing.T) {
		h := newHoard(t, map[string]string{"a.txt": prose, "b.txt": prose}, int64(len(prose)+2*entryBytes))
		for _, target := range []string{"/a.txt", "/b.txt", "/a.txt"} {
			for _, accept := range []string{"gzip", "zstd"} {
				expectField(t, h.get(target, "Accept-Encoding", accept), "Content-Encoding", accept)
				h.cache.check(t)
			}
		}
	})
	t.Run("it is kept through any mixture of steps", func(t *testing.T) {
		h := newHoard(t, contents, 30_000)
		rng := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			name := fmt.Sprintf("f%d", rng.IntN(100))
			switch rng.IntN(10) {
			case 0:
				h.rewrite(name, strings.Repeat("y", rng.IntN(5000)))
				h.later(time.Minute)
			case 1:
				_ = os.Remove(h.path(name))
			case 2:
				h.later(checkEvery / 2)
			default:
				h.get("/"+name, "Accept-Encoding", "gzip")
			}
			h.cache.check(t)
		}
	})
}

// TestCacheRace replaces files while many ask for them by one small cache: each answer is
// one state of the file, whole, and no older than the cache may be.
func TestCacheRace(t *testing.T) {
	s := newSite(t, map[string]string{"f.txt": strings.Repeat("0", 5000), "g.txt": letters})
	cache := NewCache(8000)
	s = s.with(Options{Cache: cache, Encoders: coding.NewEncoders(1)})
	s.now = func() time.Time { return time.Now().Add(time.Minute) } // all has settled
	s.disk.(*keeper).now = s.now
	stop := s.meanwhile(func(i int) {
		s.must(os.WriteFile(s.path("new"), []byte(strings.Repeat(string(rune('0'+i%10)), 5000+i%10)), 0o644))
		s.must(os.Rename(s.path("new"), s.path("f.txt")))
		cache.forget(cacheKey{s.disk.(*keeper), "f.txt"}) // as if a second had passed
	})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 300 {
				fields := []string{"Accept-Encoding", "gzip"}[:2*(i%2)]
				r := s.get("/f.txt", fields...)
				content := string(r.Content)
				if r.Get("Content-Encoding") == "gzip" {
					content = unzipped(t, r.Content)
				}
				if r.Status != 200 || r.Cut || strings.Trim(content, content[:1]) != "" || len(content) < 5000 || len(content) > 5010 {
					t.Errorf("answered %d, cut %v, %s", r.Status, r.Cut, brief(r.Content))
					return
				}
				s.get("/g.txt")
			}
		})
	}
	wg.Wait()
	if stop() == 0 {
		t.Error("nothing was replaced")
	}
	cache.check(t)
}
