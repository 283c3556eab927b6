package files

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/listing"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// asJSON are the fields of a program.
var asJSON = []string{"Accept", "application/json"}

// shelf is a site that lists its directories.
func shelf(t testing.TB) *site {
	s := demo(t)
	s.Handler = New(s.root, Options{Log: s.log.logger(), Browse: true})
	return s
}

// entriesOf are the names in a listing as JSON, in their order, directories with a slash.
func entriesOf(t testing.TB, r *http1test.Response) string {
	t.Helper()
	var of struct {
		Truncated bool
		Entries   []struct{ Name, Type string }
	}
	if err := json.Unmarshal(r.Content, &of); err != nil || r.Status != 200 || r.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s %q: %v", r.Status, r.Get("Content-Type"), brief(r.Content), err)
	}
	var names []string
	for _, e := range of.Entries {
		if e.Type == "directory" {
			e.Name += "/"
		}
		names = append(names, e.Name)
	}
	if of.Truncated {
		names = append(names, "and more")
	}
	return strings.Join(names, " ")
}

func TestBrowse(t *testing.T) {
	s := shelf(t)
	t.Run("a directory without an index is listed", func(t *testing.T) {
		r := s.get("/bare/")
		if r.Status != 200 || !strings.Contains(string(r.Content), `href="./page.html"`) {
			t.Fatalf("%d %s", r.Status, r.Content)
		}
		for name, want := range map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "Vary": "Accept",
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": listing.ContentSecurityPolicy, "ETag": ""} {
			expectField(t, r, name, want)
		}
	})
	t.Run("as JSON for who asks for that", func(t *testing.T) {
		if got := entriesOf(t, s.get("/bare/?sort=size", asJSON...)); got != "page.html" {
			t.Error(got)
		}
	})
	t.Run("HEAD has its fields and nothing else", func(t *testing.T) {
		get, head := s.get("/bare/"), s.do("HEAD", "/bare/")
		if fmt.Sprint(head.Fields) != fmt.Sprint(get.Fields) || head.Status != 200 || len(head.Content) != 0 {
			t.Errorf("%d %v %q", head.Status, head.Fields, head.Content)
		}
	})
	t.Run("an index goes before", func(t *testing.T) { expect(t, s.get("/docs/"), 200, "docs") })
	t.Run("without its slash it is redirected as ever, query and all", func(t *testing.T) {
		r := s.get("/bare?sort=size")
		expectField(t, r, "Location", "./bare/?sort=size")
		if r.Status != 301 {
			t.Errorf("%d", r.Status)
		}
	})
	t.Run("the root too, when it has no index, and without dotfiles", func(t *testing.T) {
		s.must(os.Remove(s.path("index.html")))
		if got := entriesOf(t, s.get("/", asJSON...)); got != "bare/ docs/ odd/ a b.txt empty.txt large.bin" {
			t.Error(got)
		}
	})
	for _, target := range []string{"/missing/", "/a%20b.txt/", "/docs/.git/", "/.well-known/../", "//", "/bare//", "/odd/", "/bare%2f"} {
		t.Run("nothing is listed at "+target, func(t *testing.T) { expect(t, s.get(target), 404, "404 Not Found\n") })
	}
	t.Run("nor without being asked for", func(t *testing.T) { expect(t, demo(t).get("/bare/"), 404, "404 Not Found\n") })
}

func TestBrowseShowsWhatCanBeHad(t *testing.T) {
	s := shelf(t)
	s.write("d/file", "x")
	s.write("d/.hidden", "x")
	s.write(`d/back\slash`, "x")
	s.write("d/a\nb", "x")
	s.write("d/\xff", "x")
	s.write("elsewhere/inner/f", "x")
	s.must(syscall.Mkfifo(s.path("d/fifo"), 0o644))
	s.link("d/in", "../elsewhere/inner")
	s.link("d/file-link", "file")
	s.link("d/out", "../../..")
	s.link("d/absolute", "/etc/passwd")
	s.link("d/dangling", "nowhere")
	s.link("way", "d")
	t.Run("files, directories and the links to them inside the root", func(t *testing.T) {
		if got := entriesOf(t, s.get("/d/", asJSON...)); got != "in/ a\nb file file-link \ufffd" {
			t.Errorf("%q", got)
		}
	})
	t.Run("and every one of them is then served", func(t *testing.T) {
		var of struct{ Entries []struct{ URL string } }
		s.must(json.Unmarshal(s.get("/d/", asJSON...).Content, &of))
		for _, e := range of.Entries {
			if r := s.get("/d/" + strings.TrimPrefix(e.URL, "./")); r.Status != 200 {
				t.Errorf("%s is %d", e.URL, r.Status)
			}
		}
	})
	t.Run("a link to a directory is one", func(t *testing.T) {
		if got := entriesOf(t, s.get("/way/", asJSON...)); !strings.HasPrefix(got, "in/ a\nb") {
			t.Errorf("%q", got)
		}
	})
	t.Run("one that leads out of the root is none, and no FIFO waits", func(t *testing.T) {
		expect(t, s.get("/d/out/"), 404, "404 Not Found\n")
		expect(t, s.get("/d/fifo/"), 404, "404 Not Found\n")
	})
}

