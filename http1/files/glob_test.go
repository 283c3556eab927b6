package files

import (
	"errors"
	"path"
	"strings"
	"testing"
)

func glob(t testing.TB, text string) Glob {
	t.Helper()
	g, err := ParseGlob(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return g
}

func TestGlob(t *testing.T) {
	for _, c := range []struct{ pattern, yes, no string }{
		{"*.css", "a.css .css dir/a.css a.b.css", "a.css.gz acss a.CSS css"},
		{"a?.txt", "ab.txt dir/a1.txt", "a.txt abc.txt a/.txt"},
		{"index.html", "index.html dir/index.html", "xindex.html index.htmlx"},
		{"/index.html", "index.html", "dir/index.html"},
		{"assets/*", "assets/a assets/a.b", "assets assets/a/b x/assets/a"},
		{"assets/**", "assets/a assets/a/b/c", "assets x/assets/a"},
		{"**/old/*", "a/old/b a/b/old/c", "old/b a/old/b/c"},
		{"**", "a a/b/c", ""},
		{"*a*b*", "ab xaxbx aabb dir/ab", "ba a b"},
		{"*.{hash}.js", "app.3f2a9c1b.js a.b.abcdefa1.js app.3F2A9C1B.js app.4f7kq2zx.js", "app.3f2a9c1.js app.bundlexyz.js app.20240101.js app.js report.3f2a 9c1b.js app.bundlexy12.js"},
		{"*-{hash}.*", "index-BxY12abc.js index-DiwrgTda.js chunk-ABCDEFGH.js chunk-7QZKM3XA.js index-a_B-c_d-1.css x-y-BxY12abc.js index-Bx-Y_abc.js", "report-customer42.js index-2024-01-01.pdf page-two-2.js report-Customer.js report-customer.js report-CUSTOMERS.js report-customerPortal.js"},
		{"{hash}", "0a1b2c3d", "0a1b2c3 0a1b2c3d.js"},
	} {
		g := glob(t, c.pattern)
		if g.String() != c.pattern {
			t.Errorf("%q says %q", c.pattern, g)
		}
		for name := range strings.FieldsSeq(c.yes) {
			if !g.Match(name) {
				t.Errorf("%q is not for %q", c.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(c.no) {
			if g.Match(name) {
				t.Errorf("%q is for %q", c.pattern, name)
			}
		}
	}
	t.Run("a hash has at most 64 characters", func(t *testing.T) {
		g := glob(t, "{hash}")
		if long := strings.Repeat("a1", 32); !g.Match(long) || g.Match(long+"x") {
			t.Error("the bound is not 64")
		}
	})
	for text, want := range map[string]error{
		"": ErrGlobEmpty, "/": ErrGlobEmpty, strings.Repeat("x", globBytes+1): ErrGlobLong, "{a,b}": ErrGlobBrace, "a}": ErrGlobBrace, "{hash": ErrGlobBrace,
	} {
		t.Run("no glob is "+brief([]byte(text)), func(t *testing.T) {
			if _, err := ParseGlob(text); !errors.Is(err, want) {
				t.Errorf("%q: %v", text, err)
			}
		})
	}
}

// FuzzGlob compares with path.Match where both mean the same.
func FuzzGlob(f *testing.F) {
	f.Add("*.css", "a.css")
	f.Add("a*b?c", "axxbyc")
	f.Add("**/{hash}", "a/0a1b2c3d")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		g, err := ParseGlob(pattern)
		if err != nil || len(name) > 1000 {
			return
		}
		got := g.Match(name)
		if strings.ContainsAny(pattern, `[]\/{`) || strings.Contains(pattern, "**") || strings.ContainsFunc(pattern+name, func(r rune) bool { return r > 127 }) {
			return
		}
		if want, err := path.Match(pattern, path.Base("x/"+name)); err == nil && !strings.HasSuffix(name, "/") && name != "" && got != want {
			t.Fatalf("%q, %q: %v", pattern, name, got)
		}
	})
}

func TestRules(t *testing.T) {
	s := newSite(t, map[string]string{"app.0a1b2c3d.js": prose, "app.0a1b2c3d.js.br": "brotli", "index.html": "home", "paper.pdf": "pdf", "d/x.css": "css", "404.html": "gone"})
	s = s.with(Options{Precompressed: true, Cache: NewCache(1 << 20), Rules: []Rule{
		{Glob: glob(t, "*.{hash}.*"), CacheControl: Immutable},
		{Glob: glob(t, "*.pdf"), Attachment: true},
		{Glob: glob(t, "d/**"), CacheControl: "no-store"},
		{Glob: glob(t, "**"), CacheControl: "no-cache"},
	}})
	for target, want := range map[string]string{"/app.0a1b2c3d.js": Immutable, "/": "no-cache", "/paper.pdf": "no-cache", "/d/x.css": "no-store", "/missing": ""} {
		t.Run("the first that is for it speaks, "+target, func(t *testing.T) {
			r := s.get(target)
			expectField(t, r, "Cache-Control", want)
			if r.Status == 200 {
				expectField(t, s.get(target, "If-None-Match", "*"), "Cache-Control", want)
			}
		})
	}
	t.Run("an encoded form has its file's", func(t *testing.T) {
		r := s.get("/app.0a1b2c3d.js", "Accept-Encoding", "br")
		expect(t, r, 200, "brotli")
		expectField(t, r, "Cache-Control", Immutable)
	})
	t.Run("one for each field", func(t *testing.T) {
		expectField(t, s.get("/paper.pdf"), "Content-Disposition", `attachment; filename="paper.pdf"`)
		expectField(t, s.get("/"), "Content-Disposition", "")
	})
}

// A rule that keeps browsers from running a file is not passed by in another case.
func TestAttachmentInAnyCase(t *testing.T) {
	s := newSite(t, map[string]string{"UP.HTML": "x", "d/Über \"1\".Html": "x", "\xff.html": "x", "A.CSS": "x"})
	s = s.with(Options{Rules: []Rule{{Glob: glob(t, "*.html"), Attachment: true}, {Glob: glob(t, "*.css"), CacheControl: "no-cache"}}})
	for target, want := range map[string]string{
		"/UP.HTML":                    `attachment; filename="UP.HTML"`,
		"/d/%C3%9Cber%20%221%22.Html": `attachment; filename="_ber _1_.Html"; filename*=UTF-8''%C3%9Cber%20%221%22.Html`,
		"/%FF.html":                   `attachment; filename="_.html"`,
		"/A.CSS":                      "",
	} {
		r := s.get(target)
		expect(t, r, 200, "x")
		expectField(t, r, "Content-Disposition", want)
		expectField(t, r, "Cache-Control", "") // whose globs match letters as they are
	}
}
