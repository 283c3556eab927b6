package vhost

import (
	"fmt"
	"net/netip"
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
	host = plainAddress(strings.ToLower(host))
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
	if label, parent, ok := strings.Cut(host, "."); ok && isLabel(label) && h.below[parent] != nil {
		return h.below[parent]
	}
	return h.any
}

// isLabel tells a label of a name from what else an authority can hold before its first dot:
// nothing at all, or "*", which would have "*.a.test" asked for by that name.
func isLabel(text string) bool {
	odd := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' }
	return text != "" && !strings.ContainsFunc(text, odd)
}

// Misdirected is the route's name in metrics and the access log of what no host is for.
const Misdirected = "misdirected"

// Serve answers by the host's handler, or 421: this server does not speak for that host (RFC 9110
// §15.5.20), and a client that came over a connection for another one may try anew.
func (h *Hosts) Serve(w *http1.Response, r *http1.Request) {
	if found := h.Find(r.AuthorityView()); found != nil {
		found.Serve(w, r)
		return
	}
	r.SetRoute(Misdirected, nil)
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
		return plainAddress(strings.TrimSuffix(inside, "]"))
	}
	return strings.TrimSuffix(host, ".")
}

// plainAddress writes an IPv6 address, which has many forms, in the one of RFC 5952; any other
// text stays.
func plainAddress(host string) string {
	if !strings.Contains(host, ":") {
		return host
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	return address.Unmap().String()
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
// port that the client used. OPTIONS * gets 204, and CONNECT, which has no path, 501: a 2xx would
// say that a tunnel begins (RFC 9110 §9.3.6), and a proxy in front that believes it lets through
// whatever the client sends next.
func ToHost(host string) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		path := r.Path()
		switch asks := r.Method(); {
		case strings.HasPrefix(path, "/") && asks != "CONNECT":
		case asks == "OPTIONS":
			w.SetStatus(204) // it asks about this server, not about a place
			return
		default:
			w.Text(501, "501 Not Implemented\n")
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
