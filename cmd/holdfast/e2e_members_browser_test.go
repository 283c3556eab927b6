package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
)

// A visitor is a browser in which somebody goes to the members' area.
type visitor struct {
	t       *testing.T
	browser context.Context
	server  *server
}

func newVisitor(t *testing.T, chromium string, s *server) *visitor {
	v := &visitor{t, openBrowser(t, chromium, s.caFile()), s}
	visit(t, v.browser, desk(), scheme("light"))
	return v
}

// in is the same visitor in a subtest.
func (v *visitor) in(t *testing.T, s *server) *visitor { return &visitor{t, v.browser, s} }

// goes leads somewhere, and ends on the path.
func (v *visitor) goes(to string, status int64, path string) {
	v.t.Helper()
	follow(v.t, v.browser, chromedp.Navigate(v.server.url(to)), status)
	v.isAt(path)
}

func (v *visitor) isAt(path string) {
	v.t.Helper()
	visit(v.t, v.browser, becomes(fmt.Sprintf("location.pathname === %q && document.readyState === 'complete'", path)))
}

// fills types into the fields of the page's form, by names and texts in turn.
func (v *visitor) fills(pairs ...string) {
	v.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		visit(v.t, v.browser, chromedp.SendKeys(chromedp.CSS("#"+pairs[i]), pairs[i+1]))
	}
}

// presses a button of the form that posts to a page of the accounts.
func (v *visitor) presses(form string, status int64) {
	v.t.Helper()
	follow(v.t, v.browser, chromedp.Click(chromedp.CSS("form[action='/-/"+form+"'] button")), status)
}

// signsIn fills in the form of sign-in or sign-up.
func (v *visitor) signsIn(form, name, password string, status int64) {
	v.t.Helper()
	v.goes("/-/"+form, 200, "/-/"+form)
	v.fills("name", name, "password", password)
	v.presses(form, status)
}

// sees fails unless the page becomes one for which the expression is true.
func (v *visitor) sees(expressions ...string) {
	v.t.Helper()
	for _, e := range expressions {
		visit(v.t, v.browser, becomes(e))
	}
}

// pictures keeps the page as it is on a desk and on a phone, light and dark, once it is legible
// on each.
func (v *visitor) pictures(name string, texts ...string) {
	v.t.Helper()
	for _, device := range []struct {
		name string
		view chromedp.Action[chromedp.Void]
	}{{"", desk()}, {"-phone", phone()}} {
		for _, preferred := range []string{"light", "dark"} {
			visit(v.t, v.browser, device.view, scheme(preferred), becomes(fmt.Sprintf("matchMedia('(prefers-color-scheme: %s)').matches", preferred)))
			v.sees("document.documentElement.scrollWidth <= innerWidth")
			for _, text := range append([]string{"h1"}, texts...) {
				v.sees(contrast(text, 4.5))
			}
			screenshot(v.t, v.browser, name+device.name+"-"+preferred)
		}
	}
	visit(v.t, v.browser, desk(), scheme("light"))
}

const inTheCabin = "document.querySelector('h1').innerText === 'The cabin'"

