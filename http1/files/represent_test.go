package files

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/files/coding"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// prose is a text worth compressing, and volume one that is compressed as it goes.
var (
	prose  = strings.Repeat("A rope is made of strands. ", 100)
	volume = strings.Repeat(prose, 1+cachedFileBytes/len(prose))
)

// with is a handler for the site's files with other options.
func (s *site) with(opts Options) *site {
	opts.Log = s.log.logger()
	other := *s
	other.Handler = newHandler(tree{s.root}, opts, s.now)
	return &other
}

// noise is what no encoder makes shorter.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func coded(t *testing.T) *site {
	s := newSite(t, map[string]string{
		"app.js": prose, "app.js.br": "brotli", "app.js.zst": "zstandard", "app.js.gz": "gzipped",
		"one.css": prose, "one.css.gz": "gzipped",
		"old.css": prose, "old.css.br": "outdated",
		"data.bin": prose, "data.bin.gz": "gzipped",
		"photo.png": prose, "photo.png.br": "brotli",
		"dir.txt": prose, "dir.txt.br/x": "x",
		"plain.txt": prose, "small.txt": "small", "bare.bin": prose, "volume.txt": volume,
		"noise.txt": string(noise(4000)),
	})
	s.must(os.Chtimes(s.path("old.css.br"), written, written.Add(-time.Microsecond)))
	return s.with(Options{Precompressed: true, Encoders: coding.NewEncoders(4)})
}

// unzipped is content without its gzip.
func unzipped(t *testing.T, content []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func TestSiblings(t *testing.T) {
	s := coded(t)
	for _, c := range []struct{ clause, target, accept, encoding, content string }{
		{"the best that is accepted", "/app.js", "gzip, br, zstd", "br", "brotli"},
		{"as the client weighs them", "/app.js", "gzip;q=0.9, br;q=0.8", "gzip", "gzipped"},
		{"zstd", "/app.js", "zstd", "zstd", "zstandard"},
		{"what is there goes before what can be made", "/one.css", "zstd, gzip", "gzip", "gzipped"},
		{"unless the client likes that better", "/one.css", "zstd;q=0.9, gzip;q=1", "gzip", "gzipped"},
		{"none without the field", "/app.js", "-", "", prose},
		{"none for identity", "/app.js", "identity", "", prose},
		{"none for a client that likes identity better", "/app.js", "identity, br;q=0.5", "", prose},
		{"none that is older than the file", "/old.css", "br", "", prose},
		{"of a type that nothing is known about", "/data.bin", "gzip", "gzip", "gzipped"},
		{"none of a type that is compressed already", "/photo.png", "br", "", prose},
		{"none that is a directory", "/dir.txt", "br", "", prose},
		{"by their own names they are files", "/app.js.br", "br", "", "brotli"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			fields := []string{"Accept-Encoding", c.accept}
			if c.accept == "-" {
				fields = nil
			}
			r := s.get(c.target, fields...)
			expect(t, r, 200, c.content)
			expectField(t, r, "Content-Encoding", c.encoding)
			if c.target == "/app.js" {
				expectField(t, r, "Content-Type", "text/javascript; charset=utf-8")
				expectField(t, r, "Vary", "Accept-Encoding")
			}
			if head := s.do("HEAD", c.target, fields...); head.Length != r.Length || !reflect.DeepEqual(head.Fields, r.Fields) {
				t.Errorf("HEAD: %d, %v\nGET: %d, %v", head.Length, head.Fields, r.Length, r.Fields)
			}
		})
	}
	t.Run("a type of which there is none does not vary", func(t *testing.T) {
		expectField(t, s.get("/photo.png", "Accept-Encoding", "br"), "Vary", "")
		expectField(t, s.get("/bare.bin", "Accept-Encoding", "br"), "Vary", "")
		expectField(t, s.get("/data.bin"), "Vary", "Accept-Encoding")
	})
	t.Run("each form has a tag of its own", func(t *testing.T) {
		seen := make(map[string]string)
		for _, accept := range []string{"br", "zstd", "gzip", "identity"} {
			tag := s.get("/app.js", "Accept-Encoding", accept).Get("ETag")
			if other, ok := seen[tag]; ok || !strings.HasPrefix(tag, `"`) {
				t.Errorf("%s has %s, as has %q", accept, tag, other)
			}
			seen[tag] = accept
			r := s.get("/app.js", "Accept-Encoding", accept, "If-None-Match", tag)
			expect(t, r, 304, "")
			expectField(t, r, "Vary", "Accept-Encoding")
			expectField(t, r, "ETag", tag)
			expectField(t, r, "Content-Encoding", "")
		}
	})
	t.Run("ranges are those of the form that is sent", func(t *testing.T) {
		r := s.get("/app.js", "Accept-Encoding", "br", "Range", "bytes=2-3")
		expect(t, r, 206, "ot")
		expectField(t, r, "Content-Range", "bytes 2-3/6")
		expectField(t, r, "Content-Encoding", "br")
		tag := s.get("/app.js", "Accept-Encoding", "br").Get("ETag")
		expect(t, s.get("/app.js", "Accept-Encoding", "br", "Range", "bytes=2-3", "If-Range", tag), 206, "ot")
		expect(t, s.get("/app.js", "Accept-Encoding", "gzip", "Range", "bytes=2-3", "If-Range", tag), 200, "gzipped")
	})
	t.Run("a file that is gone has no form left", func(t *testing.T) {
		s.write("late.js.br", "brotli")
		expect(t, s.get("/late.js", "Accept-Encoding", "br"), 404, "404 Not Found\n")
	})
	t.Run("they are not looked for unless asked to", func(t *testing.T) {
		r := s.with(Options{}).get("/app.js", "Accept-Encoding", "br")
		expect(t, r, 200, prose)
		expectField(t, r, "Vary", "")
	})
}

