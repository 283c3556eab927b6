package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	root := site(t, map[string]string{"index.html": "home", "app/page.html": "app", "dir/file.txt": "x"})
	t.Run("nothing is listed and no page falls back unless that is asked for", func(t *testing.T) {
		if s := configured(t, testEnvironment(t), root); s.Pages != (pageSettings{ErrorPages: true}) {
			t.Errorf("%+v", s.Pages)
		}
	})
	t.Run("flags say so", func(t *testing.T) {
		s := configured(t, testEnvironment(t), root, "--browse", "on", "--spa", "/app/page.html", "--error-pages", "off")
		if want := (pageSettings{Browse: true, SPA: "app/page.html"}); s.Pages != want {
			t.Errorf("%+v, want %+v", s.Pages, want)
		}
		if o := s.fileOptions(0, nil); !o.Browse || o.SPA != "app/page.html" || !o.PlainErrors {
			t.Errorf("%+v", o)
		}
	})
	t.Run("a site has the server's, and its own before them", func(t *testing.T) {
		file := sitesFile(t, "browse = true\nspa = \"index.html\"\n[[site]]\nhosts = [\"a.test\"]\nroot = \"ROOT_A\"\n"+
			"[[site]]\nhosts = [\"b.test\"]\nroot = \"ROOT_B\"\nbrowse = false\nspa = \"off\"\nerror-pages = false\n")
		s := configured(t, testEnvironment(t), "--config", file)
		if s.pagesOf(0) != (pageSettings{Browse: true, SPA: "index.html", ErrorPages: true}) || s.pagesOf(1) != (pageSettings{}) {
			t.Errorf("%+v %+v", s.pagesOf(0), s.pagesOf(1))
		}
	})
}

func TestPageFaults(t *testing.T) {
	root := site(t, map[string]string{"index.html": "home", "dir/file.txt": "x"})
	const whole = "[[site]]\nhosts = [\"a.test\"]\nroot = \"ROOT_A\"\n"
	for _, c := range []struct {
		clause, flag, value, want string
	}{
		{"a toggle that is none", "--browse", "yes", `browse "yes" is neither on nor off (--browse)`},
		{"a page above the root", "--spa", "../index.html", `spa "../index.html" is no file below the root (--spa)`},
		{"a dotfile", "--spa", "dir/.page", `spa "dir/.page" is no file below the root (--spa)`},
		{"an empty one", "--spa", "", `spa "" is empty (--spa)`},
		{"one that is not there", "--spa", "indx.html", `spa "indx.html" is not in `},
		{"a directory", "--spa", "dir", `spa "dir" is no file (--spa)`},
		{"error pages that are named", "--error-pages", "404.html", `error-pages "404.html" is neither on nor off (--error-pages)`},
	} {
		t.Run(c.clause, func(t *testing.T) {
			expectOneFault(t, c.want, root, c.flag, c.value)
		})
	}
	for _, c := range []struct{ clause, text, want string }{
		{"a site's page that is not there", whole + "spa = \"gone.html\"\n", `spa "gone.html" is not in `},
		{"the server's that a site has not", "spa = \"app.html\"\n[[site]]\nhosts = [\"b.test\"]\nroot = \"ROOT_B\"\n", `f.toml:2)`},
		{"a list for one page", whole + "spa = [\"a\"]\n", `spa "a" has the wrong type (`},
		{"an empty list for a toggle", whole + "browse = []\n", `browse "" has the wrong type (`},
	} {
		t.Run(c.clause, func(t *testing.T) { expectOneFault(t, c.want, "--config", sitesFile(t, c.text)) })
	}
}

func expectOneFault(t *testing.T, want string, args ...string) {
	t.Helper()
	r := holdfast(t, testEnvironment(t), append([]string{"serve", "--https", "127.0.0.1:0"}, args...)...)
	if r.exit != exitUsage || len(lines(r.err)) != 1 || !strings.Contains(r.err, want) {
		t.Errorf("exit %d, want one fault with %q:\n%s", r.exit, want, r.err)
	}
}

func TestCheckURLOfPages(t *testing.T) {
	root := site(t, map[string]string{"index.html": "home", "dir/file.txt": "x"})
	for _, c := range []struct{ clause, path, want string }{
		{"a listing", "/dir/", "200  listing of " + filepath.Join(root, "dir") + "/"},
		{"an index before it", "/", "200  file " + root + "/index.html"},
		{"the application's page", "/users/7", "200  file " + root + "/index.html (spa)"},
		{"a file that is missing", "/app.js", "404  no file " + root + "/app.js"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), "check", root, "--browse", "on", "--spa", "index.html", "https://a.test"+c.path)
			if r.exit != exitOK || !strings.Contains(r.out, c.want) {
				t.Errorf("exit %d, want %q:\n%s%s", r.exit, c.want, r.out, r.err)
			}
		})
	}
	t.Run("only what is there is said to be", func(t *testing.T) {
		if err := os.Remove(filepath.Join(root, "dir", "file.txt")); err != nil {
			t.Fatal(err)
		}
		r := holdfast(t, testEnvironment(t), "check", root, "https://a.test/dir/")
		if !strings.Contains(r.out, "404  no file") {
			t.Errorf("%s", r.out)
		}
	})
}
