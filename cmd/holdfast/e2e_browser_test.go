package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

func TestBrowser(t *testing.T) {
	chromium := program(t, "chromium", "chromium")
	s := launchDemo(t)
	browser := openBrowser(t, chromium, s.caFile())

	t.Run("the page is shown, over a connection that it trusts", func(t *testing.T) {
		visit(t, browser, chromedp.Navigate(s.url("/")),
			becomes("window.isSecureContext && location.protocol === 'https:'"),
			becomes("document.querySelector('h1').innerText === 'It holds.'"))
	})
	t.Run("both images are drawn", func(t *testing.T) {
		visit(t, browser, becomes("document.querySelector('#dusk').naturalWidth === 960"),
			becomes("document.querySelector('#cleat').complete && document.querySelector('#cleat').naturalWidth > 0"))
	})
	t.Run("the style sheet applies", func(t *testing.T) {
		visit(t, browser, becomes("getComputedStyle(document.querySelector('.rooms')).display === 'grid'"))
	})
	t.Run("the video has its length and seeks by range requests", func(t *testing.T) {
		visit(t, browser,
			becomes("document.querySelector('#mooring').readyState >= 1 && document.querySelector('#mooring').duration > 5"),
			chromedp.Evaluate[chromedp.Void]("void (document.querySelector('#mooring').currentTime = 4)"),
			becomes("(v => !v.seeking && v.currentTime >= 4 && v.readyState >= 2)(document.querySelector('#mooring'))"))
		eventually(t, "a 206 for the video in the access log", func() bool { return s.served("/mooring.webm", 206) })
		screenshot(t, browser, "demo-sought")
	})
	t.Run("a missing page shows the site's own", func(t *testing.T) {
		follow(t, browser, chromedp.Click("#missing"), 404)
		visit(t, browser, becomes("location.pathname === '/adrift' && document.querySelector('h1').innerText === 'Nothing is moored here.'"))
		screenshot(t, browser, "demo-404")
	})
	s.stop()
}

// becomes waits until an expression is true on the page. A page that another one replaces
// meanwhile is asked no more: the question is then for the next.
//
// Each look is a question of its own: one that a page takes with it when it goes gets no answer.
func becomes(expression string) chromedp.Action[chromedp.Void] {
	look := chromedp.Evaluate[bool]("!!(" + expression + ")")
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		for {
			asked, cancel := context.WithTimeout(ctx, lookTimeout)
			is, err := look(asked, tab)
			cancel()
			if is && err == nil {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w: not %s, the last look: %v", ctx.Err(), expression, err)
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

// lookTimeout is how long a look at a page may take until it is made anew.
const lookTimeout = 5 * time.Second

// visit has the browser do things, one after another.
func visit(t *testing.T, browser context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(browser, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// follow does what leads to another page, and waits until that is there.
func follow(t *testing.T, browser context.Context, action chromedp.Action[chromedp.Void], status int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(browser, patience)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, action)
	if err != nil || response.Status != status {
		t.Fatalf("it led to %+v, %v, want status %d", response, err, status)
	}
}

// served tells whether the access log has a request for target with this status.
func (s *server) served(target string, status float64) bool {
	for _, record := range s.access.records("request") {
		if record["target"] == target && record["status"] == status {
			return true
		}
	}
	return false
}

// openBrowser starts a browser in a home of its own, whose certificate database trusts
// one CA. The browser ends with the test.
func openBrowser(t *testing.T, chromium, caFile string) context.Context {
	t.Helper()
	home := browserHome(t)
	trustIn(t, filepath.Join(home, ".pki", "nssdb"), caFile)
	return browserAt(t, chromium, home)
}

// browserAt starts a browser that lives in a home and remembers nothing. It ends with the test.
func browserAt(t *testing.T, chromium, home string) context.Context {
	t.Helper()
	profile, err := os.MkdirTemp(home, "profile-") // a page in a cache needs no certificate
	if err != nil {
		t.Fatal(err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium), chromedp.UserDataDir(profile),
		chromedp.Env("HOME=" + home), chromedp.WSURLReadTimeout(patience),
	}
	for _, flag := range []string{"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-dev-shm-usage",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-extensions"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	browser, quit := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		quit()    // asks it to close and waits for it
		release() // and whatever is left of it
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	return browser
}

// browserHome is removed with patience: a browser's helpers write for a moment after it.
func browserHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "holdfast-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, "the browser's home is removed", func() bool { return os.RemoveAll(home) == nil })
	})
	return home
}

// trustIn makes a certificate database and puts the CA into it.
func trustIn(t *testing.T, database, caFile string) {
	t.Helper()
	certutil := program(t, "certutil", "libnss3-tools")
	if err := os.MkdirAll(database, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "-d", "sql:" + database, "--empty-password"},
		{"-A", "-d", "sql:" + database, "-n", "holdfast", "-t", "C,,", "-i", caFile},
	} {
		if got := runToEnd(t, "", certutil, args...); got.exit != 0 {
			t.Fatalf("certutil %v: %s%s", args, got.out, got.stderr)
		}
	}
}
