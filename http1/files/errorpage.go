package files

import (
	"strconv"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/files/media"
)

// statusTexts are the reasons of the statuses that files has for what it could not send.
var statusTexts = map[int]string{
	403: "Forbidden",
	404: "Not Found",
	406: "Not Acceptable",
	500: "Internal Server Error",
	503: "Service Unavailable",
}

// sorry answers with an error: for a client that asks for JSON an object of RFC 9457, else the
// root's page for the status, else a plain line. Conditions and ranges do not apply (RFC 9110
// §13.2.1, §14.2).
func (h *Handler) sorry(w *http1.Response, r *http1.Request, status int) {
	if w.Get("Vary") == "" {
		w.Set("Vary", "Accept")
	}
	if status == 406 {
		w.Add("Vary", "Accept-Encoding")
	}
	if !media.PrefersJSON(r.Field("Accept")) {
		for _, name := range h.errorPages(status) {
			if h.errorPage(w, r, status, name) {
				return
			}
		}
	}
	plainly(w, r, status)
}

// plainly answers with an error without a page.
func plainly(w *http1.Response, r *http1.Request, status int) {
	text := statusTexts[status]
	if !media.PrefersJSON(r.Field("Accept")) {
		w.Text(status, strconv.Itoa(status)+" "+text+"\n")
		return
	}
	w.Text(status, `{"status":`+strconv.Itoa(status)+`,"title":"`+text+`"}`+"\n")
	w.Set("Content-Type", "application/problem+json")
}

// errorPages are the names of the files for a status, the first there is counts. Those for
// what the disk refuses may well be refused too.
func (h *Handler) errorPages(status int) []string {
	switch {
	case h.plainErrors, status == 406: // whoever refuses every form refuses a page too
		return nil
	case status >= 500:
		return []string{strconv.Itoa(status) + ".html", "50x.html"}
	default:
		return []string{strconv.Itoa(status) + ".html"}
	}
}

// errorPage sends a page of the root with the status of the error, in the coding that the client
// likes best, or as it is to a client that refuses all. Neither its validators nor the rules for
// it are sent: they are for the page, not for what is missing.
func (h *Handler) errorPage(w *http1.Response, r *http1.Request, status int, name string) (sent bool) {
	f, err := h.openUsuallyAbsent(name)
	if err != nil {
		return false
	}
	defer f.Close()
	rep := h.asItIs(name, f)
	defer rep.close(f)
	rep.error = true
	rep.about = &about{contentType: rep.about.contentType, dense: rep.about.dense, texty: rep.about.texty}
	_ = h.negotiate(w, r, name, rep) // an error leaves it as it is
	if err = send(w, r, newPage(status, nil, rep)); err != nil && w.Committed() {
		h.fail(w, r, name, err) // which cuts it
	}
	return err == nil
}
