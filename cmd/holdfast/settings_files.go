package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/holdfast-server/holdfast/http1/files"
)

// fileSettings say how a directory is served.
type fileSettings struct {
	Compress      bool // on the fly
	Precompressed bool
	ETag          files.ETag
	Caching       []files.Rule
	Attachments   []files.Rule
}

// cacheLimit is a bound on memory that nobody means to pass.
const cacheLimit = 1 << 40

// eTags are the words for what entity tags are made of.
var eTags = map[string]files.ETag{"time": files.ETagByTime, "content": files.ETagByContent, off: files.ETagNone}

// fileKeys are the settings that a site has for itself.
var fileKeys = []string{"compress", "precompressed", "etag", "cache-control", "attachment"}

func (s *settings) readFiles(r *reader) {
	s.CacheBytes = r.size("cache-bytes", 0, cacheLimit)
	s.Files = r.files(fileSettings{}, false)
}

// files reads how a directory is served. With unlessWritten, what was not written stays as it
// is in usual.
func (r *reader) files(usual fileSettings, unlessWritten bool) fileSettings {
	f := usual
	for _, key := range fileKeys {
		if unlessWritten && !r.written(key) {
			continue
		}
		switch key {
		case "compress":
			f.Compress = r.toggle(key)
		case "precompressed":
			f.Precompressed = r.toggle(key)
		case "etag":
			f.ETag = eTags[r.choice(key, "time", "content", off)]
		case "cache-control":
			f.Caching = r.caching(key)
		case "attachment":
			f.Attachments = r.attachments(key)
		}
	}
	return f
}

// caching reads GLOB=VALUE.
func (r *reader) caching(name string) (rules []files.Rule) {
	texts, from := r.list(name)
	for _, text := range texts {
		pattern, value, ok := strings.Cut(text, "=")
		if !ok {
			r.refuse(name, text, from, &flaw{What: "has no =", Mend: `write GLOB=VALUE, such as "*.css=max-age=3600"`})
			continue
		}
		value, f := parseCacheControl(value)
		glob, globFlaw := parseGlob(pattern)
		if f = firstFlaw(globFlaw, f); f != nil {
			r.refuse(name, text, from, f)
			continue
		}
		rules = append(rules, files.Rule{Glob: glob, CacheControl: value})
	}
	return rules
}

func firstFlaw(flaws ...*flaw) *flaw {
	for _, f := range flaws {
		if f != nil {
			return f
		}
	}
	return nil
}

func (r *reader) attachments(name string) (rules []files.Rule) {
	texts, from := r.list(name)
	for _, text := range texts {
		glob, f := parseGlob(text)
		if f != nil {
			r.refuse(name, text, from, f)
			continue
		}
		rules = append(rules, files.Rule{Glob: glob, Attachment: true})
	}
	return rules
}

func parseGlob(text string) (files.Glob, *flaw) {
	glob, err := files.ParseGlob(text)
	switch {
	case err == nil:
		return glob, nil
	case errors.Is(err, files.ErrGlobEmpty):
		return glob, &flaw{What: "has an empty glob", Mend: "write ** for every file"}
	case errors.Is(err, files.ErrGlobBrace):
		return glob, &flaw{What: "has a brace in its glob", Why: "{hash} is the only word in braces", Mend: "write one rule for each case"}
	}
	return glob, &flaw{What: "has a glob that is too long", Mend: "write one of up to 1024 bytes"}
}

// directives are those of a response (RFC 9111 §5.2.2, RFC 5861, RFC 8246), and whether they
// take seconds.
var directives = map[string]bool{
	"max-age": true, "s-maxage": true, "stale-while-revalidate": true, "stale-if-error": true,
	"no-cache": false, "no-store": false, "no-transform": false, "public": false, "private": false, "must-revalidate": false,
	"proxy-revalidate": false, "must-understand": false, "immutable": false,
}

// parseCacheControl reads directives with spaces or commas between them, as the field has
// them then. immutable alone stands for all that a file needs whose name changes with its
// content.
func parseCacheControl(text string) (string, *flaw) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
	if len(words) == 0 {
		return "", &flaw{What: "has no directive", Mend: "write one, such as no-cache or max-age=3600"}
	}
	for _, word := range words {
		name, number, valued := strings.Cut(word, "=")
		seconds, known := directives[name]
		digits := number != "" && strings.Trim(number, "0123456789") == "" && len(number) < 11
		switch {
		case !known:
			return "", &flaw{What: "has " + quote(name) + ", which is no directive of Cache-Control",
				Mend: suggest(name, directiveNames(), "", "write one such as no-cache or max-age=3600")}
		case seconds && !digits:
			return "", &flaw{What: "has " + name + " without a number of seconds", Mend: "write " + name + "=3600"}
		case !seconds && valued:
			return "", &flaw{What: "has " + name + " with a value", Why: "it takes none", Mend: "leave out =" + plain(number)}
		}
	}
	if len(words) == 1 && words[0] == "immutable" {
		return files.Immutable, nil
	}
	return strings.Join(words, ", "), nil
}

func directiveNames() (names []string) {
	for name := range directives {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
