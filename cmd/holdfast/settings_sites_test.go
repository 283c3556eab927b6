package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1/files"
)

// sitesFile is a configuration in whose text A and B stand for two directories that exist.
func sitesFile(t *testing.T, text string) string {
	t.Helper()
	a := site(t, map[string]string{"index.html": "a", "new/7.html": "seven", "app.html": "the app"})
	b := site(t, map[string]string{"index.html": "b"})
	return writeFile(t, "f.toml", strings.NewReplacer("ROOT_A", a, "ROOT_B", b).Replace(text))
}

const twoSites = `https = "127.0.0.1:0"
http = "127.0.0.1:0"
local-name = ["a.test"]

[[site]]
hosts = ["a.test", "münchen.test"]
root = "ROOT_A"
redirect-www = true

[[site.redirect]]
from = "/old/{id}"
to = "/new/{id}.html"
status = 301

[[site.redirect]]
from = "/elsewhere/{rest...}"
to = "https://b.test/{rest}"

[[site.rewrite]]
from = "/app/{rest...}"
to = "/app.html"

[[site]]
name = "second"
hosts = ["b.test", "*.b.test", "127.0.0.1"]
root = "ROOT_B"
hsts = "1h"
compress = false
etag = "content"
cache-control = ["*.css=no-store"]
`

func TestSites(t *testing.T) {
	file := sitesFile(t, twoSites)
	s := configured(t, testEnvironment(t), "--config", file)
	t.Run("each has its hosts, its root and its name", func(t *testing.T) {
		if len(s.Sites) != 2 {
			t.Fatalf("%d sites", len(s.Sites))
		}
		a, b := s.Sites[0], s.Sites[1]
		if fmt.Sprint(a.allHosts()) != "[a.test xn--mnchen-3ya.test www.a.test www.xn--mnchen-3ya.test]" || a.Name != "a.test" || a.HSTS != nil || !strings.HasSuffix(a.From, "f.toml:5") {
			t.Errorf("%v %+v", a.allHosts(), a)
		}
		if b.Name != "second" || b.HSTS == nil || b.HSTS.MaxAge != time.Hour || len(b.WWW) != 0 || len(s.roots()) != 2 || s.roots()[1] != b.Root {
			t.Errorf("%+v", b)
		}
	})
	t.Run("each serves files as it says, else as the server does", func(t *testing.T) {
		s := configured(t, testEnvironment(t), "--config", file, "--cache-control", "**=no-cache", "--precompressed", "off")
		a, b := s.Sites[0].Files, s.Sites[1].Files
		if !a.Compress || a.Precompressed || a.ETag != files.ETagByTime || !slices.Equal(ruleTexts(a.Caching), []string{"**: no-cache"}) {
			t.Errorf("%+v", a)
		}
		if b.Compress || b.Precompressed || b.ETag != files.ETagByContent || !slices.Equal(ruleTexts(b.Caching), []string{"*.css: no-store"}) {
			t.Errorf("%+v", b)
		}
	})
	t.Run("their hosts are on the local certificate, each once", func(t *testing.T) {
		want := []string{"a.test", "xn--mnchen-3ya.test", "www.a.test", "www.xn--mnchen-3ya.test", "b.test", "*.b.test", "127.0.0.1"}
		if !slices.Equal(s.LocalNames, want) {
			t.Errorf("%v, want %v", s.LocalNames, want)
		}
	})
	t.Run("inline tables are sites too", func(t *testing.T) {
		file := sitesFile(t, `site = [{hosts = ["a.test"], root = "ROOT_A", redirect = [{from = "/x", to = "/y"}]}]`)
		s := configured(t, testEnvironment(t), "--config", file)
		if len(s.Sites) != 1 || len(s.Sites[0].Named) != 1 || !strings.HasSuffix(s.Sites[0].From, "f.toml:1") {
			t.Errorf("%+v", s.Sites)
		}
	})
}

