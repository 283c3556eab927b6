package files

import (
	"io"
	"mime"
	"mime/multipart"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1/http1test"
)

// letters is content in which every position up to 26 tells itself.
const letters = "abcdefghijklmnopqrstuvwxyz"

func demo(t testing.TB) *site {
	return newSite(t, map[string]string{
		"index.html":               "home",
		"a b.txt":                  letters,
		"empty.txt":                "",
		"large.bin":                strings.Repeat(letters, 20_000),
		"docs/index.html":          "docs",
		"bare/page.html":           "page",
		"odd/index.html/x":         "x",
		".well-known/security.txt": "security",
		".env":                     "SECRET",
		"docs/.git/config":         "SECRET",
	})
}

func TestGet(t *testing.T) {
	s := demo(t)
	t.Run("a file has its fields", func(t *testing.T) {
		r := s.get("/a%20b.txt?v=1")
		expect(t, r, 200, letters)
		expectField(t, r, "Content-Type", "text/plain; charset=utf-8")
		expectField(t, r, "X-Content-Type-Options", "nosniff")
		expectField(t, r, "Accept-Ranges", "bytes")
		expectField(t, r, "Last-Modified", "Fri, 01 Mar 2024 12:34:56 GMT")
		expectField(t, r, "Cache-Control", "")
		if tag := r.Get("ETag"); !strings.HasPrefix(tag, `"1a-`) {
			t.Errorf("ETag is %s", tag)
		}
		if r.Length != 26 {
			t.Errorf("the length is %d", r.Length)
		}
	})
	t.Run("the root is its index", func(t *testing.T) { expect(t, s.get("/"), 200, "home") })
	t.Run("a directory is its index", func(t *testing.T) { expect(t, s.get("/docs/"), 200, "docs") })
	t.Run("an index has its own name too", func(t *testing.T) { expect(t, s.get("/docs/index.html"), 200, "docs") })
	t.Run("an empty file is empty", func(t *testing.T) { expect(t, s.get("/empty.txt"), 200, "") })
	t.Run("a large one is whole", func(t *testing.T) {
		expect(t, s.get("/large.bin"), 200, strings.Repeat(letters, 20_000))
	})
	t.Run("sizes around the pieces are whole", func(t *testing.T) {
		for _, n := range []int{pieceBytes - 1, pieceBytes, pieceBytes + 1, 2*pieceBytes - 1, 2 * pieceBytes, 2*pieceBytes + 1} {
			content := strings.Repeat(letters, n/26+1)[:n]
			s.write("sized", content)
			expect(t, s.get("/sized"), 200, content)
		}
	})
	t.Run("well-known is served", func(t *testing.T) { expect(t, s.get("/.well-known/security.txt"), 200, "security") })
	for _, target := range []string{
		"/missing", "/missing/", "/bare/", "/odd/", "/a%20b.txt/", "/a%20b.txt/x", "/.env", "/docs/.git/config", "/docs/.git/",
		"//", "/docs//", "//evil.example/..", "/docs/../index.html", "/%2e%2e/etc/passwd", "/docs%2findex.html", "/a%00", "*",
		"/" + strings.Repeat("n", 300), "/" + strings.Repeat("n/", 3000),
	} {
		t.Run("not found is "+brief([]byte(target)), func(t *testing.T) {
			expect(t, s.get(target), 404, "404 Not Found\n")
		})
	}
	if n := s.log.lines(); n != 0 {
		t.Errorf("%d lines logged", n)
	}
}

func TestHead(t *testing.T) {
	s := demo(t)
	s.write("404.html", "<p>gone")
	for _, target := range []string{"/", "/a%20b.txt", "/empty.txt", "/large.bin", "/docs", "/missing"} {
		t.Run("has the fields of GET and no content, "+target, func(t *testing.T) {
			get, head := s.get(target), s.do("HEAD", target)
			if head.Status != get.Status || head.Length != get.Length || !reflect.DeepEqual(head.Fields, get.Fields) {
				t.Errorf("HEAD is %d, %d bytes, %v\nGET is %d, %d bytes, %v",
					head.Status, head.Length, head.Fields, get.Status, get.Length, get.Fields)
			}
			expect(t, head, get.Status, "")
		})
	}
	t.Run("ignores Range (RFC 9110 §14.2)", func(t *testing.T) {
		r := s.do("HEAD", "/large.bin", "Range", "bytes=0-9")
		expect(t, r, 200, "")
		if r.Length != 520_000 {
			t.Errorf("the length is %d", r.Length)
		}
	})
}

