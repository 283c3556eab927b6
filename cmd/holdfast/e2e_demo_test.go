package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// launchDemo starts holdfast demo, as launch does serve.
func launchDemo(t testing.TB, flags ...string) *server {
	t.Helper()
	return spawnAs(t, "demo", "", flags...).listen()
}

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	s := launchDemo(t, "--https", "127.0.0.1:0", "--http", "127.0.0.1:0")
	c := client(t, s.trust())
	t.Run("it serves its site and lists the hold", func(t *testing.T) {
		for path, want := range map[string]string{"/": "It holds.", "/hold/": "cargo.csv", "/adrift": "Nothing is moored here."} {
			if _, body, err := fetch(c, s.url(path)); err != nil || !strings.Contains(string(body), want) {
				t.Errorf("%s: %.200s, %v", path, body, err)
			}
		}
	})
	t.Run("its page and its listing are compressed", func(t *testing.T) {
		for _, path := range []string{"/", "/hold/"} { // the client asks for gzip by itself
			if r, _, err := fetch(c, s.url(path)); err != nil || !r.Uncompressed {
				t.Errorf("%s came as it is, %v", path, err)
			}
		}
	})
	t.Run("its cabin is for members, and everybody can be one", func(t *testing.T) {
		v := newVisitor(t, s)
		if r := v.get("/members/"); r.status != 303 || r.location != "/-/sign-in?next=%2Fmembers%2F" {
			t.Errorf("%d to %q", r.status, r.location)
		}
		v.signUp("ann")
		if r := v.get("/members/"); r.status != 200 || !strings.Contains(r.content, "Below deck.") || r.header.Get("RateLimit-Policy") != `"members";q=60;w=60` {
			t.Errorf("%d %s, %v", r.status, r.content, r.header)
		}
		if r := v.get("/_holdfast/style.css"); r.status != 404 {
			t.Errorf("what the server has for itself: %d", r.status)
		}
	})
	s.stop()
	t.Run("its members are nowhere once it has ended", func(t *testing.T) {
		if _, err := os.Stat(sqliteBelow(s.state).path); err == nil {
			t.Error("they are in the state directory")
		}
	})
	t.Run("it takes no directory, no sites and no members", func(t *testing.T) {
		file := sitesFile(t, "[[site]]\nhosts = [\"a.test\"]\nroot = \"ROOT_A\"\n[accounts]\nprotect = [\"/a\"]\n")
		r := holdfast(t, testEnvironment(t), "demo", t.TempDir(), "--config", file, "--https", "127.0.0.1:0")
		if r.exit != exitUsage || !strings.Contains(r.err, "is not served by the demo") || !strings.Contains(r.err, "the demo serves no sites") || !strings.Contains(r.err, "the demo has members of its own") {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
	t.Run("the page of an application is one of its own files", func(t *testing.T) {
		if s := holdfast(t, testEnvironment(t), "demo", "--spa", "index.html").settings; s == nil || s.Pages.SPA != "index.html" {
			t.Errorf("%+v", s)
		}
		if r := holdfast(t, testEnvironment(t), "demo", "--spa", "app.html"); r.exit != exitUsage || !strings.Contains(r.err, "is not in the demo's site") {
			t.Errorf("exit %d\n%s", r.exit, r.err)
		}
	})
	t.Run("listings can be turned off", func(t *testing.T) {
		if s := holdfast(t, testEnvironment(t), "demo", "--browse", "off").settings; s == nil || s.Pages.Browse || !s.Demo {
			t.Errorf("%+v", s)
		}
	})
}

func TestDemoCleansUp(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	h := &house{}
	if faults := h.openRoots(&settings{Demo: true}); len(faults) > 0 || len(h.roots) != 1 {
		t.Fatalf("%v", faults)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	h.close()
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	t.Setenv("TMPDIR", filepath.Join(tmp, "missing"))
	if faults := new(house).openRoots(&settings{Demo: true}); len(faults) != 1 || !strings.Contains(faults[0].Mend, "TMPDIR") {
		t.Errorf("%v", faults)
	}
}

func TestBrowserDemo(t *testing.T) {
	t.Parallel()
	chromium := program(t, "chromium", "chromium")
	s := launchDemo(t, "--drain-delay", "2s")
	browser := openBrowser(t, chromium, s.caFile())
	visit(t, browser, desk(), scheme("light"), chromedp.Navigate(s.url("/")))

	t.Run("the events arrive", func(t *testing.T) {
		visit(t, browser, becomes("document.querySelector('#stream').dataset.state === 'live' && document.querySelector('#watching').innerText === '1'"),
			becomes("document.querySelector('#banner').hidden"))
		screenshot(t, browser, "demo-light")
	})
	t.Run("the WebSocket echoes", func(t *testing.T) {
		visit(t, browser, chromedp.SendKeys("#message", "Is anybody there?"), chromedp.Click("#call button"),
			becomes("document.querySelector('#echoes .theirs')?.innerText === 'Is anybody there?'"))
	})
	t.Run("the listing is one click away", func(t *testing.T) {
		follow(t, browser, chromedp.Click("#hold"), 200)
		visit(t, browser, becomes("location.pathname === '/hold/' && document.querySelectorAll('tbody tr').length === 5"))
		follow(t, browser, chromedp.Click(chromedp.CSS("tbody .d a")), 200)
		visit(t, browser, becomes("location.pathname === '/hold/knots/' && document.querySelector('h1').innerText.includes('knots')"))
		screenshot(t, browser, "demo-hold")
	})
	t.Run("the cabin is behind a sign-up in the demo's own look", func(t *testing.T) {
		p := &passenger{t, browser, s}
		p.goes("/", 200, "/")
		follow(t, browser, chromedp.Click("#cabin"), 200)
		p.isAt("/-/sign-in")
		p.sees("getComputedStyle(document.body).backgroundColor === 'rgb(244, 241, 234)'")
		p.pictures("demo-members-sign-in", "label", "button", "main a")
		p.signsIn("sign-up", "Ann", annsPassword, 200)
		p.isAt("/members/")
		p.sees("document.querySelector('h1').innerText === 'Below deck.'")
		p.pictures("demo-members", ".lead", ".rooms p", ".rooms a")
		follow(t, browser, chromedp.Click("#account"), 200)
		p.sees("document.querySelector('dl').innerText.includes('of 60')")
		p.pictures("demo-members-account", "button", "dt", "small", "main a")
		p.goes("/", 200, "/")
	})
	t.Run("a phone has room for it, light and dark", func(t *testing.T) {
		visit(t, browser, phone(), chromedp.Navigate(s.url("/")), becomes("document.documentElement.scrollWidth <= innerWidth && innerWidth === 390"))
		screenshot(t, browser, "demo-phone")
		visit(t, browser, desk(), scheme("dark"), becomes("getComputedStyle(document.documentElement).backgroundColor === 'rgb(15, 28, 35)'"))
		screenshot(t, browser, "demo-dark")
	})
	t.Run("a drain is announced on the page, and says goodbye to the WebSocket", func(t *testing.T) {
		visit(t, browser, becomes("document.querySelector('#stream').dataset.state === 'live'"), chromedp.Click("#call button"), becomes("document.querySelector('#echoes .theirs') !== null"))
		s.signal(syscall.SIGTERM)
		visit(t, browser, becomes("!document.querySelector('#banner').hidden && document.querySelector('#banner').innerText.startsWith('The server is stopping.')"),
			becomes("document.querySelector('#echoes .note')?.innerText === 'closed: 1001, the server is stopping'"))
		screenshot(t, browser, "demo-drain")
		if code := s.exit(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		visit(t, browser, becomes("document.querySelector('#banner').innerText.startsWith('The server has stopped.')"))
	})
}

func TestDemoSweeps(t *testing.T) {
	tmp := t.TempDir()
	long := time.Now().Add(-time.Hour)
	dir := func(name string) string {
		path := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Join(path, "site"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		return path
	}
	killed, running, young, other := dir(demoPrefix+"1"), dir(demoPrefix+"2"), dir(demoPrefix+"3"), dir("another")
	held, err := lockDirectory(running)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	now := time.Now()
	link := filepath.Join(tmp, demoPrefix+"link")
	if err := errors.Join(os.Chtimes(young, now, now), os.Symlink(other, link)); err != nil {
		t.Fatal(err)
	}
	sweepDemos(tmp, now)
	for path, want := range map[string]bool{killed: false, running: true, young: true, filepath.Join(other, "site"): true, link: true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}