func TestSiteFaults(t *testing.T) {
	const whole = "[[site]]\nhosts = [\"a.test\"]\nroot = \"ROOT_A\"\n"
	for _, c := range []struct {
		clause, text string
		want         []string // each in a line of its own; LINE is the file and a line
	}{
		{"one table", "[site]\nhosts = [\"a.test\"]\n", []string{"site is no array of tables (LINE1); write [[site]]"}},
		{"no hosts and no root", "[[site]]\n", []string{"without hosts (LINE1)", "without a root (LINE1)"}},
		{"a list without hosts", "[[site]]\nhosts = []\nroot = \"ROOT_A\"\n", []string{`hosts "" is empty (LINE2)`}},
		{"names that are none", "[[site]]\nroot = \"ROOT_A\"\nhosts = [\"a b\", \"https://a.test\"]\n", []string{`"a b" is no host name (LINE3)`, `"https://a.test" is no host name (LINE3)`}},
		{"a host twice in one", "[[site]]\nhosts = [\"a.test\", \"A.test\"]\nroot = \"ROOT_A\"\n", []string{`"A.test" is there twice (LINE2)`}},
		{"a host in two", whole + whole, []string{`host "a.test" is in two sites (LINE1, `}},
		{"www of one in another", whole + "redirect-www = true\n[[site]]\nhosts = [\"www.a.test\"]\nroot = \"ROOT_B\"\n", []string{`host "www.a.test" is in two sites`}},
		{"a name twice", whole + "[[site]]\nname = \"a.test\"\nhosts = [\"b.test\"]\nroot = \"ROOT_B\"\n", []string{`name "a.test" is another site's too (LINE4)`}},
		{"www of nothing", "[[site]]\nhosts = [\"www.a.test\", \"*.a.test\", \"192.0.2.1\"]\nroot = \"ROOT_A\"\nredirect-www = true\n", []string{`redirect-www "on" has nowhere to lead to (LINE4)`}},
		{"a root that is not there", "[[site]]\nhosts = [\"a.test\"]\nroot = \"/nonexistent\"\n", []string{`"/nonexistent" (LINE3): there is none`}},
		{"a root beside sites", "root = \"ROOT_B\"\n" + whole, []string{"serves no host beside sites (LINE1)"}},
		{"keys and tables that are unknown", whole + "rot = 1\n[[site.rewrites]]\nfrom = \"/\"\n", []string{`unknown key "rot" in [[site]] (LINE4); did you mean root?`, `unknown table "[[site.rewrites]]" (LINE5); did you mean rewrite?`}},
		{"an unknown key of a rule", whole + "[[site.rewrite]]\nfrom = \"/a\"\nto = \"/b\"\nstatus = 301\n", []string{`unknown key "status" in [[site.rewrite]] (LINE7)`}},
		{"types that are wrong", "[[site]]\nhosts = \"a.test\"\nroot = 1\nhsts = \"long\"\n", []string{`root "1" has the wrong type (LINE3)`, `hsts "long" is no duration (LINE4)`}},
		{"ways to serve files that are wrong", whole + "etag = \"hash\"\ncompress = \"maybe\"\ncache-control = [\"x\"]\nattachment = \"\"\n", []string{`etag "hash" is none of`, `compress "maybe" is neither`, `cache-control "x" has no = (LINE6)`, `attachment "" is empty (LINE7)`}},
		{"a rule without either end", whole + "[[site.redirect]]\n", []string{"[[site.redirect]] without from (LINE4)", "[[site.redirect]] without to (LINE4)"}},
		{"a status that is none", whole + "[[site.redirect]]\nfrom = \"/a\"\nto = \"/b\"\nstatus = 200\n", []string{`status "200" is none of a redirect (LINE7)`}},
		{"a status of 0", whole + "[[site.redirect]]\nfrom = \"/a\"\nto = \"/b\"\nstatus = 0\n", []string{`status "0" is none of a redirect`}},
		{"a target that is none", whole + "[[site.redirect]]\nfrom = \"/a/{x}\"\nto = \"/b/{y}\"\n", []string{`to "/b/{y}" leads nowhere (LINE6)`}},
		{"two rules of which none is narrower", whole + "[[site.redirect]]\nfrom = \"/a/{x}\"\nto = \"/\"\n[[site.rewrite]]\nfrom = \"/{x}/b\"\nto = \"/\"\n", []string{`(registered at LINE7) conflicts with pattern "/a/{x}" (registered at LINE4): both match /a/b`}},
		{"a circle", whole + "[[site.redirect]]\nfrom = \"/a/{x...}\"\nto = \"/a/b/{x}\"\n", []string{"a client would go round for ever"}},
		{"a circle by way of a host of its own", whole + "[[site.redirect]]\nfrom = \"/abs/{x...}\"\nto = \"https://A.test/abs/{x}\"\n", []string{"(LINE4): a client would go round for ever"}},
	} {
		t.Run(c.clause, func(t *testing.T) {
			file := sitesFile(t, c.text)
			r := holdfast(t, testEnvironment(t), "serve", "--https", "127.0.0.1:0", "--config", file)
			if got := lines(r.err); r.exit != exitUsage && r.exit != exitCannotStart || len(got) != len(c.want) {
				t.Fatalf("exit %d, faults\n%s", r.exit, r.err)
			}
			for _, want := range c.want {
				if want = strings.ReplaceAll(want, "LINE", file+":"); !strings.Contains(r.err, want) {
					t.Errorf("no %q in\n%s", want, r.err)
				}
			}
		})
	}
}