func TestOnTheFly(t *testing.T) {
	s := coded(t)
	for _, accept := range []string{"gzip", "zstd", "gzip, deflate, br, zstd"} {
		for _, target := range []string{"/plain.txt", "/volume.txt", "/noise.txt"} {
			t.Run("HEAD has the fields of GET, "+target+" as "+accept, func(t *testing.T) {
				get, head := s.get(target, "Accept-Encoding", accept), s.do("HEAD", target, "Accept-Encoding", accept)
				if head.Length != get.Length || !reflect.DeepEqual(head.Fields, get.Fields) || len(head.Content) != 0 {
					t.Errorf("HEAD: %d, %v\nGET: %d, %v", head.Length, head.Fields, get.Length, get.Fields)
				}
			})
		}
	}
	for target, content := range map[string]string{"/plain.txt": prose, "/volume.txt": volume} {
		t.Run("gzip decodes to the file, "+target, func(t *testing.T) {
			r := s.get(target, "Accept-Encoding", "gzip")
			if got := unzipped(t, r.Content); r.Status != 200 || got != content || len(r.Content) > len(content)/5 {
				t.Errorf("%d: %d bytes of %d, in %d", r.Status, len(got), len(content), len(r.Content))
			}
			expectField(t, r, "Content-Encoding", "gzip")
			expectField(t, r, "Vary", "Accept-Encoding")
			expectField(t, r, "Accept-Ranges", "")
			expectField(t, r, "Content-Type", "text/plain; charset=utf-8")
		})
	}
	t.Run("zstd is taken before gzip", func(t *testing.T) {
		r := s.get("/plain.txt", "Accept-Encoding", "gzip, zstd")
		expectField(t, r, "Content-Encoding", "zstd")
		if !bytes.HasPrefix(r.Content, []byte("\x28\xB5\x2F\xFD")) {
			t.Errorf("no zstd frame: %x", r.Content[:4])
		}
	})
	for _, c := range []struct{ clause, target, accept, vary string }{
		{"a small file", "/small.txt", "gzip", "Accept-Encoding"}, // for a sibling that may come
		{"one that would get longer", "/noise.txt", "gzip", "Accept-Encoding"},
		{"a type that is compressed", "/photo.png", "gzip", ""},
		{"a type that nothing is known about", "/bare.bin", "gzip", ""},
		{"a coding that is not made", "/plain.txt", "br", "Accept-Encoding"},
	} {
		t.Run("identity is sent of "+c.clause, func(t *testing.T) {
			r := s.get(c.target, "Accept-Encoding", c.accept)
			expectField(t, r, "Content-Encoding", "")
			expectField(t, r, "Vary", c.vary)
			expectField(t, r, "Accept-Ranges", "bytes")
		})
	}
	t.Run("tags are weak and their own", func(t *testing.T) {
		plain := s.get("/plain.txt").Get("ETag")
		for _, accept := range []string{"gzip", "zstd"} {
			r := s.get("/plain.txt", "Accept-Encoding", accept)
			want := "W/" + strings.TrimSuffix(plain, `"`) + "-" + accept + `"`
			expectField(t, r, "ETag", want)
			expect(t, s.get("/plain.txt", "Accept-Encoding", accept, "If-None-Match", want), 304, "")
			expect(t, s.get("/plain.txt", "If-None-Match", want), 200, prose)
		}
	})
	t.Run("a range is of the file as it is", func(t *testing.T) {
		for _, target := range []string{"/plain.txt", "/volume.txt"} {
			r := s.get(target, "Accept-Encoding", "gzip, zstd", "Range", "bytes=0-3")
			expect(t, r, 206, "A ro")
			expectField(t, r, "Content-Encoding", "")
			expectField(t, r, "Vary", "Accept-Encoding")
		}
	})
	t.Run("a tag of the encoded form continues no range", func(t *testing.T) {
		tag := s.get("/plain.txt", "Accept-Encoding", "gzip").Get("ETag")
		expect(t, s.get("/plain.txt", "Accept-Encoding", "gzip", "Range", "bytes=0-3", "If-Range", tag), 200, prose)
	})
}

