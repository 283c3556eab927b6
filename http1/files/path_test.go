package files

import (
	"io/fs"
	"net/url"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	for _, c := range []struct {
		clause, raw, file string // an empty file means refused
	}{
		{"the root is its index", "/", "index.html"},
		{"a file is itself", "/a/b.txt", "a/b.txt"},
		{"a trailing slash asks for the index", "/a/", "a/index.html"},
		{"an escape is decoded (RFC 3986 §2.1)", "/%61%20b", "a b"},
		{"either case of digits is the same (RFC 3986 §2.1)", "/%C3%a9", "é"},
		{"a plus is a plus", "/a+b", "a+b"},
		{"three dots within a name are a name", "/a...b", "a...b"},
		{"well-known comes first (RFC 8615 §3)", "/.well-known/security.txt", ".well-known/security.txt"},
		{"well-known may be escaped", "/%2Ewell-known/x", ".well-known/x"},
		{"a longest name passes", "/" + strings.Repeat("a", nameBytes), strings.Repeat("a", nameBytes)},

		{"a longer one does not", "/" + strings.Repeat("a", nameBytes+1), ""},
		{"no leading slash", "a", ""},
		{"asterisk-form is not a path (RFC 9112 §3.2.4)", "*", ""},
		{"nothing at all", "", ""},
		{"dot", "/.", ""},
		{"dot with a slash", "/./", ""},
		{"dot-dot", "/..", ""},
		{"dot-dot inside", "/a/../b", ""},
		{"dot-dot escaped", "/%2e%2e/b", ""},
		{"dot-dot half escaped", "/.%2e/b", ""},
		{"an escaped slash", "/a%2fb", ""},
		{"an escaped slash alone", "/%2f", ""},
		{"a backslash", `/a\b`, ""},
		{"an escaped backslash", "/..%5c..%5cb", ""},
		{"an escaped NUL", "/a%00.txt", ""},
		{"an empty segment", "//a", ""},
		{"an empty segment inside", "/a//b", ""},
		{"an empty segment at the end", "/a//", ""},
		{"a network-path reference", "//evil.example/..", ""},
		{"a dotfile", "/.git", ""},
		{"a dotfile inside", "/a/.env", ""},
		{"a dotfile escaped", "/%2eenv", ""},
		{"well-known anywhere else", "/a/.well-known/x", ""},
		{"well-known in another spelling", "/.Well-Known/x", ""},
		{"a dotfile in well-known", "/.well-known/.x", ""},
		{"a lone percent", "/%", ""},
		{"half an escape", "/a%2", ""},
		{"no escape", "/%zz", ""},
	} {
		t.Run(c.clause, func(t *testing.T) {
			p, ok := parsePath(c.raw)
			if ok != (c.file != "") {
				t.Fatalf("parsePath(%q) accepted: %v", c.raw, ok)
			}
			if ok && p.file() != c.file {
				t.Errorf("parsePath(%q) opens %q, want %q", c.raw, p.file(), c.file)
			}
		})
	}
}

func TestRedirectLocation(t *testing.T) {
	for _, c := range []struct{ clause, raw, query, want string }{
		{"the last segment with a slash", "/a/docs", "", "./docs/"},
		{"the query stays", "/docs", "a=1&b=%20", "./docs/?a=1&b=%20"},
		{"a colon ends no scheme (RFC 3986 §4.2)", "/javascript:x", "", "./javascript:x/"},
		{"what was escaped stays so", "/a%20b%3Fc%23d", "", "./a%20b%3Fc%23d/"},
		{"no line of our own making", "/a%0d%0aSet-Cookie:x", "", "./a%0D%0ASet-Cookie:x/"},
		{"nor by the query", "/a", "x\r\ny\"<\x7f", "./a/?x%0D%0Ay%22%3C%7F"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			p, ok := parsePath(c.raw)
			if got := p.location(c.query); !ok || got != c.want {
				t.Errorf("location is %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/%2e%2e/", "//x/..", "/\xf7", "/.well-known/a", "/a%2fb", `/\`, "/%00", "*", "/a:b/c"} {
		f.Add(s, "q=1")
	}
	f.Fuzz(func(t *testing.T, raw, query string) {
		p, ok := parsePath(raw)
		if !ok {
			return
		}
		// Names need not be UTF-8, which fs.ValidPath would ask for.
		if !fs.ValidPath(strings.ToValidUTF8(p.file(), "?")) || strings.ContainsAny(p.file(), "\\\x00") || len(p.name) > nameBytes {
			t.Fatalf("parsePath(%q) opens %q", raw, p.file())
		}
		if decoded, err := url.PathUnescape(strings.Trim(raw, "/")); err != nil || decoded != p.name {
			t.Fatalf("parsePath(%q) is %q, net/url decodes it to %q (%v)", raw, p.name, decoded, err)
		}
		checkLocation(t, raw, query, p)
	})
}

// checkLocation holds that a redirect leads to the same path with a slash on the same host.
func checkLocation(t *testing.T, raw, query string, p location) {
	t.Helper()
	base, err := url.Parse("https://site.example" + raw)
	if p.slash || err != nil || base.RawQuery != "" || base.Fragment != "" || base.Host != "site.example" || strings.ContainsAny(raw, "?#") {
		return
	}
	ref, err := url.Parse(p.location(query))
	if err != nil {
		t.Fatalf("location %q for %q: %v", p.location(query), raw, err)
	}
	to := base.ResolveReference(ref)
	if to.Host != base.Host || to.Scheme != "https" || to.Path != base.Path+"/" {
		t.Fatalf("%q redirects to %q", raw, to)
	}
}
