package admin

import (
	"encoding/json"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// Options are what a handler answers with.
type Options struct {
	// Live, Ready and Started decide about the probes; nil has no check and is always 200.
	Live, Ready, Started *Checks
	// Metrics answers /metrics; nil for none.
	Metrics http1.Handler
	// Pprof shows profiles: they tell what the program does and what is in its memory.
	Pprof bool
}

// New makes the handler. Other paths are 404 and other methods than GET and HEAD 405. No
// response may be stored: it is true for a moment.
func New(o Options) http1.Handler {
	h := &handler{pages: map[string]http1.Handler{}}
	for path, checks := range map[string]*Checks{"/livez": o.Live, "/readyz": o.Ready, "/startupz": o.Started} {
		if checks == nil {
			checks = new(Checks)
		}
		h.pages[path] = probe(checks)
	}
	if o.Metrics != nil {
		h.pages["/metrics"] = o.Metrics
	}
	if o.Pprof {
		h.profiles = profiles()
	}
	return h
}

type handler struct {
	pages    map[string]http1.Handler
	profiles http1.Handler // nil for none
}

// Serve answers one request.
func (h *handler) Serve(w *http1.Response, r *http1.Request) {
	w.SetDefault("Cache-Control", "no-store")
	w.SetDefault("X-Content-Type-Options", "nosniff")
	page, allow := h.pages[r.Path()], "GET, HEAD, OPTIONS"
	if page == nil && h.profiles != nil && strings.HasPrefix(r.Path(), profilesPath) {
		page = h.profiles
		if r.Path() == symbolPath { // go tool pprof asks for many addresses at once
			allow = "GET, HEAD, POST, OPTIONS"
		}
	}
	method := r.Method()
	switch {
	case page == nil && r.Path() != "*":
		w.Text(404, "404 Not Found\n")
	case method == "OPTIONS":
		w.Set("Allow", allow)
		w.SetStatus(204)
	case page == nil, !allows(allow, method):
		w.Set("Allow", allow)
		w.Text(405, "405 Method Not Allowed\n")
	default:
		page.Serve(w, r)
	}
}

// allows tells whether a method is among those of an Allow field.
func allows(allow, method string) bool {
	for one := range strings.SplitSeq(allow, ", ") {
		if one == method {
			return true
		}
	}
	return false
}

// probe answers with what the checks say.
func probe(checks *Checks) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		s := checks.look(verbose(r.Query()))
		if s.Status != good.String() {
			w.SetStatus(503)
		}
		text, err := json.Marshal(s)
		if err != nil {
			panic(err) // strings can always be written
		}
		w.Set("Content-Type", "application/json")
		_, _ = w.Write(append(text, '\n')) // a client that has gone needs no answer
	})
}

// verbose tells whether the query has that parameter, with a value or without.
func verbose(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == "verbose" {
			return true
		}
	}
	return false
}
