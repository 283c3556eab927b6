package account

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/holdfast-server/holdfast/http1/files"
)

// protection is the set of paths that want a member.
type protection struct {
	below []string     // folded directories without a trailing slash: "/members"
	globs []files.Glob // folded, each for a whole path
}

// newProtection reads globs in the sense of files.Glob, each from the site's root on. One that
// ends in "/**" or in a slash is for the directory and all below it, and so is any other that a
// directory's path matches.
func newProtection(globs []string) (p protection, err error) {
	for _, text := range globs {
		if !strings.HasPrefix(text, "/") || strings.Contains(text, "//") || strings.ContainsAny(text, "{}%\\") {
			return protection{}, fmt.Errorf("account: protect: %q: a glob begins with one slash and names paths as they are on the disk, without braces, percent escapes and empty parts", text)
		}
		for _, spelling := range []string{text, norm.NFC.String(text)} {
			if err = p.add(fold(spelling)); err != nil {
				return protection{}, fmt.Errorf("account: protect: %q: %w", text, err)
			}
		}
	}
	return p, nil
}

// add adds a folded glob.
func (p *protection) add(folded string) error {
	if folded == "/" {
		return errors.New("a glob for nothing: \"/**\" is the whole site")
	}
	if strings.HasSuffix(folded, "/") {
		folded += "**"
	}
	if before, after, anywhere := strings.Cut(folded, "/**/"); anywhere {
		if strings.Contains(after, "/**/") {
			return errors.New("it has \"/**/\" in it more than once")
		}
		if err := p.add(before + "/" + after); err != nil { // at no depth too, where files.Glob wants a slash
			return err
		}
	}
	directory, tree := strings.CutSuffix(folded, "/**")
	if tree && !strings.ContainsAny(directory, "*?") {
		p.below = append(p.below, directory)
		return nil
	}
	if tree {
		if err := p.add(directory); err != nil {
			return err
		}
	}
	g, err := files.ParseGlob(folded)
	p.globs = append(p.globs, g)
	return err
}

// covers tells whether any reading of a request's path is a protected one. A handler behind
// may decode escapes, merge slashes, resolve dots, take a backslash for a slash or an encoded
// one for a separator, look at a disk that ignores case or spelling, answer a directory with its index and
// a file with its compressed sibling: whatever it does, the path is protected if one of those
// names is. A public path that looks like a protected one is refused with it.
func (p *protection) covers(raw string) bool {
	if len(p.below) == 0 && len(p.globs) == 0 {
		return false
	}
	if ordinary(raw) {
		return p.reads(raw)
	}
	decoded := decode(raw)
	if p.readings(fold(decoded)) {
		return true
	}
	composed := norm.NFC.String(decoded) // for disks to which an accent and its letter are one
	return composed != decoded && p.readings(fold(composed))
}

// readings is covers for a path that is decoded and folded.
func (p *protection) readings(decoded string) bool {
	if p.reads(decoded) {
		return true
	}
	if plain(decoded) {
		return false
	}
	slashed := strings.ReplaceAll(decoded, `\`, "/")
	return p.reads(slashed) || p.reads(resolved(slashed)) || p.reads(resolved(bare(slashed)))
}

// ordinary tells that a path, as most are, has one reading before anything is decoded or
// folded. It is asked for every request of a site.
func ordinary(raw string) bool {
	for i := range len(raw) {
		switch c := raw[i]; {
		case c >= 0x80, 'A' <= c && c <= 'Z', c == '%', c == '\\', c == ';':
			return false
		case (c == '/' || c == '.') && i > 0 && raw[i-1] == '/':
			return false
		}
	}
	return true
}

// plain tells that a decoded path has one reading.
func plain(path string) bool {
	return !strings.Contains(path, "//") && !strings.Contains(path, "/.") && !strings.ContainsAny(path, `\;`)
}

// bare is path without the parameters of its segments (RFC 3986 §3.3), which some applications
// take off: "/members;v=1/page".
func bare(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// reads tells whether a path with plain slashes is protected, as a file, a directory or its index,
// or below a directory that is.
func (p *protection) reads(path string) bool {
	for _, directory := range p.below {
		if rest, ok := strings.CutPrefix(path, directory); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	if len(p.globs) == 0 {
		return false
	}
	name, isDirectory := strings.CutSuffix(path, "/")
	names := []string{name}
	if isDirectory {
		names = append(names, name+"/index.html")
	}
	for _, coded := range []string{".br", ".zst", ".gz"} {
		if whole, ok := strings.CutSuffix(name, coded); ok {
			names = append(names, whole)
		}
	}
	// "/members" protects the directory, so it protects what is in it: its index has the same
	// bytes under a name of its own.
	for i := 1; i < len(name); i++ {
		if name[i] == '/' {
			names = append(names, name[:i])
		}
	}
	for _, g := range p.globs {
		for _, name := range names {
			if g.Match(strings.TrimPrefix(name, "/")) {
				return true
			}
		}
	}
	return false
}

// decode resolves percent escapes once (RFC 3986 §2.1). What is no escape stays.
func decode(raw string) string {
	if strings.IndexByte(raw, '%') < 0 {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if c, ok := escape(raw[i:]); ok {
			b = append(b, c)
			i += 2
		} else {
			b = append(b, raw[i])
		}
	}
	return string(b)
}

// escape is the byte that s begins with an escape of.
func escape(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	for _, digit := range []byte(s[1:3]) {
		switch {
		case '0' <= digit && digit <= '9':
			c = c<<4 | (digit - '0')
		case 'a' <= digit|0x20 && digit|0x20 <= 'f':
			c = c<<4 | ((digit | 0x20) - 'a' + 10)
		default:
			return 0, false
		}
	}
	return c, true
}

// resolved is path without the segments "." and ".." (RFC 3986 §5.2.4) and without empty ones.
func resolved(path string) string {
	var kept []string
	segments := strings.Split(path, "/")
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, s)
		}
	}
	end := ""
	if last := segments[len(segments)-1]; len(kept) > 0 && (last == "" || last == "." || last == "..") {
		end = "/"
	}
	return "/" + strings.Join(kept, "/") + end
}

// fold makes texts alike that differ in case only (Unicode's simple folding): the least of a
// character's forms stands for all. ASCII in lower case, which most paths are, is as it was.
func fold(s string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 || 'A' <= c && c <= 'Z' }) {
		return s
	}
	return strings.Map(func(c rune) rune {
		least := c
		for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A' // so that most texts stay as they are
		}
		return least
	}, s)
}