func TestRefusedIdentity(t *testing.T) {
	s := coded(t)
	for _, c := range []struct {
		clause, target, accept string
		status                 int
		encoding               string
	}{
		{"is 406 where nothing else is accepted", "/plain.txt", "identity;q=0", 406, ""},
		{"is 406 for a coding that is not made", "/plain.txt", "*;q=0, br", 406, ""},
		{"is met by a sibling", "/app.js", "br, *;q=0", 200, "br"},
		{"is met on the fly", "/plain.txt", "gzip, *;q=0", 200, "gzip"},
		{"is met for what would not be worth it", "/small.txt", "gzip, identity;q=0", 200, "gzip"},
		{"is met for what gets longer", "/noise.txt", "gzip, identity;q=0", 200, "gzip"},
		{"is met for an image", "/photo.png", "gzip, identity;q=0", 200, "gzip"},
		{"is met for a large file", "/volume.txt", "gzip, identity;q=0", 200, "gzip"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := s.get(c.target, "Accept-Encoding", c.accept)
			if r.Status != c.status || r.Cut {
				t.Errorf("answered %d", r.Status)
			}
			expectField(t, r, "Content-Encoding", c.encoding)
			vary := "Accept-Encoding"
			if c.status == 406 {
				vary = "Accept|Accept-Encoding" // an error may be an object for programs
			}
			expectField(t, r, "Vary", vary)
		})
	}
	t.Run("is 406 where nothing is encoded", func(t *testing.T) {
		expect(t, newSite(t, map[string]string{"f": "f"}).get("/f", "Accept-Encoding", "gzip, identity;q=0"), 406, "406 Not Acceptable\n")
	})
}

