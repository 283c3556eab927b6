package files

import (
	"errors"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/media"
)

// fallback answers a navigation that names no file with the page of a single-page application,
// which then looks at the address itself. A path whose last part has an extension is a file that
// is missing, and says so: HTML in place of a script is what makes an application go blank.
func (h *Handler) fallback(w *http1.Response, r *http1.Request, p location, err error) (served bool) {
	if h.spa == "" || statusOf(err) != 404 {
		return false
	}
	w.Set("Vary", "Accept, Sec-Fetch-Mode") // a 404 from here depends on them too
	if strings.Contains(p.name[strings.LastIndexByte(p.name, '/')+1:], ".") || !navigates(r) {
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
// by what the browser says, or, of a client that says nothing, by whether it takes HTML and did
// not ask for JSON.
func navigates(r *http1.Request) bool {
	if mode, ok := r.Lookup("Sec-Fetch-Mode"); ok {
		return mode == "navigate"
	}
	accept := r.Field("Accept")
	return media.Quality(accept, "text/html") > 0 && !media.PrefersJSON(accept)
}