func TestMethods(t *testing.T) {
	s := demo(t)
	for _, c := range []struct {
		clause, method, target string
		status                 int
		allow                  string
	}{
		{"OPTIONS (RFC 9110 §9.3.7)", "OPTIONS", "/docs/", 204, allowed},
		{"OPTIONS of the server", "OPTIONS", "*", 204, allowed},
		{"OPTIONS of what is not there", "OPTIONS", "/missing", 204, allowed},
		{"POST (RFC 9110 §15.5.6)", "POST", "/", 405, allowed},
		{"PUT", "PUT", "/new", 405, allowed},
		{"DELETE", "DELETE", "/", 405, allowed},
		{"PATCH", "PATCH", "/", 405, allowed},
		{"TRACE (RFC 9110 §9.3.8)", "TRACE", "/", 405, allowed},
		{"CONNECT (RFC 9110 §15.6.2)", "CONNECT", "/", 501, ""},
		{"one that nobody knows", "BREW", "/", 501, ""},
		{"the wrong case (RFC 9110 §9.1)", "get", "/", 501, ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := s.do(c.method, c.target, "If-None-Match", "*")
			if r.Status != c.status || r.Cut {
				t.Errorf("answered %d, want %d", r.Status, c.status)
			}
			expectField(t, r, "Allow", c.allow)
			expectField(t, r, "ETag", "")
			if (len(r.Content) == 0) != (c.status == 204) {
				t.Errorf("content %q", r.Content)
			}
		})
	}
	t.Run("no file came or went", func(t *testing.T) {
		if _, err := os.Stat(s.path("new")); err == nil {
			t.Error("PUT made a file")
		}
		expect(t, s.get("/"), 200, "home")
	})
}

func TestRedirect(t *testing.T) {
	s := demo(t)
	s.write("a:b/index.html", "colon")
	for target, location := range map[string]string{
		"/docs":      "./docs/",
		"/docs?q=a/": "./docs/?q=a/",
		"/bare":      "./bare/",
		"/a:b":       "./a:b/",
	} {
		t.Run("is relative for "+target, func(t *testing.T) {
			r := s.get(target)
			expect(t, r, 301, "301 Moved Permanently\n")
			expectField(t, r, "Location", location)
		})
	}
	t.Run("goes before conditions (RFC 9110 §13.2.1)", func(t *testing.T) {
		if r := s.get("/docs", "If-Match", `"x"`); r.Status != 301 {
			t.Errorf("answered %d", r.Status)
		}
	})
}

func TestNotFoundPage(t *testing.T) {
	s := demo(t)
	s.write("404.html", "<p>gone")
	t.Run("is the content of a 404", func(t *testing.T) {
		r := s.get("/missing", "Range", "bytes=0-1", "If-None-Match", "*", "If-Match", `"x"`)
		expect(t, r, 404, "<p>gone")
		expectField(t, r, "Content-Type", "text/html; charset=utf-8")
		expectField(t, r, "ETag", "")
		expectField(t, r, "Last-Modified", "")
		expectField(t, r, "Accept-Ranges", "")
	})
	t.Run("is a page by its own name", func(t *testing.T) { expect(t, s.get("/404.html"), 200, "<p>gone") })
	t.Run("is for refused paths too", func(t *testing.T) { expect(t, s.get("/.env"), 404, "<p>gone") })
	t.Run("may be a directory by mistake", func(t *testing.T) {
		s.must(os.Remove(s.path("404.html")))
		s.write("404.html/index.html", "no")
		expect(t, s.get("/missing"), 404, "404 Not Found\n")
	})
}

func TestConditionalGet(t *testing.T) {
	s := demo(t)
	first := s.get("/a%20b.txt")
	tag, date := first.Get("ETag"), first.Get("Last-Modified")
	t.Run("304 carries the validators and nothing else (RFC 9110 §15.4.5)", func(t *testing.T) {
		for _, fields := range [][]string{{"If-None-Match", tag}, {"If-Modified-Since", date}} {
			r := s.get("/a%20b.txt", fields...)
			expect(t, r, 304, "")
			expectField(t, r, "ETag", tag)
			expectField(t, r, "Last-Modified", date)
			if len(r.Fields) != 2 {
				t.Errorf("fields %v", r.Fields)
			}
		}
	})
	t.Run("several lines are one list (RFC 9110 §5.3)", func(t *testing.T) {
		expect(t, s.get("/a%20b.txt", "If-None-Match", `"x"`, "if-none-match", tag), 304, "")
	})
	t.Run("two dates are none (RFC 9110 §13.1.3)", func(t *testing.T) {
		expect(t, s.get("/a%20b.txt", "If-Modified-Since", date, "If-Modified-Since", date), 200, letters)
	})
	t.Run("412 says so", func(t *testing.T) {
		r := s.get("/a%20b.txt", "If-Match", `"x"`)
		expect(t, r, 412, "412 Precondition Failed\n")
	})
	t.Run("a missing file is 404 whatever is asked (RFC 9110 §13.2.1)", func(t *testing.T) {
		expect(t, s.get("/missing", "If-Match", "*"), 404, "404 Not Found\n")
	})
	t.Run("another content has another tag", func(t *testing.T) {
		s.must(os.WriteFile(s.path("a b.txt"), []byte("new"), 0o644))
		expect(t, s.get("/a%20b.txt", "If-None-Match", tag), 200, "new")
	})
	t.Run("a file of now is weak, and no less a 304", func(t *testing.T) {
		s.Handler = newHandler(tree{s.root}, Options{}, written.Local)
		r := s.get("/docs/")
		if !strings.HasPrefix(r.Get("ETag"), `W/"`) {
			t.Errorf("ETag is %s", r.Get("ETag"))
		}
		expect(t, s.get("/docs/", "If-None-Match", r.Get("ETag")), 304, "")
		expect(t, s.get("/docs/", "If-Range", r.Get("ETag"), "Range", "bytes=0-0"), 200, "docs")
	})
}