func TestPositions(t *testing.T) {
	p := locate("f", []byte("a = 1 # x\n\n[[site]]\nhosts = [\n \"a\",\n]\nroot = '''\nx\n'''\n[[site.redirect]]\nfrom = 1\n[[site.redirect]]\nto = 2\n[[site]]\n[site.inner]\nx.y = 1\n[[site.redirect]]\n"))
	for path, want := range map[string]string{
		"a": "f:1", "site[0]": "f:3", "site[0].hosts": "f:4", "site[0].root": "f:7", "site[0].redirect[0].from": "f:11",
		"site[0].redirect[1].to": "f:13", "site[1]": "f:14", "site[1].inner.x.y": "f:16", "site[1].redirect[0]": "f:17",
		"site[1].nothing[3].here": "f:14", "nowhere": "f",
	} {
		if got := p.from(path); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	file := sitesFile(t, twoSites)
	a := configured(t, testEnvironment(t), "--config", file).Sites[0].Root
	for _, c := range []struct{ clause, url, want string }{
		{"a file", "https://a.test", "200 file " + a + "/index.html site a.test (LINE5)"},
		{"no file", "https://a.test/nothing%20here?x", "404 no file " + a + "/nothing here site a.test (LINE5)"},
		{"a redirect", "https://A.test:8443/old/7?x", "301 to /new/7.html?x site a.test, redirect /old/{id} (LINE10)"},
		{"a redirect to another site", "https://a.test/elsewhere/x/y", "308 to https://b.test/x/y site a.test, redirect /elsewhere/{rest...} (LINE15)"},
		{"a rewrite", "https://a.test/app/x", "200 file " + a + "/app.html site a.test, rewrite /app/{rest...} (LINE19)"},
		{"www", "https://www.a.test/x?y", "308 to https://a.test/x?y site a.test (LINE5)"},
		{"plain HTTP", "http://a.test/old/7", "308 to https://a.test/old/7"},
		{"a host that no site has", "http://c.test/", "421 no site has this host"},
		{"a fragment never gets to a server", "https://b.test/#x", "200 file"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			r := holdfast(t, testEnvironment(t), "check", "--config", file, c.url)
			got := strings.Join(strings.Fields(strings.TrimPrefix(r.out, c.url)), " ")
			if want := strings.ReplaceAll(c.want, "LINE", file+":"); r.exit != 0 || !strings.HasPrefix(got, want) {
				t.Errorf("exit %d: %s%s\nwant %s", r.exit, r.out, r.err, want)
			}
		})
	}
	t.Run("without sites it is ROOT that answers", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "check", a, "https://whatever.test/new/7.html", "http://whatever.test/")
		if !strings.Contains(r.out, "200  file "+a+"/new/7.html") || !strings.Contains(r.out, "nothing listens for http") || r.exit != 0 {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("what is no URL is told, and the others are printed", func(t *testing.T) {
		r := holdfast(t, testEnvironment(t), "check", "--config", file, "https://a.test/", "https:///x", "https://a.test/a b")
		if r.exit != exitUsage || len(lines(r.err)) != 2 || len(lines(r.out)) != 1 {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("a faulty configuration is told first", func(t *testing.T) {
		if r := holdfast(t, testEnvironment(t), "check", "--config", sitesFile(t, "[[site]]\n"), "https://a.test/"); r.exit != exitUsage || r.out != "" {
			t.Errorf("exit %d\n%s", r.exit, r.out)
		}
	})
	t.Run("it leaves nothing behind", func(t *testing.T) {
		env := testEnvironment(t)
		holdfast(t, env, "check", "--config", file, "https://a.test/")
		if left, err := os.ReadDir(env.get("HOME")); err != nil || len(left) > 0 {
			t.Errorf("%v %v", left, err)
		}
	})
}
