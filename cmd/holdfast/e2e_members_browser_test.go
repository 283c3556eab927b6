package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// A passenger is a browser in which somebody goes to the members' area.
type passenger struct {
	t       *testing.T
	browser context.Context
	server  *server
}

func embark(t *testing.T, chromium string, s *server) *passenger {
	p := &passenger{t, openBrowser(t, chromium, s.caFile()), s}
	visit(t, p.browser, desk(), scheme("light"))
	return p
}

// in is the same passenger in a subtest, with the server of that time.
func (p *passenger) in(t *testing.T, s *server) *passenger { return &passenger{t, p.browser, s} }

// goes leads somewhere, and ends on the path.
func (p *passenger) goes(to string, status int64, path string) {
	p.t.Helper()
	follow(p.t, p.browser, chromedp.Navigate(p.server.url(to)), status)
	p.isAt(path)
}

func (p *passenger) isAt(path string) {
	p.t.Helper()
	visit(p.t, p.browser, becomes(fmt.Sprintf("location.pathname === %q && document.readyState === 'complete'", path)))
}

// fills types into the fields of the page's form, by names and texts in turn.
func (p *passenger) fills(pairs ...string) {
	p.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		visit(p.t, p.browser, chromedp.SendKeys(chromedp.CSS("#"+pairs[i]), pairs[i+1]))
	}
}

// presses a button of the form that posts to a page of the accounts.
func (p *passenger) presses(form string, status int64) {
	p.t.Helper()
	follow(p.t, p.browser, chromedp.Click(chromedp.CSS("form[action='/-/"+form+"'] button")), status)
}

// signsIn fills in the form of sign-in or sign-up.
func (p *passenger) signsIn(form, name, password string, status int64) {
	p.t.Helper()
	p.goes("/-/"+form, 200, "/-/"+form)
	p.fills("name", name, "password", password)
	p.presses(form, status)
}

// sees fails unless the page becomes one for which the expression is true.
func (p *passenger) sees(expressions ...string) {
	p.t.Helper()
	for _, e := range expressions {
		visit(p.t, p.browser, becomes(e))
	}
}

// pictures keeps the page as it is on a desk and on a phone, light and dark, once it is legible
// on each.
func (p *passenger) pictures(name string, texts ...string) {
	p.t.Helper()
	for _, device := range []struct {
		name string
		view chromedp.Action[chromedp.Void]
	}{{"", desk()}, {"-phone", phone()}} {
		for _, preferred := range []string{"light", "dark"} {
			visit(p.t, p.browser, device.view, scheme(preferred), becomes(fmt.Sprintf("matchMedia('(prefers-color-scheme: %s)').matches", preferred)))
			p.sees("document.documentElement.scrollWidth <= innerWidth")
			for _, text := range append([]string{"h1"}, texts...) {
				p.sees(contrast(text, 4.5))
			}
			screenshot(p.t, p.browser, name+device.name+"-"+preferred)
		}
	}
	visit(p.t, p.browser, desk(), scheme("light"))
}

// cabinSite has a page for everybody and one for members.
func cabinSite(t testing.TB) string {
	t.Helper()
	const head = `<!doctype html><meta name="viewport" content="width=device-width">`
	return site(t, map[string]string{
		"index.html":         head + `<title>quay</title><h1>The quay</h1><a href="/members/">members</a>`,
		"members/index.html": head + `<title>cabin</title><h1>The cabin</h1><p>For members alone. <a id="account" href="/-/account">Your account</a>`,
	})
}

// cabinFile has everybody sign up there, and lead to the members' page.
func cabinFile(t testing.TB, lines ...string) string {
	t.Helper()
	return membersFile(t, append(lines, `sign-up = "open"`, `name = "The quay"`, `home = "/members/"`)...)
}

const inTheCabin = "document.querySelector('h1').innerText === 'The cabin'"