func TestEncodersBusy(t *testing.T) {
	s := coded(t)
	encoders := coding.NewEncoders(1)
	s = s.with(Options{Encoders: encoders})
	e, _ := encoders.Begin(coding.Gzip, io.Discard)
	for target, content := range map[string]string{"/plain.txt": prose, "/volume.txt": volume} {
		t.Run("sends the file as it is, "+target, func(t *testing.T) {
			r := s.get(target, "Accept-Encoding", "gzip")
			expect(t, r, 200, content)
			expectField(t, r, "Content-Encoding", "")
			expectField(t, r, "Vary", "Accept-Encoding")
			if strings.HasPrefix(r.Get("ETag"), "W/") {
				t.Errorf("the tag is %s", r.Get("ETag"))
			}
		})
		t.Run("and 304 for who has a form of it, "+target, func(t *testing.T) {
			if target == "/plain.txt" {
				return // which is encoded in no time
			}
			plain := s.get(target).Get("ETag")
			for _, tag := range []string{plain, taggedWith(plain, coding.Gzip, true), taggedWith(plain, coding.Zstd, true)} {
				r := s.get(target, "Accept-Encoding", "gzip, zstd", "If-None-Match", tag)
				expect(t, r, 304, "")
				expectField(t, r, "ETag", tag)
			}
			expect(t, s.get(target, "Accept-Encoding", "gzip", "If-None-Match", taggedWith(plain, coding.Zstd, true)), 200, content)
		})
		t.Run("is 503 for who takes nothing else, "+target, func(t *testing.T) {
			r := s.get(target, "Accept-Encoding", "gzip, identity;q=0")
			expect(t, r, 503, "503 Service Unavailable\n")
			expectField(t, r, "Retry-After", retryAfterSeconds)
		})
	}
	e.Release()
	t.Run("ends, and no request keeps a place", func(t *testing.T) {
		for _, fields := range [][]string{nil, {"If-None-Match", "*"}, {"If-Match", `"other"`}} {
			for _, target := range []string{"/plain.txt", "/volume.txt"} {
				s.get(target, append(fields, "Accept-Encoding", "gzip")...)
				s.do("HEAD", target, append(fields, "Accept-Encoding", "zstd")...)
			}
		}
		expectField(t, s.get("/volume.txt", "Accept-Encoding", "gzip"), "Content-Encoding", "gzip")
	})
}

func TestChangeWhileEncoded(t *testing.T) {
	for _, c := range []struct {
		clause string
		from   int64
		change func(s *site)
		cut    bool
	}{
		{"truncated", pieceBytes, func(s *site) { s.rewrite("f.txt", "short") }, true},
		{"rewritten", pieceBytes, func(s *site) { s.rewrite("f.txt", strings.ToUpper(volume)) }, true},
		{"rewritten at the end", int64(len(volume)) - 1 - pieceBytes, func(s *site) { s.rewrite("f.txt", strings.ToUpper(volume)) }, true},
		{"removed", pieceBytes, func(s *site) { s.must(os.Remove(s.path("f.txt"))) }, false},
		{"appended to", pieceBytes, func(s *site) { s.append("f.txt", "more") }, true},
		{"rewritten by something longer that begins alike", pieceBytes, func(s *site) { s.rewrite("f.txt", volume[:pieceBytes]+strings.ToUpper(volume)) }, true},
	} {
		t.Run(c.clause, func(t *testing.T) {
			s := newSite(t, map[string]string{"f.txt": volume})
			disk := restless{tree{s.root}, nil, once(c.from, func() { c.change(s) })}
			encoders := coding.NewEncoders(1)
			h := newHandler(disk, Options{Log: s.log.logger(), Encoders: encoders}, s.now)
			r := do(h, "GET", "/f.txt", "Accept-Encoding", "gzip")
			if c.cut != r.Cut || r.Status != 200 || !c.cut && unzipped(t, r.Content) != volume {
				t.Errorf("answered %d, cut %v", r.Status, r.Cut)
			}
			if e, ok := encoders.Begin(coding.Gzip, io.Discard); !ok {
				t.Error("the encoder was not given back")
			} else {
				e.Release()
			}
		})
	}
	for clause, change := range map[string]string{"appended to while hot": volume + "more", "rewritten while hot": volume[:pieceBytes] + strings.ToUpper(volume)} {
		t.Run(clause, func(t *testing.T) {
			s := newSite(t, map[string]string{"f.txt": volume})
			reads := 0
			disk := restless{tree{s.root}, nil, func(at int64) error {
				if at == pieceBytes {
					if reads++; reads == 2 { // the first is for the hash
						s.rewrite("f.txt", change)
					}
				}
				return nil
			}}
			h := newHandler(disk, Options{Encoders: coding.NewEncoders(1)}, func() time.Time { return written.Add(time.Second) })
			r := do(h, "GET", "/f.txt", "Accept-Encoding", "gzip")
			if grew := strings.HasPrefix(change, volume); r.Cut == grew || grew && unzipped(t, r.Content) != volume {
				t.Errorf("cut %v", r.Cut)
			}
		})
	}
	t.Run("of a small one is sent as it is now", func(t *testing.T) {
		s := newSite(t, map[string]string{"f.txt": prose})
		n := 0
		disk := restless{tree{s.root}, nil, func(int64) error {
			if n++; n == 1 {
				s.rewrite("f.txt", strings.ToUpper(prose))
			}
			return nil
		}}
		h := newHandler(disk, Options{Encoders: coding.NewEncoders(1)}, s.now)
		if r := do(h, "GET", "/f.txt", "Accept-Encoding", "gzip"); unzipped(t, r.Content) != strings.ToUpper(prose) {
			t.Error("the old content was sent, or a mixture")
		}
	})
}

