package files

import (
	"strings"
)

// Immutable is the Cache-Control of a file whose name changes with its content: a year,
// and no asking in between (RFC 8246).
const Immutable = "public, max-age=31536000, immutable"

// A Rule says something about the files that its glob is for.
type Rule struct {
	Glob         Glob
	CacheControl string // the field's value (RFC 9111 §5.2); "" says nothing about it
	Attachment   bool   // browsers save the file and do not show it (RFC 6266); here the glob's letters match in either case
}

// An about is what a file's name says of it, whatever is in it.
type about struct {
	contentType  string
	cacheControl string
	disposition  string // the field's value, "" for none
	dense        bool   // it is compressed already
	texty        bool   // it is worth compressing
}

// about is what the name says. Of the rules for it, each field takes the first that speaks
// of it.
func (h *Handler) about(name string) *about {
	a := &about{contentType: contentType(name)}
	a.dense, a.texty = density(a.contentType)
	for _, rule := range h.rules {
		if rule.CacheControl != "" && a.cacheControl == "" && rule.Glob.Match(name) {
			a.cacheControl = rule.CacheControl
		}
		// A name that browsers may see run is not to get by in capitals.
		if rule.Attachment && a.disposition == "" && rule.Glob.match(name, true) {
			a.disposition = attachmentOf(name)
		}
	}
	return a
}

// cachedBy is the same of a file for which another Cache-Control holds.
func (a *about) cachedBy(cacheControl string) *about {
	other := *a
	other.cacheControl = cacheControl
	return &other
}

// density tells types that are compressed already, of which nobody keeps a second coding,
// and those that surely are not, which are worth compressing. A type that says neither, such
// as application/octet-stream, may have precompressed siblings, and is not compressed here.
func density(contentType string) (dense, texty bool) {
	kind, _, _ := strings.Cut(contentType, ";")
	if texty, known := denseOrTexty[kind]; known {
		return !texty, texty
	}
	family, _, _ := strings.Cut(kind, "/")
	switch {
	case family == "text", strings.HasSuffix(kind, "+json"), strings.HasSuffix(kind, "+xml"):
		return false, true
	case family == "image", family == "audio", family == "video":
		return true, false
	case strings.HasPrefix(kind, "application/vnd.o"): // office documents are zips
		return true, false
	}
	return false, false
}

// denseOrTexty are the types about which their family says nothing, or the wrong thing:
// true for those worth compressing.
var denseOrTexty = map[string]bool{
	"application/json":              true,
	"application/xml":               true,
	"application/yaml":              true,
	"application/toml":              true,
	"application/wasm":              true,
	"application/rtf":               true,
	"application/x-ndjson":          true,
	"application/jsonl":             true,
	"application/x-pem-file":        true,
	"application/vnd.apple.mpegurl": true,
	"audio/wav":                     true,
	"font/ttf":                      true,
	"font/otf":                      true,
	"image/bmp":                     true,
	"image/vnd.microsoft.icon":      true,

	"application/epub+zip":                    false,
	"application/gzip":                        false,
	"application/java-archive":                false,
	"application/pdf":                         false,
	"application/vnd.android.package-archive": false,
	"application/x-7z-compressed":             false,
	"application/x-bzip2":                     false,
	"application/x-xz":                        false,
	"application/zip":                         false,
	"application/zstd":                        false,
	"font/woff":                               false,
	"font/woff2":                              false,
}
