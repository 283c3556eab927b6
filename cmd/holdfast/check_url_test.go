package main

import (
	"os"
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	file := sitesFile(t, twoSites)
	a := configured(t, testEnvironment(t), "--config", file).Sites[0].Root
	if err := os.Symlink("/etc/hosts", a+"/out"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ clause, url, want string }{
		{"a file", "https://a.test", "200 file " + a + "/index.html site a.test (LINE5)"},
		{"no file", "https://a.test/nothing%20here?x", "404 no file " + a + "/nothing here site a.test (LINE5)"},
		{"a redirect", "https://A.test:8443/old/7?x", "301 to /new/7.html?x site a.test, redirect /old/{id} (LINE10)"},
		{"a redirect to another site", "https://a.test/elsewhere/x/y", "308 to https://b.test/x/y site a.test, redirect /elsewhere/{rest...} (LINE15)"},
		{"a rewrite", "https://a.test/app/x", "200 file " + a + "/app.html site a.test, rewrite /app/{rest...} (LINE19)"},
		{"www", "https://www.a.test/x?y", "308 to https://a.test/x?y site a.test (LINE5)"},
		{"plain HTTP", "http://a.test/old/7", "308 to https://a.test/old/7"},
		{"a host that no site has", "http://c.test/", "421 no site has this host"},
		{"a host of a site that has no name on a certificate", "https://x.any.test/", "421 no site has this host (no certificate has this host: the handshake ends with unrecognized_name)"},
		{"a scheme in capitals", "HTTPS://a.test/", "200 file"},
		{"a dotfile", "https://a.test/.env", "404 nothing: names that begin with a dot are not served site a.test"},
		{"a path that is not clean", "https://a.test/new//7.html", "404 nothing: the path is not clean site a.test"},
		{"a link out of the root", "https://a.test/out", "404 not file " + a + "/out: a link on the way leads out of the root, or is absolute site a.test"},
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
		r := holdfast(t, testEnvironment(t), "check", "--config", file, "https://a.test/", "https:///x", "https://a.test/a b", `https://a.test/a"b`, "https://a.test:99999/", "https://a.test:0/", "https://a.test/%zz")
		if r.exit != exitUsage || len(lines(r.err)) != 6 || len(lines(r.out)) != 1 {
			t.Errorf("exit %d\n%s%s", r.exit, r.out, r.err)
		}
	})
	t.Run("warnings are told too", func(t *testing.T) {
		file := sitesFile(t, "https = \"127.0.0.1:0\"\n[[site]]\nhosts = [\"*\"]\nroot = \"ROOT_A\"\n")
		r := holdfast(t, testEnvironment(t), "check", "--config", file, "https://other.test/")
		if r.exit != 0 || !strings.Contains(r.err, "warning: over TLS host") || !strings.Contains(r.out, "unrecognized_name") {
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