func TestBrowseLimits(t *testing.T) {
	t.Run("of a directory with more names the first are listed, and that is said", func(t *testing.T) {
		s := shelf(t)
		s.must(os.Mkdir(s.path("many"), 0o755))
		for i := range namesLimit + 1 {
			s.must(os.WriteFile(filepath.Join(s.path("many"), fmt.Sprint(i)), nil, 0o644))
		}
		r := s.get("/many/", asJSON...)
		if got := entriesOf(t, r); !strings.HasSuffix(got, "and more") || strings.Count(got, " ") != listing.PageEntries+1 {
			t.Errorf("%d names, %s", strings.Count(got, " "), got[len(got)-20:])
		}
	})
	t.Run("one more listing at a time waits, until its client has gone", func(t *testing.T) {
		s := shelf(t)
		for range listingsLimit {
			s.browser.turn <- struct{}{}
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		r := http1test.Do(s.Handler, http1test.Request{Target: "/bare/", Context: gone})
		if len(r.Content) != 0 {
			t.Errorf("%q", r.Content)
		}
		done := make(chan *http1test.Response)
		go func() { done <- s.get("/bare/", asJSON...) }()
		<-s.browser.turn
		if got := entriesOf(t, <-done); got != "page.html" {
			t.Error(got)
		}
	})
	t.Run("a root that is closed is a 500, not a 404", func(t *testing.T) {
		s := shelf(t)
		b := *s.browser
		s.must(s.root.Close())
		if err := b.serve(nil, nil, "bare"); statusOf(err) != 500 {
			t.Errorf("%v", err)
		}
	})
}

// fresh is a handler of its own, with other options.
func (s *site) fresh(o Options) http1.Handler {
	o.Log = s.log.logger()
	return New(s.root, o)
}

func TestFallback(t *testing.T) {
	s := demo(t)
	h := s.fresh(Options{SPA: "index.html"})
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	for _, c := range []struct {
		clause, method, target string
		fields                 []string
		status                 int
	}{
		{"a browser that goes there", "GET", "/users/7", []string{"Accept", browser, "Sec-Fetch-Mode", "navigate"}, 200},
		{"HEAD", "HEAD", "/users/7", []string{"Accept", browser}, 200},
		{"a browser of old, and with a query", "GET", "/users/7?tab=a.b", []string{"Accept", browser}, 200},
		{"a program that takes anything", "GET", "/users/7", []string{"Accept", "*/*"}, 404},
		{"one that says nothing", "GET", "/users/7", nil, 404},
		{"what programs look for", "GET", "/.well-known/change-password", []string{"Accept", browser, "Sec-Fetch-Mode", "navigate"}, 404},
		{"an encoded slash", "GET", "/files/a%2Fb", []string{"Accept", browser}, 200},
		{"an empty part", "GET", "/a//b", []string{"Accept", browser}, 200},
		{"a part that begins with a dot", "GET", "/.drafts/7", []string{"Accept", browser}, 200},
		{"an encoded dotfile", "GET", "/a%2F%2Eenv", []string{"Accept", browser}, 404},
		{"a broken escape", "GET", "/a%2", []string{"Accept", browser}, 404},
		{"an encoded slash, fetched", "GET", "/files/a%2Fb", nil, 404},
		{"a path with a slash at its end", "GET", "/users/", []string{"Accept", browser}, 200},
		{"a directory without an index", "GET", "/bare/", []string{"Accept", browser}, 200},
		{"a dot in another part", "GET", "/v1.2/users", []string{"Accept", browser}, 200},
		{"a script that fetches", "GET", "/users/7", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors"}, 404},
		{"an image", "GET", "/users/7", []string{"Accept", browser, "Sec-Fetch-Mode", "no-cors"}, 404},
		{"a program that wants JSON", "GET", "/users/7", asJSON, 404},
		{"one that takes no HTML", "GET", "/users/7", []string{"Accept", "image/*"}, 404},
		{"a file that is missing", "GET", "/app.js", []string{"Accept", browser}, 404},
		{"a dotfile", "GET", "/.env", []string{"Accept", browser}, 404},
		{"a path that is none", "GET", "//", nil, 404},
		{"POST", "POST", "/users/7", nil, 405},
		{"what is there", "GET", "/docs/", nil, 200},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := do(h, c.method, c.target, c.fields...)
			if r.Status != c.status {
				t.Fatalf("answered %d, want %d", r.Status, c.status)
			}
			if fallback := c.status == 200 && c.target != "/docs/"; fallback {
				expectField(t, r, "Cache-Control", "no-cache")
				expectField(t, r, "Vary", "Accept, Sec-Fetch-Mode")
				if c.method == "GET" && string(r.Content) != "home" {
					t.Errorf("%q", r.Content)
				}
			} else {
				expectField(t, r, "Cache-Control", "")
			}
		})
	}
	t.Run("it has its validators", func(t *testing.T) {
		tag := do(h, "GET", "/users/7", "Accept", browser).Get("ETag")
		if r := do(h, "GET", "/users/8", "Accept", browser, "If-None-Match", tag); r.Status != 304 || tag == "" {
			t.Errorf("%d for %s", r.Status, tag)
		}
	})
	t.Run("a listing goes before it, and it before nothing", func(t *testing.T) {
		h := s.fresh(Options{SPA: "index.html", Browse: true})
		if got := entriesOf(t, do(h, "GET", "/bare/", asJSON...)); got != "page.html" {
			t.Error(got)
		}
		expect(t, do(h, "GET", "/none/", "Accept", browser), 200, "home")
	})
	t.Run("a page that has gone is a 404 without its fields", func(t *testing.T) {
		r := do(s.fresh(Options{SPA: "gone.html"}), "GET", "/users/7", "Accept", browser)
		expect(t, r, 404, "404 Not Found\n")
		expectField(t, r, "Cache-Control", "")
	})
}

