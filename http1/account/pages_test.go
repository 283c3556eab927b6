package account

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/holdfast-server/holdfast/http1/http1test"
)

// everyPage is each page of a site as somebody sees it, by its name.
func everyPage(t *testing.T) map[string]*http1test.Response {
	t.Helper()
	s := newSite(t, nil, func(c *Config) { c.SignUp, c.Quota = SignUpInvite, Quota{10, time.Minute} })
	ann, guest := s.member("ann"), s.browser()
	return map[string]*http1test.Response{
		"sign-in":       guest.get("/-/sign-in?next=/members/"),
		"wrong":         guest.signIn("ann", "wrong horse"),
		"sign-up":       guest.get("/-/sign-up"),
		"sign-up wrong": guest.post("/-/sign-up", "name", "bob", "invite", "none"),
		"password":      ann.get("/-/password"),
		"old wrong":     ann.post("/-/password", "old", "wrong horse", "new", "another "+goodPassword),
		"account":       ann.get("/-/account?done=password"),
		"sign-out":      ann.get("/-/sign-out"),
		"signed out":    guest.get("/-/sign-out"),
		"missing":       guest.get("/-/missing"),
	}
}

var (
	inputs    = regexp.MustCompile(`<input [^>]*>`)
	attribute = func(tag, name string) string {
		m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
		if m == nil {
			return ""
		}
		return m[1]
	}
)

func TestPages(t *testing.T) {
	for name, res := range everyPage(t) {
		text := string(res.Content)
		t.Run(name+" has fields that keep it safe", func(t *testing.T) {
			for field, want := range map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
				"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"} {
				if got := res.Get(field); got != want {
					t.Errorf("%s: %q", field, got)
				}
			}
		})
		t.Run(name+" keeps to its own policy: no script, no style within", func(t *testing.T) {
			if found := regexp.MustCompile(`(?i)<script|<style| style=| on[a-z]+=|javascript:|https?:`).FindString(text); found != "" {
				t.Errorf("%q in\n%s", found, text)
			}
		})
		t.Run(name+" is a page with a language, a title, one heading and a viewport", func(t *testing.T) {
			for _, part := range []string{`<html lang="en">`, "<title>", "<h1>", `name="viewport"`, "<main>", `<meta charset="utf-8">`} {
				if strings.Count(text, part) != 1 {
					t.Errorf("%d times %s in\n%s", strings.Count(text, part), part, text)
				}
			}
		})
		t.Run(name+" has a label for each input, and each description is there", func(t *testing.T) {
			for _, tag := range inputs.FindAllString(text, -1) {
				if attribute(tag, "type") == "hidden" {
					continue
				}
				if id := attribute(tag, "id"); !strings.Contains(text, `<label for="`+id+`">`) || attribute(tag, "autocomplete") == "" {
					t.Errorf("%s", tag)
				}
				for id := range strings.FieldsSeq(attribute(tag, "aria-describedby")) {
					if !strings.Contains(text, `id="`+id+`"`) {
						t.Errorf("%s: no %s", tag, id)
					}
				}
			}
		})
		t.Run(name+" has no id twice, and no more than one autofocus", func(t *testing.T) {
			seen := map[string]bool{}
			for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(text, -1) {
				if seen[m[1]] {
					t.Errorf("%s", m[1])
				}
				seen[m[1]] = true
			}
			if n := strings.Count(text, " autofocus"); n > 1 {
				t.Errorf("%d times autofocus", n)
			}
		})
	}
	t.Run("password managers know the fields", func(t *testing.T) {
		all := everyPage(t)
		says(t, all["sign-in"], `autocomplete="username"`, `autocomplete="current-password"`)
		says(t, all["sign-up"], `autocomplete="username"`, `autocomplete="new-password"`, `id="invite" name="invite" value="" autocomplete="off"`)
		if both := string(all["sign-up"].Content) + string(all["password"].Content); strings.Contains(both, "minlength") {
			t.Error("a browser counts characters, and we count bytes")
		}
		says(t, all["password"], `autocomplete="username"`, `autocomplete="current-password"`, `autocomplete="new-password"`)
	})
	t.Run("HEAD has the fields and no content", func(t *testing.T) {
		b := newSite(t, nil, nil).browser()
		head, get := b.do(http1test.Request{Method: "HEAD", Target: "/-/sign-in"}), b.get("/-/sign-in")
		if is(t, head, 200); len(head.Content) != 0 || head.Length != get.Length || head.Length == 0 {
			t.Errorf("%d bytes of %d, GET has %d", len(head.Content), head.Length, get.Length)
		}
	})
	t.Run("the prefix leads to the member's page", func(t *testing.T) {
		leads(t, newSite(t, nil, nil).browser().get("/-/"), "/-/account")
	})
}

func TestPagesNameTheMember(t *testing.T) {
	ann := newSite(t, nil, nil).member("AnnMarie")
	for _, target := range []string{"/-/account", "/-/password", "/-/sign-out", "/-/nothing"} {
		says(t, ann.get(target), "<bdi>AnnMarie</bdi>")
	}
	says(t, ann.post("/-/password", "old", "wrong horse", "new", "x"), `name="name" value="AnnMarie"`)
}

