package files

import (
	"mime"
	"strings"
	"testing"
)

func TestContentType(t *testing.T) {
	for _, c := range []struct{ clause, name, want string }{
		{"a page", "a/index.html", "text/html; charset=utf-8"},
		{"a module", "m.mjs", "text/javascript; charset=utf-8"},
		{"the case of the extension", "PHOTO.JPG", "image/jpeg"},
		{"the last extension", "backup.tar.gz", "application/gzip"},
		{"a dot in a directory is none", "v1.html/data", "application/octet-stream"},
		{"no extension", "README", "application/octet-stream"},
		{"an empty extension", "a.", "application/octet-stream"},
		{"an unknown extension", "a.exe", "application/octet-stream"},
		{"a name of its own, of OpenID", ".well-known/openid-configuration", "application/json"},
		{"a text of another kind", "Makefile.conf", "text/plain; charset=utf-8"},
		{"lines of JSON", "a.ndjson", "application/x-ndjson"},
		{"a name of its own", ".well-known/apple-app-site-association", "application/json"},
	} {
		t.Run(c.clause, func(t *testing.T) {
			if got := contentType(c.name); got != c.want {
				t.Errorf("%q is %q, want %q", c.name, got, c.want)
			}
		})
	}
	t.Run("the table is well-formed", func(t *testing.T) {
		for ext, value := range typesByExtension {
			media, params, err := mime.ParseMediaType(value)
			if err != nil || ext != strings.ToLower(ext) || ext[0] != '.' {
				t.Errorf("%s: %q: %v", ext, value, err)
			}
			if strings.HasPrefix(media, "text/") != (params["charset"] == "utf-8") {
				t.Errorf("%s: %q: text, and only text, is declared to be UTF-8", ext, value)
			}
		}
	})
}
