package files

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/files/coding"
)

func zipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if err := writeAll(w, []byte(content)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	e, _ := coding.NewEncoders(1).Begin(coding.Zstd, &b)
	defer e.Release()
	if err := writeAll(e, []byte(content)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSiblingThatIsNotComplete(t *testing.T) {
	gz, zst := zipped(t, prose), zstandard(t, prose)
	for _, c := range []struct{ clause, extension, content, encoding string }{
		{"a whole gzip is sent", ".gz", gz, "gzip"},
		{"half of one is not", ".gz", gz[:len(gz)/2], ""},
		{"one of another length is not (RFC 1952 §2.3.1)", ".gz", zipped(t, prose+"!"), ""},
		{"one that has hardly begun is not", ".gz", gz[:3], ""},
		{"a whole zstd is sent", ".zst", zst, "zstd"},
		{"one of another length is not (RFC 8878 §3.1.1.1.4)", ".zst", zstdOf(len(prose) + 1), ""},
		{"one of this length is", ".zst", zstdOf(len(prose)), "zstd"},
		{"an empty one is not", ".br", "", ""},
		{"one that tells nothing is sent", ".br", "brotli", "br"},
	} {
		for clause, cache := range map[string]*Cache{"": nil, ", from memory": NewCache(1 << 20)} {
			t.Run(c.clause+clause, func(t *testing.T) {
				s := newSite(t, map[string]string{"f.txt": prose, "f.txt" + c.extension: c.content})
				h := newHandler(tree{s.root}, Options{Precompressed: true, Cache: cache}, func() time.Time { return time.Now().Add(time.Hour) })
				for range 2 {
					r := do(h, "GET", "/f.txt", "Accept-Encoding", "br, zstd, gzip")
					expectField(t, r, "Content-Encoding", c.encoding)
					if c.encoding == "" {
						expect(t, r, 200, prose)
					}
				}
			})
		}
	}
	t.Run("one that was written within the clock's tick is not", func(t *testing.T) {
		s := newSite(t, map[string]string{"f.txt": prose, "f.txt.br": "brotli"})
		s.Handler = newHandler(tree{s.root}, Options{Precompressed: true}, func() time.Time { return written.Add(fineClock - 1) })
		expect(t, s.get("/f.txt", "Accept-Encoding", "br"), 200, prose)
		s.Handler.now = func() time.Time { return written.Add(fineClock) }
		expect(t, s.get("/f.txt", "Accept-Encoding", "br"), 200, "brotli")
	})
}

// zstdOf begins a frame that says its content's size in two bytes, less 256.
func zstdOf(size int) string {
	size -= 256
	return "\x28\xB5\x2F\xFD\x60" + string([]byte{byte(size), byte(size >> 8)}) + "rest"
}

func TestSizeOfZstd(t *testing.T) {
	for _, c := range []struct {
		clause, head string
		size         uint64
		told         bool
	}{
		{"one byte, in a single segment", "\x28\xB5\x2F\xFD\x20\x07", 7, true},
		{"none with a window", "\x28\xB5\x2F\xFD\x00\x07", 0, false},
		{"two bytes begin at 256", "\x28\xB5\x2F\xFD\x60\x01\x00", 257, true},
		{"four behind a window", "\x28\xB5\x2F\xFD\x80\x58\x01\x02\x00\x00", 513, true},
		{"eight behind a dictionary", "\x28\xB5\x2F\xFD\xE3\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00", 1<<32 + 1, true},
		{"cut off", "\x28\xB5\x2F\xFD\xE3\x00\x00", 0, false},
		{"a frame to skip", "\x50\x2A\x4D\x18\x00\x00\x00\x00", 0, false},
		{"nothing", "", 0, false},
	} {
		if size, told := zstdSize([]byte(c.head)); size != c.size || told != c.told {
			t.Errorf("%s: %d, %v", c.clause, size, told)
		}
	}
}

func TestSecondChoice(t *testing.T) {
	s := newSite(t, map[string]string{"f.txt": volume, "f.txt.gz": zipped(t, volume)})
	encoders := coding.NewEncoders(1)
	s = s.with(Options{Precompressed: true, Encoders: encoders})
	likes := []string{"Accept-Encoding", "zstd, gzip;q=0.5"}
	expectField(t, s.get("/f.txt", likes...), "Content-Encoding", "zstd")
	e, _ := encoders.Begin(coding.Gzip, io.Discard)
	defer e.Release()
	r := s.get("/f.txt", likes...)
	expectField(t, r, "Content-Encoding", "gzip")
	if unzipped(t, r.Content) != volume {
		t.Error("it is something else")
	}
	r = s.get("/f.txt", "Accept-Encoding", "zstd, gzip;q=0.5, identity;q=0")
	if r.Status != 200 || r.Get("Content-Encoding") != "gzip" {
		t.Errorf("answered %d in %q to who refuses the file as it is", r.Status, r.Get("Content-Encoding"))
	}
}

// A date says which state of the file it was, and not in which coding.
func TestDateContinuesNoCoding(t *testing.T) {
	s := coded(t)
	date := s.get("/app.js").Get("Last-Modified")
	for target, status := range map[string]int{"/app.js": 200, "/volume.txt": 200, "/photo.png": 206} {
		t.Run(target, func(t *testing.T) {
			if r := s.get(target, "Accept-Encoding", "br", "Range", "bytes=2-3", "If-Range", date); r.Status != status {
				t.Errorf("answered %d", r.Status)
			}
		})
	}
}

// Builds that stamp all they make with one time must not have two states of a file taken for one.
func TestConstantTimes(t *testing.T) {
	for _, text := range []string{"1970-01-01T00:00:01Z", "1980-02-01T00:00:00Z", "1985-10-26T08:15:00Z", "2000-01-01T00:00:00Z", "2010-01-01T00:00:00-05:00"} {
		for clause, cache := range map[string]*Cache{"": nil, ", with a cache": NewCache(1 << 20)} {
			t.Run(text+clause, func(t *testing.T) {
				stamp, err := time.Parse(time.RFC3339, text)
				if err != nil {
					t.Fatal(err)
				}
				s := newSite(t, nil)
				deploy := func(content string) {
					s.must(os.WriteFile(s.path("new"), []byte(content), 0o644))
					s.must(os.Chtimes(s.path("new"), stamp, stamp))
					s.must(os.Rename(s.path("new"), s.path("f.txt")))
				}
				clock := time.Now().Add(time.Hour)
				h := newHandler(tree{s.root}, Options{Cache: cache}, func() time.Time { return clock })
				deploy("old")
				old := do(h, "GET", "/f.txt")
				expectField(t, old, "Last-Modified", "")
				tag := old.Get("ETag")
				if !strings.HasPrefix(tag, `"`) {
					t.Errorf("the tag is %s", tag)
				}
				expect(t, do(h, "GET", "/f.txt", "If-None-Match", tag), 304, "")
				deploy("new")
				clock = clock.Add(time.Minute)
				expect(t, do(h, "GET", "/f.txt", "If-None-Match", tag), 200, "new")
				expect(t, do(h, "GET", "/f.txt", "If-Modified-Since", stamp.UTC().Format(httpDate)), 200, "new")
			})
		}
	}
}

const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"
