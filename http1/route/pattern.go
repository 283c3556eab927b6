package route

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
)

// kind is what a segment of a pattern stands for.
type kind uint8

const (
	literal  kind = iota // itself
	wildcard             // any one segment that is not empty
	end                  // the slash at a path's end: "{$}"
	rest                 // that slash and all that may follow: "{name...}", or a slash at the end
)

// A segment is what is behind one slash of a pattern.
type segment struct {
	kind kind
	text string // a literal decoded, or a wildcard's name; "" for the rest that has none
}

// A pattern is what a route matches. It never changes.
type pattern struct {
	text     string // as it was registered
	method   string // "" for any
	host     string // in lower case, "" for any
	segments []segment
	names    []string // of its wildcards
}

// Names is http1.Wildcards.
func (p *pattern) Names() []string { return p.names }

// Find is http1.Wildcards: it walks along the path and the pattern, which match.
func (p *pattern) Find(path []byte, name string) []byte {
	for _, s := range p.segments {
		if len(path) == 0 {
			return nil
		}
		part, after := path[1:], path[len(path):]
		if s.kind != rest {
			part, after = cut(path)
		}
		if s.text == name && name != "" && s.kind != literal {
			return part
		}
		path = after
	}
	return nil
}

// Wildcards are the names of a pattern's wildcards in their order, or why it is no pattern.
func Wildcards(text string) ([]string, error) {
	p, err := parsePattern(text)
	if err != nil {
		return nil, err
	}
	return p.names, nil
}

// parsePattern reads "[METHOD ][HOST]/[PATH]". Between the method and what follows any number
// of spaces and tabs may stand.
func parsePattern(text string) (*pattern, error) {
	p := &pattern{text: text}
	where := text
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		p.method, where = text[:i], strings.TrimLeft(text[i:], " \t")
	}
	if !isToken(p.method) {
		return nil, fmt.Errorf("%q is no method", p.method)
	}
	slash := strings.IndexByte(where, '/')
	if slash < 0 {
		return nil, errors.New("there is no slash, with which its path would begin")
	}
	p.host = strings.ToLower(where[:slash])
	if strings.Contains(p.host, "{") {
		return nil, errors.New("a host has no wildcards; does the path's first slash miss?")
	}
	where = where[slash:]
	if where != cleaned(where) {
		return nil, errors.New("its path is not clean, and those of requests are made so: it can never match")
	}
	for at := 1; at <= len(where); {
		next := strings.IndexByte(where[at:], '/') + at
		if next < at {
			next = len(where)
		}
		if err := p.add(where[at:next], next == len(where)); err != nil {
			return nil, err
		}
		at = next + 1
	}
	return p, nil
}

// add appends a segment as it is written.
func (p *pattern) add(text string, last bool) error {
	switch open := strings.IndexByte(text, '{'); {
	case text == "":
		p.segments = append(p.segments, segment{kind: rest})
		return nil
	case open < 0:
		p.segments = append(p.segments, segment{text: decoded(text)})
		return nil
	case open > 0 || !strings.HasSuffix(text, "}"):
		return fmt.Errorf("%q is not a wildcard alone, and it has to be", text)
	}
	s := segment{kind: wildcard, text: text[1 : len(text)-1]}
	if s.text == "$" {
		s = segment{kind: end}
	} else if name, ok := strings.CutSuffix(s.text, "..."); ok {
		s = segment{kind: rest, text: name}
	}
	switch {
	case s.kind != wildcard && !last:
		return fmt.Errorf("%s has to be the last segment", text)
	case s.kind != end && !isIdentifier(s.text):
		return fmt.Errorf("%q is no name for a wildcard: it takes letters, digits and _", s.text)
	case slices.Contains(p.names, s.text):
		return fmt.Errorf("two wildcards are called %s", s.text)
	}
	if s.kind != end {
		p.names = append(p.names, s.text)
	}
	p.segments = append(p.segments, s)
	return nil
}

// decoded is a segment without its escapes, or as it is where one of them is none.
func decoded(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}

// isToken tells whether s is empty or a token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return true
}

// isIdentifier tells whether s is one of Go's, reserved or not.
func isIdentifier(s string) bool {
	for i, c := range s {
		if c != '_' && !unicode.IsLetter(c) && (i == 0 || !unicode.IsDigit(c)) {
			return false
		}
	}
	return s != ""
}

// cut parts a path, which begins with a slash, behind its first segment.
func cut(path []byte) (segment, after []byte) {
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			return path[1:i], path[i:]
		}
	}
	return path[1:], nil
}

// cleaned is a path that begins with a slash and has no empty segment, "." or "..", but for the
// slash at its end.
func cleaned(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// isClean tells whether a path is as cleaned would have it, and costs no memory.
func isClean(p []byte) bool {
	if len(p) == 0 || p[0] != '/' {
		return false
	}
	for i := 0; i < len(p); i++ {
		if p[i] != '/' || i+1 == len(p) {
			continue
		}
		switch dots := p[i+1:]; {
		case dots[0] == '/':
			return false
		case dots[0] != '.':
		case len(dots) == 1 || dots[1] == '/':
			return false
		case dots[1] == '.' && (len(dots) == 2 || dots[2] == '/'):
			return false
		}
	}
	return true
}
