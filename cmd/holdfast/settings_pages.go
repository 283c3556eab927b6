package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-server/holdfast/cmd/holdfast/demo"
)

// pageSettings say what answers where a directory has no file for a request.
type pageSettings struct {
	Browse     bool
	SPA        string // below the root, slash-separated; "" for none
	ErrorPages bool
}

// pages reads the settings of a server, or of a site, which has the usual ones where it says
// nothing.
func (r *reader) pages(usual *pageSettings) (p pageSettings) {
	if usual != nil {
		p = *usual
	}
	if usual == nil || r.written("browse") {
		p.Browse = r.toggle("browse")
	}
	if usual == nil || r.written("error-pages") {
		p.ErrorPages = r.toggle("error-pages")
	}
	if usual == nil || r.written("spa") {
		p.SPA = r.spa()
	}
	return p
}

// spa is the name of the page, or empty for off.
func (r *reader) spa() string {
	text, from, ok := r.single("spa")
	name := strings.TrimPrefix(text, "/")
	switch {
	case !ok:
	case text == "":
		r.refuse("spa", text, from, emptyFlaw())
	case text == off:
	case !fs.ValidPath(name) || name == "." || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") || strings.ContainsAny(name, "\\\x00"):
		r.refuse("spa", text, from, &flaw{What: "is no file below the root", Why: "neither .. nor a dotfile is served", Mend: "write its path from the root, such as index.html"})
	default:
		return name
	}
	return ""
}

// checkSPA proves that the page is there: a wrong name would show only as 404s later. site is the
// place of the site that has the usual page, "" for the server's root.
func (r *reader) checkSPA(root, name, site string) {
	if name == "" || root == "" || r.elsewhere {
		return
	}
	from := cmp.Or(r.get("spa").from, site)
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
	switch _, rootErr := os.Stat(root); {
	case rootErr != nil: // which has been told
	case errors.Is(err, fs.ErrNotExist):
		r.refuse("spa", name, from, &flaw{What: "is not in " + plain(root), Mend: "build the application, or name the file that is there"})
	case err == nil && !info.Mode().IsRegular():
		r.refuse("spa", name, from, &flaw{What: "is no file", Mend: "name the application's page, such as index.html"})
	}
}

// checkDemoSPA is checkSPA for the files of the demo, which are nowhere yet.
func (r *reader) checkDemoSPA(name string) {
	if name != "" && !demo.Has(name) {
		r.refuse("spa", name, r.get("spa").from, &flaw{What: "is not in the demo's site", Mend: "name a file of it, such as index.html"})
	}
}

// pagesOf are those of the directory that is the i-th of roots.
func (s *settings) pagesOf(i int) pageSettings {
	if i < len(s.Sites) {
		return s.Sites[i].Pages
	}
	return s.Pages
}
