package files

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// digest is the tag that a content has.
func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

func TestETagByContent(t *testing.T) {
	large := strings.Repeat("large", cachedFileBytes)
	s := newSite(t, map[string]string{"f.txt": prose, "f.txt.br": "brotli", "large": large, "old": "old"})
	s.must(os.Chtimes(s.path("old"), time.Unix(1, 0), time.Unix(1, 0)))
	hour := func() time.Time { return time.Now().Add(time.Hour) }
	for name, cache := range map[string]*Cache{"with a cache": NewCache(1 << 20), "without a cache": nil} {
		t.Run(name, func(t *testing.T) {
			s.Handler = newHandler(tree{s.root}, Options{ETag: ETagByContent, Cache: cache, Precompressed: true, Encoders: coding.NewEncoders(1)}, hour)
			for range 2 {
				expectField(t, s.get("/f.txt"), "ETag", digest(prose))
				expectField(t, s.get("/large"), "ETag", digest(large))
				expectField(t, s.get("/f.txt", "Accept-Encoding", "br"), "ETag", strings.TrimSuffix(digest("brotli"), `"`)+`-br"`)
				expectField(t, s.get("/f.txt", "Accept-Encoding", "gzip"), "ETag", "W/"+strings.TrimSuffix(digest(prose), `"`)+`-gzip"`)
			}
			expect(t, s.get("/large", "If-None-Match", digest(large)), 304, "")
		})
	}
	t.Run("a file that was touched keeps it, one that was rewritten does not", func(t *testing.T) {
		s.Handler = newHandler(tree{s.root}, Options{ETag: ETagByContent}, hour)
		expectField(t, s.get("/large"), "ETag", digest(large))
		s.must(os.Chtimes(s.path("large"), written, written.Add(time.Minute)))
		expectField(t, s.get("/large"), "ETag", digest(large))
		other := strings.ToUpper(large)
		s.write("large", other)
		expectField(t, s.get("/large"), "ETag", digest(other))
	})
	t.Run("a young file has one by time, and weak", func(t *testing.T) {
		s.Handler = newHandler(tree{s.root}, Options{ETag: ETagByContent}, time.Now)
		s.must(os.WriteFile(s.path("young"), []byte("young"), 0o644))
		if tag := s.get("/young").Get("ETag"); tag == digest("young") {
			t.Errorf("the tag is %s", tag)
		}
	})
}

func TestETagByContentOfAChangingFile(t *testing.T) {
	s := newSite(t, map[string]string{"f": oldLarge})
	n := 0
	disk := restless{tree{s.root}, nil, func(int64) error {
		if n++; n == 1 {
			s.rewrite("f", newLarge)
		}
		return nil
	}}
	h := newHandler(disk, Options{ETag: ETagByContent}, func() time.Time { return time.Now().Add(time.Hour) })
	r := do(h, "GET", "/f")
	expect(t, r, 200, newLarge)
	expectField(t, r, "ETag", digest(newLarge))
}

func TestETagNone(t *testing.T) {
	s := newSite(t, map[string]string{"f.txt": prose})
	s = s.with(Options{ETag: ETagNone, Encoders: coding.NewEncoders(1), Cache: NewCache(1 << 20)})
	for _, accept := range []string{"gzip", "identity"} {
		r := s.get("/f.txt", "Accept-Encoding", accept)
		expectField(t, r, "ETag", "")
		expectField(t, r, "Last-Modified", "Fri, 01 Mar 2024 12:34:56 GMT")
		expect(t, s.get("/f.txt", "Accept-Encoding", accept, "If-Modified-Since", "Fri, 01 Mar 2024 12:34:56 GMT"), 304, "")
	}
}

func TestSumsAreBounded(t *testing.T) {
	s := newSite(t, map[string]string{"f": letters})
	sums := newSums()
	f, err := tree{s.root}.open("f")
	s.must(err)
	defer f.Close()
	for range 2 {
		got, err := sums.of(nil, "f", f)
		s.must(err)
		if contentTag(got) != digest(letters) || len(sums.known) != 1 {
			t.Fatal(got, len(sums.known))
		}
	}
	for i := range sumsKept + 10 {
		sums.keep(inode{name: fmt.Sprint(i)}, summed{stamp: f.stamp})
	}
	if len(sums.known) != sumsKept {
		t.Errorf("%d are remembered", len(sums.known))
	}
	t.Run("a client that has gone does not wait", func(t *testing.T) {
		for range sumsAtOnce {
			sums.slots <- struct{}{}
		}
		gone := make(chan struct{})
		close(gone)
		s.write("new", letters)
		f, err := tree{s.root}.open("new")
		s.must(err)
		defer f.Close()
		if _, err := sums.of(gone, "new", f); err != errGone {
			t.Error(err)
		}
	})
}
