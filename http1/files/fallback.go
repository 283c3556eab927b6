package files

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/media"
)

// fallback answers a navigation that names no file with the page of a single-page application,
// which then looks at the address itself. A path whose last part has an extension is a file that
// is missing, and says so: HTML in place of a script is what makes an application go blank. So is what
// programs look for below .well-known/ (RFC 8615).
func (h *Handler) fallback(w *http1.Response, r *http1.Request, p location, err error) (served bool) {
	if h.spa == "" || statusOf(err) != 404 {
		return false
	}
	w.Set("Vary", "Accept, Sec-Fetch-Mode") // a 404 from here depends on them too
	if strings.Contains(p.name[strings.LastIndexByte(p.name, '/')+1:], ".") || wellKnown(p.name) || !navigates(r) {
		return false
	}
	for range sendAttempts {
		// No rule lets it be kept without asking: the next release's page names other scripts.
		if err = h.attempt(w, r, h.spa, "no-cache"); !errors.Is(err, errChanged) || w.Committed() {
			break
		}
	}
	if err != nil && (w.Committed() || statusOf(err) != 404) {
		h.fail(w, r, h.spa, err)
		return true
	}
	return err == nil
}

// navigates tells a person who goes to an address from a script or a program that fetches it:
// by what the browser says, or, of a client that says nothing, by whether it names HTML among what
// it takes and does not like JSON as well. A client that takes anything is a program.
func navigates(r *http1.Request) bool {
	if mode, ok := r.Lookup("Sec-Fetch-Mode"); ok {
		return mode == "navigate"
	}
	accept := r.Field("Accept")
	return media.NamesHTML(accept) && !media.PrefersJSON(accept)
}

func wellKnown(name string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(name, "/"), "/")
	return first == ".well-known"
}

// fallbackOf is fallback for a path that can name no file, such as one with an encoded slash in it: an
// application may have such addresses.
func (h *Handler) fallbackOf(w *http1.Response, r *http1.Request) (served bool) {
	raw, ok := strings.CutPrefix(r.Path(), "/")
	if !ok || len(raw) > 3*nameBytes {
		return false
	}
	name, ok := appendDecoded(nil, raw)
	return ok && h.fallback(w, r, location{name: string(name)}, fs.ErrNotExist)
}
