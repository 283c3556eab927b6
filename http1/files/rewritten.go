package files

import (
	"errors"
	"io/fs"

	"github.com/holdfast-server/holdfast/http1"
)

// toDirectory redirects to where the client finds a directory that it reached by a rewrite: the
// references in its listing are relative to the client's path, and a slash behind the rewritten
// one may lead nowhere. The redirect is for now, for so is the rewrite.
func toDirectory(w *http1.Response, r *http1.Request, p location, err error) bool {
	at := r.Directory()
	if at == "" || !errors.Is(err, errDirectory) && !(p.slash && errors.Is(err, fs.ErrNotExist)) {
		return false
	}
	if query := r.Query(); query != "" {
		at += "?" + query
	}
	w.Set("Location", at)
	w.Text(307, "307 Temporary Redirect\n")
	return true
}
