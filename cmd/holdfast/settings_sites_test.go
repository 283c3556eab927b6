package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/secure"
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

func TestSitesAreCounted(t *testing.T) {
	one := "[[site]]\nhosts = [\"a.test\"]\nroot = \"ROOT_A\"\n"
	for text, want := range map[string]string{one: "1 site: a.test", one + "[[site]]\nhosts = [\"b.test\", \"c.test\"]\nroot = \"ROOT_B\"\n": "2 sites: a.test, b.test, c.test"} {
		if got := configured(t, testEnvironment(t), "--config", sitesFile(t, text)).serves(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

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

func TestSiteResponseFields(t *testing.T) {
	const of = "\nhttp = \"127.0.0.1:0\"\n[[site]]\nhosts = [\"a.org\"]\nroot = \"ROOT_A\"\n"
	for _, c := range []struct{ clause, server, site, hsts, nosniff string }{
		{"the server's", "hsts = \"1h\"", "", "max-age=3600", "nosniff"},
		{"none of the server's", "hsts = \"1h\"", "hsts = \"off\"", "", "nosniff"},
		{"another than the server's", "hsts = \"1h\"", "hsts = \"2h\"", "max-age=7200", "nosniff"},
		{"where the server has none", "security-headers = false", "hsts = \"2h\"\nsecurity-headers = true", "max-age=7200", "nosniff"},
		{"no field at all", "hsts = \"1h\"", "hsts = \"off\"\nsecurity-headers = \"off\"", "", ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			s := configured(t, testEnvironment(t), "--config", sitesFile(t, c.server+of+c.site))
			all, _ := s.handler([]http1.Handler{http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.SetStatus(204) })})
			r := http1test.Do(secure.Headers(all, s.responseFields()), http1test.Request{Authority: "a.org", Secure: true})
			opener := map[string]string{"nosniff": "same-origin-allow-popups"}[c.nosniff]
			if r.Get("Strict-Transport-Security") != c.hsts || r.Get("X-Content-Type-Options") != c.nosniff || r.Get("Cross-Origin-Opener-Policy") != opener {
				t.Errorf("%v", r.Fields)
			}
		})
	}
}

func TestSiteFaults(t *testing.T) {
	t.Parallel()
	const whole = "[[site]]\nhosts = [\"a.test\"]\nroot = \"ROOT_A\"\n"
	for _, c := range []struct {
		clause, text string
		want         []string // each in a line of its own; LINE is the file and a line
	}{
		{"one table", "[site]\nhosts = [\"a.test\"]\n", []string{"site is no array of tables (LINE1); write [[site]]"}},
		{"sites in the plural", "[[sites]]\nhosts = [\"a.test\"]\n", []string{"unknown table \"[sites]\" (LINE1); write [[site]]"}},
		{"one rule's table", whole + "[site.rewrite]\nfrom = \"/a\"\nto = \"/b\"\n", []string{"\"[site.rewrite]\" is no array of tables (LINE4); write [[site.rewrite]]"}},
		{"a name that is none", whole + "name = \"a b\"\n", []string{`name "a b" is no name for a site (LINE4)`}},
		{"a name of more lines", whole + "name = \"a\\nb\"\n", []string{`is no name for a site (LINE4)`}},
		{"a name of ours", whole + "name = \"files\"\n", []string{`name "files" is a route of the server's own (LINE4)`}},
		{"an address in brackets", "[[site]]\nroot = \"ROOT_A\"\nhosts = [\"[::2]\"]\n", []string{`"[::2]" is no host name (LINE3)`}},
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

func TestStarInAPattern(t *testing.T) {
	file := sitesFile(t, "http = \"127.0.0.1:0\"\n[[site]]\nhosts = [\"a.test\"]\nroot = \"ROOT_A\"\n[[site.redirect]]\nfrom = \"/q9/*\"\nto = \"/\"\n")
	s := configured(t, testEnvironment(t), "--config", file)
	if len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0].line(), `from "/q9/*" takes a star for itself (`+file+":6)") {
		t.Errorf("%v", s.Warnings)
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
