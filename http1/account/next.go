package account

import (
	"net/url"
	"strings"
)

// nextMostBytes bounds the page to go to after a sign-in. A longer one is not remembered.
const nextMostBytes = 2048

// safeNext is the page to go to after a sign-in, if it is one of this site and not one of the
// pages for signing in and out; otherwise otherwise. Whoever sends a member a link to the
// sign-in page chooses it: "//evil.example", "/\evil.example" and "/<tab>/evil.example" lead
// away in browsers (WHATWG URL §4.4: tabs and line ends vanish, a backslash is a slash).
func safeNext(next, prefix, otherwise string) string {
	if len(next) < 1 || len(next) > nextMostBytes || next[0] != '/' || !visible(next) {
		return otherwise
	}
	if strings.HasPrefix(next, "//") || strings.HasPrefix(next, `/\`) {
		return otherwise
	}
	path, _, _ := strings.Cut(next, "?")
	path, _, _ = strings.Cut(path, "#")
	clean := resolved(strings.ReplaceAll(fold(decode(path)), `\`, "/"))
	// A browser resolves "/.//evil.example" to a path with two slashes in front, which names
	// no host there; the next one who resolves or decodes it may see one.
	if decoded := decode(path); strings.Contains(decoded, "//") || strings.Contains(decoded, `\`) || dotted(decoded) {
		return otherwise
	}
	for _, page := range []string{"sign-in", "sign-up", "sign-out", "sign-out-everywhere"} {
		if strings.TrimSuffix(clean, "/") == fold(prefix+page) {
			return otherwise
		}
	}
	return next
}

// dotted tells whether a path has a segment of one or two dots.
func dotted(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// visible tells whether s is of ASCII that can be seen: what a request's target is made of.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

// withNext is the address of the sign-in page that leads on to target, empty for none.
func withNext(signIn, target string) string {
	if target == "" {
		return signIn
	}
	return signIn + "?next=" + url.QueryEscape(target)
}
