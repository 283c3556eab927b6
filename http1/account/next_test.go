package account

import (
	"net/url"
	"strings"
	"testing"
)

func TestNext(t *testing.T) {
	for name, next := range map[string]string{
		"a page":                            "/members/",
		"with a query":                      "/members/page?a=b&c=/d//e",
		"with a fragment":                   "/members/page#part",
		"a URL within a query":              "/members/?to=https://example.org//",
		"the root":                          "/",
		"an escaped slash, which is a name": "/members/a%2Fb",
		"a colon":                           "/a:b",
		"the member's page":                 "/-/account",
		"a name with dots":                  "/members/..a",
	} {
		t.Run("followed: "+name, func(t *testing.T) {
			if got := safeNext(next, "/-/", "otherwise"); got != next {
				t.Errorf("%q becomes %q", next, got)
			}
		})
	}
	for name, next := range map[string]string{
		"nothing":                          "",
		"another host":                     "//evil.example",
		"with three slashes":               "///evil.example",
		"a whole URL":                      "https://evil.example/",
		"a script":                         "javascript:alert(1)",
		"a backslash, a slash to browsers": `/\evil.example`,
		"two of them":                      `\\evil.example`,
		"a tab, which browsers drop":       "/\t/evil.example",
		"a line end, likewise":             "/\n/evil.example",
		"a field of the response":          "/x\r\nSet-Cookie: a=b",
		"a NUL":                            "/\x00",
		"a space before":                   " /members/",
		"a relative path":                  "members/",
		"dots that leave two slashes":      "/.//evil.example",
		"dots that lead up to them":        "/a/..//evil.example",
		"dots alone":                       "/a/../b",
		"dots as escapes":                  "/%2e%2e//evil.example",
		"an escaped slash behind one":      "/%2fevil.example",
		"two slashes within":               "/a//b",
		"what is not ASCII":                "/members/\u00e9",
		"the sign-in page, for ever":       "/-/sign-in",
		"with a query":                     "/-/sign-in?next=/-/sign-in",
		"by an escape":                     "/-/sign%2Din",
		"in another case":                  "/-/Sign-In",
		"with a slash":                     "/-/sign-in/",
		"the page that signs out":          "/-/sign-out",
		"everywhere":                       "/-/sign-out-everywhere",
		"the page that signs up":           "/-/sign-up?x",
		"more than anybody types":          "/" + strings.Repeat("a", 3000),
	} {
		t.Run("not followed: "+name, func(t *testing.T) {
			if got := safeNext(next, "/-/", "otherwise"); got != "otherwise" {
				t.Errorf("%q", got)
			}
		})
	}
}

// FuzzNext resolves the address as a browser does, from a page of the site: it stays there.
func FuzzNext(f *testing.F) {
	for _, next := range []string{"/members/?a", "//evil.example", `/\evil.example`, "/\t/evil.example", "/.//evil.example", "https:evil.example", "/a/..//b", "/%2f/evil"} {
		f.Add(next)
	}
	page, err := url.Parse("https://site.example/-/sign-in")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		safe := safeNext(next, "/-/", "")
		if safe == "" {
			return
		}
		// WHATWG URL §4.4: tabs and line ends vanish, space at the ends too, and a backslash is a slash.
		seen := strings.NewReplacer("\t", "", "\r", "", "\n", "", `\`, "/").Replace(strings.TrimSpace(safe))
		if strings.HasPrefix(seen, "//") || !strings.HasPrefix(seen, "/") {
			t.Fatalf("%q names a host", safe)
		}
		u, err := page.Parse(seen)
		if err != nil {
			return // a broken escape: browsers keep the host, and Go says no
		}
		if u.Scheme != "https" || u.Host != "site.example" || strings.HasPrefix(u.EscapedPath(), "//") {
			t.Errorf("%q leads to %s", safe, u)
		}
	})
}
