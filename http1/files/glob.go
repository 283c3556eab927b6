package files

import (
	"errors"
	"strings"
)

// globBytes is how long a glob may be.
const globBytes = 1024

// Errors of [ParseGlob].
var (
	ErrGlobEmpty = errors.New("files: an empty glob")
	ErrGlobLong  = errors.New("files: a glob of more than 1024 bytes")
	ErrGlobBrace = errors.New("files: a brace in a glob that is not {hash}")
)

// A Glob is a pattern for names of files below the root, such as "*.css", "assets/**" or
// "*.{hash}.js". "?" is one character that is no slash, "*" any number of those, "**" any
// characters at all, and {hash} what a build tool puts into a name that changes with the
// content, in 8 to 64 characters: hexadecimal digits of one case, a digit and a letter among them;
// letters, digits, "-" and "_" with a small letter, a digit, and a capital behind the first
// character; small letters and digits, with digits at two places; or just 8 of these without a digit,
// or capitals and digits alone. A date is none, nor is a word with a number behind it; a
// word of 8 letters like DataGrid cannot be told from a hash. A pattern without a slash is for the last segment alone, wherever it is;
// one with a slash, maybe a leading one, is for the whole name. Letters match as they are.
type Glob struct {
	text   string
	tokens []globToken
	whole  bool // the whole name, not its last segment
}

type globToken struct {
	kind globKind
	char byte
}

type globKind uint8

const (
	globChar globKind = iota
	globOne
	globStar
	globStarStar
	globHash
)

// ParseGlob reads a pattern.
func ParseGlob(text string) (Glob, error) {
	g := Glob{text: text, whole: strings.Contains(text, "/")}
	rest := strings.TrimPrefix(text, "/")
	switch {
	case rest == "":
		return Glob{}, ErrGlobEmpty
	case len(text) > globBytes:
		return Glob{}, ErrGlobLong
	}
	for rest != "" {
		token, width := globToken{kind: globChar, char: rest[0]}, 1
		switch {
		case strings.HasPrefix(rest, "**"):
			token, width = globToken{kind: globStarStar}, 2
		case rest[0] == '*':
			token = globToken{kind: globStar}
		case rest[0] == '?':
			token = globToken{kind: globOne}
		case strings.HasPrefix(rest, "{hash}"):
			token, width = globToken{kind: globHash}, len("{hash}")
		case rest[0] == '{' || rest[0] == '}':
			return Glob{}, ErrGlobBrace
		}
		g.tokens, rest = append(g.tokens, token), rest[width:]
	}
	return g, nil
}

// String is the pattern as it was written.
func (g Glob) String() string { return g.text }

// Match tells whether the pattern is for the file of that slash-separated name. It takes
// no more steps than pattern times name, times 64 for each {hash}: no pattern makes a name
// expensive.
func (g Glob) Match(name string) bool { return g.match(name, false) }

// match is Match, or with fold the same whatever the case of ASCII letters.
func (g Glob) match(name string, fold bool) bool {
	if !g.whole {
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	if fold {
		name = lowered(name)
	}
	reached := make([]bool, len(name)+1) // the places behind what has matched so far
	next := make([]bool, len(name)+1)
	reached[0] = true
	for _, t := range g.tokens {
		clear(next)
		if fold && t.kind == globChar {
			t.char = lower(t.char)
		}
		t.step(reached, next, name)
		reached, next = next, reached
	}
	return reached[len(name)]
}

// lower is a byte with ASCII capitals made small, lowered the same of a name.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

func lowered(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

// step goes on from every place that was reached.
func (t globToken) step(from, to []bool, name string) {
	for i, ok := range from {
		if !ok {
			continue
		}
		switch t.kind {
		case globChar:
			if i < len(name) && name[i] == t.char {
				to[i+1] = true
			}
		case globOne:
			if i < len(name) && name[i] != '/' {
				to[i+1] = true
			}
		case globHash:
			hashEnds(to, name, i)
		default:
			for j := i; !to[j]; j++ { // where another place went on already, this one need not
				to[j] = true
				if j == len(name) || t.kind == globStar && name[j] == '/' {
					break
				}
			}
		}
	}
}

// hashEnds marks where a hash that begins at i may end.
func hashEnds(to []bool, name string, i int) {
	var h hashed
	for n := 1; n <= hashMost && i+n <= len(name) && h.add(name[i+n-1]); n++ {
		if h.isHash() {
			to[i+n] = true
		}
	}
}
