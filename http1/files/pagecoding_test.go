package files

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast-server/holdfast/http1/files/coding"
)

// paged has an application's page and error pages that are worth encoding.
func paged(t *testing.T) *site {
	return newSite(t, map[string]string{"index.html": prose, "404.html": prose, "404.html.br": "brotli", "50x.html": volume, "bare/f": "f"})
}

// mustGlob is the glob of a rule.
func mustGlob(t *testing.T, text string) Glob {
	t.Helper()
	g, err := ParseGlob(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestErrorPagesAreCoded(t *testing.T) {
	for _, cache := range []*Cache{nil, NewCache(1 << 20)} {
		encoders := coding.NewEncoders(1)
		s := paged(t).with(Options{Precompressed: true, Encoders: encoders, Cache: cache,
			Rules: []Rule{{Glob: mustGlob(t, "**"), CacheControl: "max-age=60", Attachment: true}}})
		for _, c := range []struct{ clause, accept, encoding, content string }{
			{"precompressed", "gzip, br", "br", "brotli"},
			{"made on the fly", "gzip", "gzip", prose},
			{"as they are for who says nothing of them", "", "", prose},
			{"as they are for who refuses all", "*;q=0", "", prose},
		} {
			t.Run(fmt.Sprintf("%s, in memory %v", c.clause, cache != nil), func(t *testing.T) {
				var fields []string
				if c.accept != "" {
					fields = []string{"Accept-Encoding", c.accept}
				}
				r := s.get("/missing", fields...)
				content := string(r.Content)
				if c.encoding == "gzip" {
					content = unzipped(t, r.Content)
				}
				if r.Status != 404 || r.Cut || content != c.content {
					t.Errorf("answered %d, cut %v, %q", r.Status, r.Cut, brief(r.Content))
				}
				for name, want := range map[string]string{"Content-Encoding": c.encoding, "Vary": "Accept|Accept-Encoding",
					"Content-Type": "text/html; charset=utf-8", "Cache-Control": "", "Content-Disposition": "", "ETag": "", "Last-Modified": ""} {
					expectField(t, r, name, want)
				}
			})
		}
		expectFree(t, encoders)
	}
}

// expectFree fails the test unless all of one encoder is there again.
func expectFree(t *testing.T, encoders *coding.Encoders) {
	t.Helper()
	e, ok := encoders.Begin(coding.Gzip, io.Discard)
	if !ok {
		t.Fatal("the encoder was not given back")
	}
	e.Release()
}

func TestErrorPageThatChangesIsCut(t *testing.T) {
	for _, accept := range []string{"gzip", "identity"} {
		t.Run("as "+accept, func(t *testing.T) {
			s := paged(t)
			disk := restless{tree{s.root}, nil, once(pieceBytes, func() { s.rewrite("50x.html", strings.ToUpper(volume)) })}
			encoders := coding.NewEncoders(1)
			h := newHandler(refusing{disk, syscall.EIO}, Options{Log: s.log.logger(), Encoders: encoders}, s.now)
			if r := do(h, "GET", "/f", "Accept-Encoding", accept); r.Status != 500 || !r.Cut {
				t.Errorf("answered %d, cut %v", r.Status, r.Cut)
			}
			expectFree(t, encoders)
		})
	}
}

func TestApplicationIsCoded(t *testing.T) {
	s := paged(t).with(Options{SPA: "index.html", Encoders: coding.NewEncoders(1), Cache: NewCache(1 << 20),
		Rules: []Rule{{Glob: mustGlob(t, "*.html"), CacheControl: "max-age=60"}}})
	for range 2 { // from the disk, from memory
		r := s.get("/users/7", "Accept", "text/html", "Accept-Encoding", "gzip")
		if r.Status != 200 || unzipped(t, r.Content) != prose {
			t.Errorf("answered %d, %q", r.Status, brief(r.Content))
		}
		expectField(t, r, "Cache-Control", "no-cache")
		expectField(t, r, "Vary", "Accept, Sec-Fetch-Mode|Accept-Encoding")
		again := s.get("/users/7", "Accept", "text/html", "Accept-Encoding", "gzip", "If-None-Match", r.Get("ETag"))
		if again.Status != 304 {
			t.Errorf("answered %d", again.Status)
		}
		expectField(t, again, "Cache-Control", "no-cache")
	}
	t.Run("the rule holds for the page's own name", func(t *testing.T) {
		expectField(t, s.get("/index.html"), "Cache-Control", "max-age=60")
	})
	t.Run("who takes no form of it is told so", func(t *testing.T) {
		r := s.get("/users/7", "Accept", "text/html", "Accept-Encoding", "*;q=0")
		expect(t, r, 406, "406 Not Acceptable\n")
		expectField(t, r, "Vary", "Accept, Sec-Fetch-Mode|Accept-Encoding")
	})
}

func TestListingIsCoded(t *testing.T) {
	s := paged(t)
	encoders := coding.NewEncoders(1)
	s.Handler = New(s.root, Options{Browse: true, Encoders: encoders})
	plain := s.get("/bare/")
	expectField(t, plain, "Content-Encoding", "")
	expectField(t, plain, "Vary", "Accept|Accept-Encoding")
	r := s.get("/bare/", "Accept-Encoding", "br, gzip")
	expectField(t, r, "Content-Encoding", "gzip")
	if unzipped(t, r.Content) != string(plain.Content) {
		t.Errorf("%d bytes of %d", len(r.Content), len(plain.Content))
	}
	t.Run("HEAD has its fields", func(t *testing.T) {
		if head := s.do("HEAD", "/bare/", "Accept-Encoding", "br, gzip"); fmt.Sprint(head.Fields) != fmt.Sprint(r.Fields) {
			t.Errorf("%v, not %v", head.Fields, r.Fields)
		}
	})
	t.Run("JSON too", func(t *testing.T) {
		if r := s.get("/bare/", append(asJSON, "Accept-Encoding", "gzip")...); !strings.Contains(unzipped(t, r.Content), `"f"`) {
			t.Errorf("%d %q", r.Status, brief(r.Content))
		}
	})
	expectFree(t, encoders)
	t.Run("it goes out as it is while all encoders are busy", func(t *testing.T) {
		e, _ := encoders.Begin(coding.Gzip, io.Discard)
		defer e.Release()
		expect(t, s.get("/bare/", "Accept-Encoding", "gzip"), 200, string(plain.Content))
	})
}

// A condition is about what is missing, not about the page that says so (RFC 9110 §13.2.1).
func TestLargeErrorPageHasNoConditions(t *testing.T) {
	s := newSite(t, map[string]string{"404.html": volume}).with(Options{Encoders: coding.NewEncoders(1)})
	r := s.get("/missing", "Accept-Encoding", "gzip", "If-None-Match", "*")
	if r.Status != 404 || unzipped(t, r.Content) != volume {
		t.Errorf("answered %d, %d bytes", r.Status, len(r.Content))
	}
}