func TestBrowserMembers(t *testing.T) {
	chromium := program(t, "chromium", "chromium")
	s := launch(t, cabinSite(t), "--config", cabinFile(t))
	p := embark(t, chromium, s)

	t.Run("who is nobody is led to the sign-in, and from there to the sign-up", func(t *testing.T) {
		p := p.in(t, s)
		p.goes("/members/", 200, "/-/sign-in")
		p.sees("new URLSearchParams(location.search).get('next') === '/members/'",
			"document.activeElement.id === 'name'", "document.querySelector('#password').autocomplete === 'current-password'")
		p.pictures("members-sign-in", "label", "button", "main a")
		follow(t, p.browser, chromedp.Click(chromedp.CSS("main a")), 200)
		p.isAt("/-/sign-up")
		p.pictures("members-sign-up", "label", "button", "main a", "small")
	})
	t.Run("a password that everybody guesses is refused where it was typed, and forgotten", func(t *testing.T) {
		p := p.in(t, s)
		p.fills("name", "Ann", "password", "password")
		p.presses("sign-up", 422)
		p.sees("document.querySelector('[role=alert]').innerText.includes('commonest')", "document.activeElement.id === 'password'",
			"document.querySelector('#name').value === 'Ann' && document.querySelector('#password').value === ''")
		p.pictures("members-refused-password", "[role=alert]")
	})
	t.Run("a sign-up ends where it was on the way to, with a cookie that no script sees", func(t *testing.T) {
		p := p.in(t, s)
		p.fills("password", annsPassword)
		p.presses("sign-up", 200)
		p.isAt("/members/")
		p.sees(inTheCabin, "document.cookie === ''")
	})
	t.Run("the account shows this browser", func(t *testing.T) {
		p := p.in(t, s)
		follow(t, p.browser, chromedp.Click(chromedp.CSS("#account")), 200)
		p.sees("document.querySelectorAll('.sessions li').length === 1", "document.querySelector('.sessions').innerText.includes('this one')",
			"getComputedStyle(document.querySelector('button')).minHeight === '44px'") // its style applies under its policy
		p.pictures("members-account", "button", "main a", "small", ".sessions em")
	})
	t.Run("a sign-out ends it", func(t *testing.T) {
		p := p.in(t, s)
		p.presses("sign-out", 200)
		p.sees("document.body.innerText.includes('You are signed out.')")
		screenshot(t, p.browser, "members-signed-out")
		p.goes("/members/", 200, "/-/sign-in")
	})
	t.Run("a wrong password and an unknown name get the same answer", func(t *testing.T) {
		p := p.in(t, s)
		said := "document.querySelector('[role=alert]').innerText"
		p.signsIn("sign-in", "Ann", otherPassword, 401)
		visit(t, p.browser, chromedp.Evaluate[chromedp.Void]("void sessionStorage.setItem('said', "+said+")"))
		p.pictures("members-wrong-password", "[role=alert]")
		p.signsIn("sign-in", "Nobody", otherPassword, 401)
		p.sees(said + " === sessionStorage.getItem('said')")
	})
	t.Run("the right one lets in", func(t *testing.T) {
		p := p.in(t, s)
		p.signsIn("sign-in", "ANN", annsPassword, 200)
		p.isAt("/members/")
	})
	t.Run("a session survives a restart, and a SIGKILL", func(t *testing.T) {
		p := p.in(t, s)
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			s.signal(sig)
			s.exit()
			s = s.again()
			p.server = s
			p.goes("/members/", 200, "/members/")
			p.sees(inTheCabin)
		}
	})
	t.Run("a sign-out everywhere from another browser holds here", func(t *testing.T) {
		p := p.in(t, s)
		other := embark(t, chromium, s)
		other.signsIn("sign-in", "Ann", annsPassword, 200)
		other.goes("/-/account", 200, "/-/account")
		other.sees("document.querySelectorAll('.sessions li').length === 2")
		screenshot(t, other.browser, "members-two-browsers")
		other.presses("sign-out-everywhere", 200)
		for _, one := range []*passenger{other, p} {
			one.goes("/members/", 200, "/-/sign-in")
		}
	})
	s.stop()
	if text := s.log.text() + s.access.text(); strings.Contains(text, annsPassword) || strings.Contains(text, otherPassword) || strings.Contains(text, "__Host-session=") {
		t.Error("a secret is in a log")
	}
}

func TestBrowserQuota(t *testing.T) {
	chromium := program(t, "chromium", "chromium")
	s := launch(t, cabinSite(t), "--config", cabinFile(t, `quota = "5/1h"`))
	p := embark(t, chromium, s)
	p.signsIn("sign-up", "Ann", annsPassword, 200) // ends on the members' page: the first of five
	p.isAt("/members/")
	t.Run("what is used and left is on the member's page, which costs nothing", func(t *testing.T) {
		p := p.in(t, s)
		for range 2 {
			p.goes("/-/account", 200, "/-/account")
			p.sees("document.querySelector('dl').innerText.replace(/\\s+/g, ' ').includes('used 1 of 5 Tokens left 4')")
		}
		p.pictures("members-quota", "dt", "dd")
	})
	t.Run("once it is used up a page says when it begins anew", func(t *testing.T) {
		p := p.in(t, s)
		for range 4 {
			p.goes("/members/", 200, "/members/")
		}
		p.goes("/members/", 429, "/members/")
		p.sees("document.body.innerText.includes('quota is used up')")
		p.pictures("members-quota-reached")
	})
	t.Run("who runs the server gives more, and it holds at once", func(t *testing.T) {
		p := p.in(t, s)
		r := runToEnd(t, "", binary(t), "users", "quota", "ann", "50/1h", "--state", s.state)
		if r.exit != 0 || !strings.Contains(r.out, "used     5\nleft     45\n") {
			t.Fatalf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
		eventually(t, "the quota that was given", func() bool {
			p.goes("/-/account", 200, "/-/account")
			var limit string
			visit(t, p.browser, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				text, err := chromedp.Evaluate[string]("document.querySelector('dl').innerText")(ctx, tab)
				limit = text
				return err
			}))
			return strings.Contains(limit, "of 50")
		})
		p.goes("/members/", 200, "/members/")
	})
	s.stop()
}
