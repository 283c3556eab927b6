package vhost

import (
	"fmt"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// Hosts hands each request to the handler of its host. The zero value has none. It is not to be
// changed while it serves.
type Hosts struct {
	exact map[string]http1.Handler
	below map[string]http1.Handler // by what follows the first label
	any   http1.Handler
}

// Any as a host is all that have no handler of their own.
const Any = "*"

// Add gives a host its handler: a name in A-labels, an address (IPv6 without brackets),
// "*.NAME" for the names with one more label, of which an exact one goes before it, or [Any].
// A host that has a handler already is an error.
func (h *Hosts) Add(host string, handler http1.Handler) error {
	if h.exact == nil {
		h.exact, h.below = make(map[string]http1.Handler), make(map[string]http1.Handler)
	}
	host = strings.ToLower(host)
	parent, wild := strings.CutPrefix(host, "*.")
	switch {
	case h.exact[host] != nil, wild && h.below[parent] != nil, host == Any && h.any != nil:
		return fmt.Errorf("vhost: host %q has a handler already", host)
	case host == Any:
		h.any = handler
	case wild:
		h.below[parent] = handler
	default:
		h.exact[host] = handler
	}
	return nil
}

// Find is the handler for an authority, which is a host with or without a port; nil for none.
// Letters are the same in either case, and a dot at the end of a name means nothing (RFC 3986
// §3.2.2).
func (h *Hosts) Find(authority []byte) http1.Handler {
	host := hostOf(authority)
	if found := h.exact[host]; found != nil {
		return found
	}
	if _, parent, ok := strings.Cut(host, "."); ok && h.below[parent] != nil {
		return h.below[parent]
	}
	return h.any
}

// Serve answers by the host's handler, or 421: this server does not speak for that host (RFC 9110
// §15.5.20), and a client that came over a connection for another one may try anew.
func (h *Hosts) Serve(w *http1.Response, r *http1.Request) {
	if found := h.Find(r.AuthorityView()); found != nil {
		found.Serve(w, r)
		return
	}
	w.Text(421, "421 Misdirected Request\nThis server does not serve that host.\n")
}

// Only lets through to next what the hosts have a handler for, and answers 421 otherwise.
func (h *Hosts) Only(next http1.Handler) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if h.Find(r.AuthorityView()) == nil {
			h.Serve(w, r)
			return
		}
		next.Serve(w, r)
	})
}

// hostOf is an authority's host in lower case, without the port, brackets and a dot at the end.
func hostOf(authority []byte) string {
	host, _ := split(strings.ToLower(string(authority)))
	if inside, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inside, "]")
	}
	return strings.TrimSuffix(host, ".")
}

// split parts an authority before the colon of its port.
func split(authority string) (host, port string) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, ""
	}
	return authority[:i], authority[i:]
}

// ToHost redirects (308) to the same path and query of another host, with the scheme and the
// port that the client used.
func ToHost(host string) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		path := r.Path()
		if !strings.HasPrefix(path, "/") {
			w.SetStatus(204) // OPTIONS *: it asks about this server, not about a place
			return
		}
		_, port := split(r.Authority())
		if port == ":" {
			port = ""
		}
		redirect(w, 308, withQuery(r.Scheme()+"://"+host+port+path, r.Query()))
	})
}

func withQuery(url, query string) string {
	if query == "" {
		return url
	}
	return url + "?" + query
}
