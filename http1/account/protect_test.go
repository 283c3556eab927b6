package account

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func mustProtect(t testing.TB, globs ...string) protection {
	t.Helper()
	p, err := newProtection(globs)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProtection(t *testing.T) {
	p := mustProtect(t, "/members/**", "/reports/*.pdf", "/secret/index.html", "/*/private/**", "/Übung/**", "/own/", "/e*.txt", "/semi;colon/**", "/deep/**/inner/**")
	for name, path := range map[string]string{
		"a page below":                              "/members/page.html",
		"far below":                                 "/members/a/b/c",
		"the directory":                             "/members/",
		"the directory without its slash":           "/members",
		"an escaped letter":                         "/%6dembers/page",
		"an escaped slash":                          "/members%2Fpage",
		"a slash twice before":                      "//members/page",
		"a slash twice within":                      "/members//page",
		"a dot before":                              "/./members/page",
		"an escaped dot":                            "/%2e/members/page",
		"up and down again":                         "/public/../members/page",
		"the same with escapes":                     "/public/%2e%2E/members/page",
		"a backslash":                               "/members\\page",
		"an escaped backslash":                      "/public%5C..%5Cmembers/page",
		"another case, for a disk that ignores it":  "/MEMBERS/page",
		"another case by escapes":                   "/%4dembers/page",
		"a long s, which folds to s":                "/member%C5%BF/page",
		"a parameter, which some applications drop": "/members;v=1/page",
		"down and up, which begins below":           "/members/../public",
		"a broken escape below":                     "/members/%zz",
		"a file by a glob":                          "/reports/year.pdf",
		"that in another case":                      "/reports/YEAR.PDF",
		"its compressed sibling":                    "/reports/year.pdf.gz",
		"that of another coding":                    "/reports/year.pdf.br",
		"a directory whose index it is":             "/secret/",
		"a wildcard before a tree":                  "/ann/private/x",
		"the tree's directory":                      "/ann/private",
		"other letters as escapes":                  "/%C3%BCbung/x",
		"a letter and its accent apart":             "/u%CC%88bung/x",
		"a semicolon that is the name's own":        "//semi;colon/x",
		"a tree in a tree":                          "/deep/a/b/inner/x",
		"a tree in a tree, at no depth":             "/deep/inner/x",
		"its directory there":                       "/deep/inner",
		"a glob that ends in a slash":               "/own/x/y",
		"a glob's letter with an accent apart":      "/e%CC%81.txt",
		"its directory":                             "/own",
	} {
		t.Run("protected: "+name, func(t *testing.T) {
			if !p.covers(path) {
				t.Errorf("%s passes", path)
			}
		})
	}
	for name, path := range map[string]string{
		"the root":                          "/",
		"another directory":                 "/public/page",
		"one that begins alike":             "/members-only/page",
		"one of that name elsewhere":        "/public/members/page",
		"what is beside a tree in a tree":   "/deep/a/x",
		"a glob's directory":                "/reports/",
		"another file there":                "/reports/year.html",
		"a wildcard does not cross a slash": "/reports/old/year.pdf",
		"a name with two dots":              "/public/..members",
		"the server as a whole":             "*",
		"nothing":                           "",
		"an escape twice, decoded once":     "/%256dembers/page",
		"a wildcard is one part":            "/a/b/private/x",
		"up beyond a public directory":      "/public/x/../page",
		"a private page that is no tree's":  "/private/x",
	} {
		t.Run("public: "+name, func(t *testing.T) {
			if p.covers(path) {
				t.Errorf("%s is protected", path)
			}
		})
	}
	t.Run("the whole site", func(t *testing.T) {
		all := mustProtect(t, "/**")
		for _, path := range []string{"/", "/a", "/a/b", "//"} {
			if !all.covers(path) {
				t.Errorf("%s passes", path)
			}
		}
	})
	t.Run("a glob that a directory matches is for all below it", func(t *testing.T) {
		for _, glob := range []string{"/members", "/m*", "/m?mbers", "/*"} {
			p := mustProtect(t, glob)
			for _, path := range []string{"/members", "/members/", "/members/index.html", "/members/a/b.txt", "/MEMBERS/x", "//members/x", "/members%2Fx", "/x/../members/y", "/members.gz"} {
				if !p.covers(path) {
					t.Errorf("%s: %s passes", glob, path)
				}
			}
			if glob != "/*" && (p.covers("/") || p.covers("/public/members")) {
				t.Errorf("%s protects too much", glob)
			}
		}
	})
	t.Run("no globs protect nothing", func(t *testing.T) {
		if none := mustProtect(t); none.covers("/members/") {
			t.Error("/members/ is protected")
		}
	})
	for _, glob := range []string{"", "/", "members/**", "*.pdf", "//members/**", "/a{hash}", "/a/**/b/**/c", "/mem%62ers/**", `/a\b`, "/" + strings.Repeat("a", 2000)} {
		t.Run("refused: "+glob[:min(len(glob), 20)], func(t *testing.T) {
			if _, err := newProtection([]string{glob}); err == nil {
				t.Error("taken")
			}
		})
	}
}

const secretText = "for members alone"

// guardedSite is a directory with public and protected files, as http1/files serves it.
func guardedSite(t testing.TB) http1.Handler {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"index.html": "public", "a/index.html": "public", "members/index.html": secretText, "members/a/b.txt": secretText,
		"members/\u00fc;x.txt": secretText, "a/b/year.pdf": secretText, "a/b/year.pdf.gz": secretText, "a/b/year.txt": "public",
		"a/members/x.txt": "public", "hidden/index.html": secretText,
		"room/index.html": secretText, "room/a/b.txt": secretText,
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return files.New(root, files.Options{Precompressed: true, Browse: true})
}

// FuzzNoWayAround asks http1/files for whatever path: what it serves of the protected files,
// it serves behind the protection.
func FuzzNoWayAround(f *testing.F) {
	for _, path := range []string{"/", "/members/", "/members", "/%6Dembers/a/b.txt", "//members/", "/members/%2e/a", "/members/%C3%BC%3Bx.txt", "/a/../members/",
		"/a/b/year.pdf", "/a/b/year.pdf.gz", "/a/b/%79ear.pdf", "/a/b/", "/hidden/", "/hidden/index.html", "/hidden%2findex.html", "/MEMBERS/", "/members;/", "/members%00/", "/room/index.html", "/room/a/b.txt"} {
		f.Add(path)
	}
	site := guardedSite(f)
	p := mustProtect(f, "/members/**", "/a/b/*.pdf", "/hidden/index.html", "/roo*")
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") || !visible(path) || strings.ContainsAny(path, "?#") || len(path) > 4096 {
			t.Skip("not the path of a request: the parser refuses it, or it has a query")
		}
		for _, accepts := range []string{"identity", "gzip"} {
			res := http1test.Do(site, http1test.Request{Target: path, Fields: []string{"Accept-Encoding", accepts}})
			if strings.Contains(string(res.Content), secretText) && !p.covers(path) {
				t.Errorf("%s is served and not protected", path)
			}
		}
	})
}

// What is asked for every request of a site.
func BenchmarkProtectionOfAPublicPath(b *testing.B) {
	p := mustProtect(b, "/members/**", "/reports/**")
	b.ReportAllocs()
	for b.Loop() {
		if p.covers("/assets/app.4f3a2b1c.js") {
			b.Fatal("protected")
		}
	}
}