func TestStylesheet(t *testing.T) {
	s := newSite(t, nil, nil)
	b := s.browser()
	page := string(b.get("/-/sign-in").Content)
	name := regexp.MustCompile(`/-/style\.[0-9a-f]{16}\.css`).FindString(page)
	t.Run("its address has its hash, so it can be kept for a year", func(t *testing.T) {
		res := b.get(name)
		if is(t, res, 200); res.Get("Cache-Control") != "public, max-age=31536000, immutable" || res.Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("%q: %v", name, res.Fields)
		}
		says(t, res, "prefers-color-scheme: dark", ":focus-visible")
	})
	t.Run("by another hash it is there and not kept", func(t *testing.T) {
		if res := b.get("/-/style.0000000000000000.css"); res.Status != 200 || res.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %v", res.Status, res.Fields)
		}
	})
	t.Run("nobody posts to it", func(t *testing.T) {
		is(t, b.post(name), 405)
	})
	t.Run("text can be read on what is behind it (WCAG 2.2 §1.4.3)", func(t *testing.T) {
		css := string(s.look.Load().style)
		light, dark, _ := strings.Cut(css, "prefers-color-scheme: dark")
		for scheme, text := range map[string]string{"light": light, "dark": dark} {
			for _, pair := range [][2]string{{"ink", "paper"}, {"soft", "paper"}, {"ink", "panel"}, {"act", "paper"}, {"act-ink", "act"}, {"bad", "bad-paper"}, {"good", "good-paper"}, {"good", "paper"}} {
				if c := contrast(t, text, pair[0], pair[1]); c < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, pair[0], pair[1], c)
				}
			}
			if c := contrast(t, text, "line", "paper"); c < 3 {
				t.Errorf("%s: borders have a contrast of %.2f (§1.4.11)", scheme, c)
			}
		}
	})
}

func TestOwnPages(t *testing.T) {
	own := fstest.MapFS{
		"sign-in.html": {Data: []byte(`<h1>Ours: {{.Site}}</h1><form method="post" action="{{.Prefix}}sign-in">{{.Name}}</form>`)},
		"style.css":    {Data: []byte("body { color: red }")},
	}
	s := newSite(t, nil, func(c *Config) { c.Pages = own })
	b := s.browser()
	t.Run("a file takes the place of the page of its name, and the others stay", func(t *testing.T) {
		says(t, b.get("/-/sign-in"), "<h1>Ours: Example</h1>")
		says(t, b.get("/-/sign-up"), "<h1>Sign up</h1>")
	})
	t.Run("it is bound to the policy too, and what is typed is no markup in it", func(t *testing.T) {
		res := b.signIn("<b>ann</b>", "wrong horse")
		says(t, res, "&lt;b&gt;ann&lt;/b&gt;")
		if res.Get("Content-Security-Policy") != policy {
			t.Errorf("%v", res.Fields)
		}
	})
	t.Run("a layout of one's own is around all pages", func(t *testing.T) {
		s := newSite(t, nil, func(c *Config) {
			c.Pages = fstest.MapFS{"layout.html": {Data: []byte(`{{define "head"}}<h1>Own head: {{.Title}}</h1>{{end}}{{define "foot"}}<p>Own foot</p>{{end}}`)}}
		})
		says(t, s.browser().get("/-/sign-in"), "Own head: Sign in", "Own foot")
	})
	t.Run("Reload takes what is there now", func(t *testing.T) {
		before := s.look.Load().styleName
		own["sign-in.html"] = &fstest.MapFile{Data: []byte("changed")}
		own["style.css"] = &fstest.MapFile{Data: []byte("body { color: blue }")}
		if err := s.Reload(); err != nil {
			t.Fatal(err)
		}
		says(t, b.get("/-/sign-in"), "changed")
		if s.look.Load().styleName == before {
			t.Error("the stylesheet's address is the same")
		}
	})
	t.Run("Reload of what is broken says where, and what was there stays", func(t *testing.T) {
		own["sign-in.html"] = &fstest.MapFile{Data: []byte("line one\n{{.Nothing}}")}
		own["account.html"] = &fstest.MapFile{Data: []byte("{{if}}")}
		err := s.Reload()
		if err == nil || !strings.Contains(err.Error(), "sign-in.html:2") || !strings.Contains(err.Error(), "Nothing") || !strings.Contains(err.Error(), "account.html:1") {
			t.Errorf("%v", err)
		}
		says(t, b.get("/-/sign-in"), "changed")
	})
	t.Run("what is no file, or too large, is told", func(t *testing.T) {
		for _, pages := range []fstest.MapFS{{"sign-in.html/x": {}}, {"style.css": {Data: make([]byte, pageMostBytes+1)}}, {"layout.html": {Data: make([]byte, pageMostBytes+1)}}} {
			if _, err := newLook(pages); err == nil {
				t.Error("taken")
			}
		}
	})
}