func TestErrorPages(t *testing.T) {
	for _, c := range []struct {
		clause  string
		err     error
		pages   []string
		options Options
		fields  []string
		status  int
		content string
	}{
		{"404.html for a 404", fs.ErrNotExist, []string{"404.html", "50x.html"}, Options{}, nil, 404, "<404.html>"},
		{"403.html for a 403", fs.ErrPermission, []string{"403.html"}, Options{}, nil, 403, "<403.html>"},
		{"50x.html for a 500", syscall.EIO, []string{"404.html", "50x.html"}, Options{}, nil, 500, "<50x.html>"},
		{"and for a 503", syscall.EMFILE, []string{"50x.html"}, Options{}, nil, 503, "<50x.html>"},
		{"which a page of its own goes before", syscall.EMFILE, []string{"50x.html", "503.html", "500.html"}, Options{}, nil, 503, "<503.html>"},
		{"a line without one", syscall.EIO, nil, Options{}, nil, 500, "500 Internal Server Error\n"},
		{"and where they are not wanted", fs.ErrNotExist, []string{"404.html"}, Options{PlainErrors: true}, nil, 404, "404 Not Found\n"},
		{"an object for who asks for JSON (RFC 9457)", fs.ErrNotExist, []string{"404.html"}, Options{}, asJSON, 404, `{"status":404,"title":"Not Found"}` + "\n"},
		{"and of a disk that fails", syscall.EIO, []string{"50x.html"}, Options{}, asJSON, 500, `{"status":500,"title":"Internal Server Error"}` + "\n"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			s := newSite(t, nil)
			for _, name := range c.pages {
				s.write(name, "<"+name+">")
			}
			r := do(newHandler(refusing{tree{s.root}, c.err}, c.options, s.Handler.now), "GET", "/x", append(c.fields, "Range", "bytes=0-0", "If-None-Match", "*")...)
			expect(t, r, c.status, c.content)
			expectField(t, r, "Vary", "Accept")
			expectField(t, r, "ETag", "")
			want := "text/plain; charset=utf-8"
			switch c.content[0] {
			case '<':
				want = "text/html; charset=utf-8"
			case '{':
				want = "application/problem+json"
			}
			expectField(t, r, "Content-Type", want)
			if (r.Get("Retry-After") != "") != (c.status == 503) {
				t.Errorf("Retry-After is %q", r.Get("Retry-After"))
			}
		})
	}
}

// refusing is a disk that fails for all but the pages for it.
type refusing struct {
	opener
	err error
}

func (d refusing) open(name string) (*file, error) {
	if strings.HasSuffix(name, ".html") {
		return d.opener.open(name)
	}
	return nil, d.err
}