func TestRangeGet(t *testing.T) {
	s := demo(t)
	tag := s.get("/large.bin").Get("ETag")
	t.Run("one part (RFC 9110 §15.3.7.1)", func(t *testing.T) {
		r := s.get("/large.bin", "Range", "bytes=26-51")
		expect(t, r, 206, letters)
		expectField(t, r, "Content-Range", "bytes 26-51/520000")
		expectField(t, r, "Content-Type", "application/octet-stream")
		expectField(t, r, "ETag", tag)
		expectField(t, r, "Last-Modified", "Fri, 01 Mar 2024 12:34:56 GMT")
	})
	t.Run("a large part", func(t *testing.T) {
		expect(t, s.get("/large.bin", "Range", "bytes=26-"), 206, strings.Repeat(letters, 19_999))
	})
	t.Run("unsatisfiable (RFC 9110 §15.5.17)", func(t *testing.T) {
		r := s.get("/large.bin", "Range", "bytes=520000-")
		expect(t, r, 416, "416 Range Not Satisfiable\n")
		expectField(t, r, "Content-Range", "bytes */520000")
	})
	t.Run("of an empty file", func(t *testing.T) {
		r := s.get("/empty.txt", "Range", "bytes=0-")
		expect(t, r, 416, "416 Range Not Satisfiable\n")
		expectField(t, r, "Content-Range", "bytes */0")
		expect(t, s.get("/empty.txt", "Range", "bytes=-1"), 200, "")
	})
	t.Run("of a file that is no more", func(t *testing.T) {
		expect(t, s.get("/large.bin", "Range", "bytes=0-9", "If-Range", `"old"`), 200, strings.Repeat(letters, 20_000))
	})
	t.Run("two Range lines are malformed", func(t *testing.T) {
		expect(t, s.get("/a%20b.txt", "Range", "bytes=0-1", "Range", "bytes=2-3"), 200, letters)
	})
	t.Run("a thousand overlapping ones are ignored", func(t *testing.T) {
		expect(t, s.get("/a%20b.txt", "Range", "bytes="+strings.Repeat("0-,", 999)+"0-"), 200, letters)
	})
	t.Run("sixteen overlapping ones are one", func(t *testing.T) {
		r := s.get("/a%20b.txt", "Range", "bytes="+strings.Repeat("0-,", 15)+"0-")
		expect(t, r, 206, letters)
		expectField(t, r, "Content-Range", "bytes 0-25/26")
	})
}

func TestMultipartRanges(t *testing.T) {
	s := demo(t)
	large := strings.Repeat(letters, 20_000)
	t.Run("parts come in the order asked for (RFC 9110 §15.3.7.2)", func(t *testing.T) {
		r := s.get("/large.bin", "Range", "bytes=-26,0-25,100000-299999")
		expectField(t, r, "Content-Range", "")
		if r.Status != 206 || r.Cut || r.Length != int64(len(r.Content)) {
			t.Fatalf("answered %d, cut %v, %d bytes declared, %d sent", r.Status, r.Cut, r.Length, len(r.Content))
		}
		want := [][2]string{
			{"bytes 519974-519999/520000", letters},
			{"bytes 0-25/520000", letters},
			{"bytes 100000-299999/520000", large[100000:300000]},
		}
		if got := parts(t, r); !reflect.DeepEqual(got, want) {
			t.Errorf("%d parts, or others than asked for", len(got))
		}
	})
	t.Run("boundaries are never the same", func(t *testing.T) {
		a, b := s.get("/large.bin", "Range", "bytes=0-0,500-500"), s.get("/large.bin", "Range", "bytes=0-0,500-500")
		if a.Get("Content-Type") == b.Get("Content-Type") {
			t.Errorf("twice %s", a.Get("Content-Type"))
		}
	})
	t.Run("ranges that fall together are a single part", func(t *testing.T) {
		r := s.get("/large.bin", "Range", "bytes=0-25,26-51")
		expect(t, r, 206, letters+letters)
		expectField(t, r, "Content-Range", "bytes 0-51/520000")
	})
}

// parts are the Content-Range and the content of each part.
func parts(t *testing.T, r *http1test.Response) (all [][2]string) {
	t.Helper()
	media, params, err := mime.ParseMediaType(r.Get("Content-Type"))
	if err != nil || media != "multipart/byteranges" {
		t.Fatalf("Content-Type %q: %v", r.Get("Content-Type"), err)
	}
	reader := multipart.NewReader(strings.NewReader(string(r.Content)), params["boundary"])
	for {
		part, err := reader.NextRawPart()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		if part.Header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("a part is %q", part.Header.Get("Content-Type"))
		}
		all = append(all, [2]string{part.Header.Get("Content-Range"), string(content)})
	}
}