func TestBrowserMembers(t *testing.T) {
	chromium := program(t, "chromium", "chromium")
	root := membersSite(t)
	s := launchMembers(t, root, openTable)
	v := newVisitor(t, chromium, s)

	t.Run("who is nobody is led to the sign-in, and from there to the sign-up", func(t *testing.T) {
		v := v.in(t, s)
		v.goes("/members/", 200, "/-/sign-in")
		v.sees("new URLSearchParams(location.search).get('next') === '/members/'",
			"document.activeElement.id === 'name'", "document.querySelector('#password').autocomplete === 'current-password'")
		v.pictures("members-sign-in", "label", "button", "main a")
		follow(t, v.browser, chromedp.Click(chromedp.CSS("main a")), 200)
		v.isAt("/-/sign-up")
		v.pictures("members-sign-up", "label", "button", "main a", "small")
	})
	t.Run("a password that everybody guesses is refused where it was typed, and forgotten", func(t *testing.T) {
		v := v.in(t, s)
		v.fills("name", "Ann", "password", "password")
		v.presses("sign-up", 422)
		v.sees("document.querySelector('[role=alert]').innerText.includes('commonest')", "document.activeElement.id === 'password'",
			"document.querySelector('#name').value === 'Ann' && document.querySelector('#password').value === ''")
		v.pictures("members-refused-password", "[role=alert]")
	})
	t.Run("a sign-up ends where it was on the way to, with a cookie that no script sees", func(t *testing.T) {
		v := v.in(t, s)
		v.fills("password", annsPassword)
		v.presses("sign-up", 200)
		v.isAt("/members/")
		v.sees(inTheCabin, "document.cookie === ''")
	})
	t.Run("the account shows this browser", func(t *testing.T) {
		v := v.in(t, s)
		follow(t, v.browser, chromedp.Click(chromedp.CSS("#account")), 200)
		v.sees("document.querySelectorAll('.sessions li').length === 1", "document.querySelector('.sessions').innerText.includes('this one')",
			"getComputedStyle(document.querySelector('button')).minHeight === '44px'") // its style applies under its policy
		v.pictures("members-account", "button", "main a", "small", ".sessions em")
	})
	t.Run("a sign-out ends it", func(t *testing.T) {
		v := v.in(t, s)
		v.presses("sign-out", 200)
		v.sees("document.body.innerText.includes('You are signed out.')")
		screenshot(t, v.browser, "members-signed-out")
		v.goes("/members/", 200, "/-/sign-in")
	})
	t.Run("a wrong password and an unknown name get the same answer", func(t *testing.T) {
		v := v.in(t, s)
		said := "document.querySelector('[role=alert]').innerText"
		v.signsIn("sign-in", "Ann", otherPassword, 401)
		visit(t, v.browser, chromedp.Evaluate[chromedp.Void]("void sessionStorage.setItem('said', "+said+")"))
		v.pictures("members-wrong-password", "[role=alert]")
		v.signsIn("sign-in", "Nobody", otherPassword, 401)
		v.sees(said + " === sessionStorage.getItem('said')")
	})
	t.Run("the right one lets in", func(t *testing.T) {
		v := v.in(t, s)
		v.signsIn("sign-in", "ANN", annsPassword, 200)
		v.isAt("/members/")
	})
	t.Run("a session survives a restart, and a SIGKILL", func(t *testing.T) {
		v := v.in(t, s)
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			s.signal(sig)
			s.exit()
			s = s.again(root, openTable)
			v.server = s
			v.goes("/members/", 200, "/members/")
			v.sees(inTheCabin)
		}
	})
	t.Run("a sign-out everywhere from another browser holds here", func(t *testing.T) {
		v := v.in(t, s)
		other := newVisitor(t, chromium, s)
		other.signsIn("sign-in", "Ann", annsPassword, 200)
		other.goes("/-/account", 200, "/-/account")
		other.sees("document.querySelectorAll('.sessions li').length === 2")
		screenshot(t, other.browser, "members-two-browsers")
		other.presses("sign-out-everywhere", 200)
		for _, one := range []*visitor{other, v} {
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
	s := launchMembers(t, membersSite(t), openTable+"quota = \"5/1h\"\n")
	v := newVisitor(t, chromium, s)
	v.signsIn("sign-up", "Ann", annsPassword, 200) // ends on the members' page: the first of five
	v.isAt("/members/")
	t.Run("what is used and left is on the member's page, which costs nothing", func(t *testing.T) {
		v := v.in(t, s)
		for range 2 {
			v.goes("/-/account", 200, "/-/account")
			v.sees("document.querySelector('dl').innerText.replace(/\\s+/g, ' ').includes('used 1 of 5 Tokens left 4')")
		}
		v.pictures("members-quota", "dt", "dd")
	})
	t.Run("once it is used up a page says when it begins anew", func(t *testing.T) {
		v := v.in(t, s)
		for range 4 {
			v.goes("/members/", 200, "/members/")
		}
		v.goes("/members/", 429, "/members/")
		v.sees("document.body.innerText.includes('quota is used up')")
		v.pictures("members-quota-reached")
	})
	t.Run("who runs the server gives more, and it holds at once", func(t *testing.T) {
		v := v.in(t, s)
		r := runToEnd(t, "", binary(t), "users", "quota", "ann", "50/1h", "--state", s.state)
		if r.exit != 0 || !strings.Contains(r.out, "used     5\nleft     45\n") {
			t.Fatalf("exit %d\n%s%s", r.exit, r.out, r.stderr)
		}
		eventually(t, "the quota that was given", func() bool {
			v.goes("/-/account", 200, "/-/account")
			var limit string
			visit(t, v.browser, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				text, err := chromedp.Evaluate[string]("document.querySelector('dl').innerText")(ctx, tab)
				limit = text
				return err
			}))
			return strings.Contains(limit, "of 50")
		})
		v.goes("/members/", 200, "/members/")
	})
	s.stop()
}