// FuzzAcceptEncoding asks for every kind of file with any Accept-Encoding and Range: what
// comes is one whole form of the file, or a part of one, that the client accepts.
func FuzzAcceptEncoding(f *testing.F) {
	for _, seed := range []string{"gzip, br, zstd", "*;q=0", "identity;q=0, gzip;q=0.5", "br;q=0.1, gzip"} {
		f.Add(seed, "")
		f.Add(seed, "bytes=1-2")
	}
	s := newSite(f, map[string]string{"app.js": prose, "app.js.br": "brotli", "plain.txt": prose, "photo.png": prose, "volume.txt": volume})
	s = s.with(Options{Precompressed: true, Encoders: coding.NewEncoders(2), Cache: NewCache(1 << 20)})
	f.Fuzz(func(t *testing.T, accept, ranges string) {
		if len(accept)+len(ranges) > 8000 || strings.ContainsAny(accept+ranges, "\r\n\x00") {
			return
		}
		for _, target := range []string{"/app.js", "/plain.txt", "/photo.png", "/volume.txt"} {
			fields := []string{"Accept-Encoding", accept}
			if ranges != "" {
				fields = append(fields, "Range", ranges)
			}
			checkForm(t, target, accept, s.get(target, fields...))
		}
	})
}

// checkForm fails the test unless the response is what a client that accepts that can use.
func checkForm(t *testing.T, target, accept string, r *http1test.Response) {
	t.Helper()
	accepted := coding.Parse(accept)
	encoding := r.Get("Content-Encoding")
	switch {
	case r.Cut:
		t.Fatalf("%s for %q was cut", target, accept)
	case r.Status == 406:
		if accepted.Accepts(coding.Identity) {
			t.Fatalf("%s: 406 for %q", target, accept)
		}
	case r.Status == 200 && encoding == "" && !strings.HasPrefix(r.Get("Content-Type"), "multipart"):
		if !accepted.Accepts(coding.Identity) || string(r.Content) != prose && string(r.Content) != volume {
			t.Fatalf("%s for %q: identity, %d bytes", target, accept, len(r.Content))
		}
	case r.Status == 200 && encoding == "br":
		if !accepted.Accepts(coding.Brotli) || string(r.Content) != "brotli" {
			t.Fatalf("%s for %q: %q", target, accept, r.Content)
		}
	case r.Status == 200 && encoding == "gzip":
		if plain := unzipped(t, r.Content); !accepted.Accepts(coding.Gzip) || plain != prose && plain != volume {
			t.Fatalf("%s for %q: gzip of %d bytes", target, accept, len(plain))
		}
	case r.Status == 200 && encoding == "zstd" && accepted.Accepts(coding.Zstd):
	case r.Status == 206 && encoding != "gzip" && encoding != "zstd":
	case r.Status == 416:
	default:
		t.Fatalf("%s for %q: %d, %q", target, accept, r.Status, encoding)
	}
}
