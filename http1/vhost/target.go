package vhost

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// A target is where a rule leads: text in which "{name}" is a value of the pattern's.
type target struct {
	place, query, fragment []piece // query and fragment with the sign that begins them; empty for none
}

// A piece is text, or the value of a wildcard.
type piece struct{ text, name string }

// parseTarget reads a target. Its wildcards have to be among names, and none may stand where a
// host is said: a client could choose it.
func parseTarget(text string, names []string) (t target, err error) {
	for _, c := range text {
		if c <= ' ' || c >= 0x7F || strings.ContainsRune(`"<>\`, c) {
			return t, fmt.Errorf("it has %q in it, which stands percent-encoded in a URL", string(c))
		}
	}
	if err := checkPlace(text); err != nil {
		return t, err
	}
	rest, fragment, marked := strings.Cut(text, "#")
	place, query, asks := strings.Cut(rest, "?")
	if marked {
		fragment = "#" + fragment
	}
	if asks {
		query = "?" + query
	}
	var errs [3]error
	t.place, errs[0] = parsePieces(place, names)
	t.query, errs[1] = parsePieces(query, names)
	t.fragment, errs[2] = parsePieces(fragment, names)
	if err := errors.Join(errs[:]...); err != nil {
		return t, err
	}
	return t, t.check()
}

// checkPlace looks at what stands before the path.
func checkPlace(text string) error {
	scheme, rest, whole := strings.Cut(text, "://")
	if whole && (scheme == "http" || scheme == "https") {
		authority := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			authority = rest[:i]
		}
		return checkAuthority(authority)
	}
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") {
		return errors.New("it has to begin with one slash, http:// or https://")
	}
	return nil
}

func checkAuthority(authority string) error {
	if authority == "" || strings.ContainsAny(authority, "{}@") {
		return errors.New("its host has to be written out, without wildcards and users")
	}
	host, port := split(authority)
	if n, err := strconv.ParseUint(strings.TrimPrefix(port, ":"), 10, 16); port != "" && (err != nil || n == 0) {
		return errors.New("its port is none from 1 to 65535")
	}
	if inside, ok := strings.CutPrefix(host, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		if err != nil || !address.Is6() || address.Zone() != "" {
			return errors.New("its host is no IPv6 address")
		}
		return nil
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(strings.ToLower(host), "."), ".") {
		if !isLabel(label) {
			return errors.New("its host is no name and no address")
		}
	}
	return nil
}

// check looks at the whole, with some text for the wildcards.
func (t *target) check() error {
	some := func(string) string { return "x" }
	if _, err := url.Parse(fill(t.place, some) + fill(t.fragment, some)); err != nil {
		return errors.New("a percent sign begins two hexadecimal digits: %25 is one by itself")
	}
	if _, err := url.PathUnescape(fill(t.query, some)); err != nil {
		return errors.New("a percent sign begins two hexadecimal digits: %25 is one by itself")
	}
	if !t.isLocal() {
		return nil
	}
	// With nothing for the wildcards: "/.{x}" is "/.." for whoever chooses a dot.
	for segment := range strings.SplitSeq(fill(t.place, func(string) string { return "" }), "/") {
		if segment = decoded(segment); segment == "." || segment == ".." {
			return errors.New("it has a segment of dots, which leads to another directory")
		}
	}
	if strings.Contains(fill(t.place, some), "//") {
		return errors.New("it has two slashes in a row, and no path that is served has them")
	}
	return nil
}

func decoded(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}

func parsePieces(text string, names []string) (pieces []piece, err error) {
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if strings.Contains(before, "}") {
			return nil, errors.New("it has a } that closes nothing, which stands percent-encoded in a URL")
		}
		if before != "" {
			pieces = append(pieces, piece{text: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		name = strings.TrimSuffix(name, "...")
		if !closed || !slices.Contains(names, name) {
			return nil, fmt.Errorf("{%s} is none of the wildcards in from", name)
		}
		pieces = append(pieces, piece{name: name})
		text = after
	}
	return pieces, nil
}

// isLocal tells whether it is on the same site, and isPath whether it is a path and no more.
func (t *target) isLocal() bool { return strings.HasPrefix(t.place[0].text, "/") }
func (t *target) isPath() bool  { return t.isLocal() && t.query == nil && t.fragment == nil }

// path is the target without query and fragment. A value may be empty, and "/{rest}/{name}" must
// not become "//name", which is another host (RFC 3986 §4.2).
func (t *target) path(value func(name string) string) string {
	place := fill(t.place, value)
	if t.isLocal() {
		return "/" + strings.TrimLeft(place, "/")
	}
	return place
}

// url is the target for a request. A target without a query has the request's.
func (t *target) url(r *http1.Request) string {
	query := func(name string) string { return url.QueryEscape(r.PathValue(name)) }
	place := t.path(r.EscapedPathValue)
	if t.query == nil {
		return withQuery(place, r.Query()) + fill(t.fragment, r.EscapedPathValue)
	}
	return place + fill(t.query, query) + fill(t.fragment, r.EscapedPathValue)
}

func fill(pieces []piece, value func(name string) string) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
		if p.name != "" {
			b.WriteString(value(p.name))
		}
	}
	return b.String()
}
