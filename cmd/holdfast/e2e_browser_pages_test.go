package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const broadName = "a very long name that has to be broken somewhere, or a phone would scroll sideways for ever and ever, amen.txt"

// shelfSite is a directory to list: sizes and times in an order that is not the names', and a name
// that would be markup if it could.
func shelfSite(t *testing.T) string {
	root := site(t, map[string]string{
		"shelf/alpha.txt": bulk(300), "shelf/Beta.bin": bulk(5_000_000), "shelf/gamma.csv": bulk(40_000),
		"shelf/zeta/deep.txt": "x", "shelf/<img src=x onerror=alert(1)>.txt": "x",
		"shelf/" + broadName: bulk(70),
		"404.html":           "<!doctype html><title>none</title><h1>Not on this shelf</h1>",
	})
	for i, name := range []string{broadName, "Beta.bin", "gamma.csv", "alpha.txt"} { // and the newest is the one that was made just now
		at := time.Now().Add(-time.Duration(i+1) * 26 * time.Hour)
		if err := os.Chtimes(filepath.Join(root, "shelf", name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// first is true once the first file of the listing (behind the way up and the directories) is that.
func first(name string) chromedp.Action[chromedp.Void] {
	return becomes(fmt.Sprintf("document.querySelector('tbody tr:not(.u):not(.d) bdi')?.innerText === %q", name))
}

func TestBrowserListing(t *testing.T) {
	t.Parallel()
	chromium := program(t, "chromium", "chromium")
	s := launch(t, shelfSite(t), "--browse", "on")
	browser := openBrowser(t, chromium, s.caFile())
	visit(t, browser, desk(), scheme("light"), chromedp.Navigate(s.url("/shelf")))

	t.Run("its style applies under its policy, and no name is markup", func(t *testing.T) {
		visit(t, browser, becomes("getComputedStyle(document.querySelector('thead a')).textDecorationLine === 'none'"),
			becomes("document.querySelectorAll('img').length === 0 && document.querySelectorAll('tbody tr').length === 7"))
		screenshot(t, browser, "listing-light")
	})
	t.Run("a click on a column sorts by it, and another one turns it around", func(t *testing.T) {
		const markup = "<img src=x onerror=alert(1)>.txt"
		for _, step := range []struct{ column, first, state string }{
			{"thead .n a", "Beta.bin", "Size descending"}, {"thead .n a", markup, "Size ascending"},
			{"thead .t a", markup, "Modified descending"}, {"thead .t a", "alpha.txt", "Modified ascending"},
		} {
			follow(t, browser, chromedp.Click(chromedp.CSS(step.column)), 200)
			visit(t, browser, first(step.first), becomes(fmt.Sprintf("(c => c.innerText.trim() + ' ' + c.ariaSort)(document.querySelector('[aria-sort]')) === %q", step.state)))
		}
		screenshot(t, browser, "listing-sorted")
	})
	t.Run("directories stay first, and the keyboard shows where it is", func(t *testing.T) {
		visit(t, browser, becomes("document.querySelector('tbody tr:nth-child(2)').className === 'd'"),
			chromedp.Evaluate[chromedp.Void]("void document.querySelector('tbody .d a').focus({focusVisible: true})"),
			becomes("getComputedStyle(document.activeElement).outlineStyle === 'solid'"))
	})
	t.Run("a link leads to its file, whatever its name", func(t *testing.T) {
		follow(t, browser, chromedp.Evaluate[chromedp.Void]("void [...document.querySelectorAll('tbody a')].find(a => a.innerText.startsWith('<img')).click()"), 200)
	})
	t.Run("dark where that is preferred, and with enough contrast", func(t *testing.T) {
		visit(t, browser, scheme("dark"), chromedp.Navigate(s.url("/shelf/?sort=size&order=desc")), first("Beta.bin"),
			becomes("getComputedStyle(document.documentElement).backgroundColor === 'rgb(15, 26, 32)'"), becomes(contrast("h1", 7)), becomes(contrast("tbody td.n", 4.5)))
		screenshot(t, browser, "listing-dark")
		visit(t, browser, scheme("light"), becomes(contrast("h1", 7)), becomes(contrast("tbody td.n", 4.5)), becomes(contrast("tbody a", 4.5)))
	})
	t.Run("a phone shows all of it without scrolling sideways", func(t *testing.T) {
		visit(t, browser, phone(), chromedp.Navigate(s.url("/shelf/")), becomes("innerWidth === 390"),
			becomes("document.documentElement.scrollWidth <= innerWidth"),
			becomes("[...document.querySelectorAll('tbody th a')].every(a => a.closest('tr').getBoundingClientRect().height >= 40)"))
		screenshot(t, browser, "listing-phone")
		visit(t, browser, scheme("dark"))
		screenshot(t, browser, "listing-phone-dark")
	})
	t.Run("a missing file shows the error page", func(t *testing.T) {
		follow(t, browser, chromedp.Navigate(s.url("/shelf/none.txt")), 404)
		visit(t, browser, becomes("document.querySelector('h1').innerText === 'Not on this shelf'"))
	})
	s.stop()
}

// contrast is true once the colour of an element stands out from the nearest background behind it
// by that ratio (WCAG 2.2, relative luminance).
func contrast(selector string, ratio float64) string {
	return fmt.Sprintf(`(() => {
		const channels = (c) => c.match(/[\d.]+/g).map(Number);
		const luminance = (c) => channels(c).slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
			.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
		const element = document.querySelector(%q);
		let behind = element;
		while (behind.parentElement && channels(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
		const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(luminance);
		return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) >= %g;
	})()`, selector, ratio)
}

func TestBrowserApplication(t *testing.T) {
	chromium := program(t, "chromium", "chromium")
	s := launch(t, site(t, map[string]string{
		"index.html": `<!doctype html><title>app</title><h1></h1><script type="module" src="/app.js"></script>`,
		"app.js": `document.querySelector('h1').innerText = location.pathname;
			fetch('/api/none').then((r) => document.title = String(r.status));`,
	}), "--spa", "index.html")
	browser := openBrowser(t, chromium, s.caFile())
	t.Run("an address of the application is its page, and what it fetches in vain a 404", func(t *testing.T) {
		visit(t, browser, chromedp.Navigate(s.url("/users/7")), becomes("document.querySelector('h1').innerText === '/users/7'"), becomes("document.title === '404'"))
	})
	s.stop()
}
