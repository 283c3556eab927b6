// Package redirect sends clients from plain HTTP to HTTPS.
package redirect

import (
	"strconv"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// ToHTTPS redirects every request to the same host, path and query over HTTPS, with 308
// so that the method and the content stay (RFC 9110 §15.4.9). A URL that was typed is
// asked for only once: nothing about the redirect is secret, so clients may keep it, unless
// there is a Site. Then the answer hangs on what a proxy says of the scheme, and one that a
// cache took from a request that lied would redirect everybody in a circle.
//
// A query is kept out of the log: whether there is a secret in it is the site's to say, once the
// client comes over HTTPS.
type ToHTTPS struct {
	// Port is the port to name; 0 means 443 when the request's host names no port, and
	// ListenerPort when it does: whoever reached us by a port of its own, on a
	// developer's machine say, is not behind a mapping to 443.
	Port         int
	ListenerPort int
	// Site answers what came over HTTPS already, to a proxy in front that is trusted to say so: a
	// redirect would come back here for ever. Nil redirects that too.
	Site http1.Handler
}

// Serve answers with the redirect, or leaves the request to t.Site. A request without a
// host (HTTP/1.0) gets 400, for there is nowhere to send it, and OPTIONS * gets 204.
func (t ToHTTPS) Serve(w *http1.Response, r *http1.Request) {
	if t.Site != nil && r.Scheme() == "https" {
		t.Site.Serve(w, r)
		return
	}
	r.ConcealQuery()
	path := r.Path()
	switch authority := r.Authority(); {
	case !strings.HasPrefix(path, "/") && r.Method() == "OPTIONS":
		w.SetStatus(204)
	case authority == "" || !strings.HasPrefix(path, "/"):
		w.Text(400, "400 Bad Request\nThis port only redirects to HTTPS, and the request names no host.\n")
	default:
		w.Set("Location", t.location(authority, path, r.Query()))
		if t.Site != nil {
			w.Set("Cache-Control", "no-store")
		}
		w.Text(308, "308 Permanent Redirect\nThis site speaks HTTPS.\n")
	}
}

// location is the URL to go to. The parser has checked that authority is a host with an
// optional port and that path and query hold no byte that a field value must not.
func (t ToHTTPS) location(authority, path, query string) string {
	host, hadPort := splitPort(authority)
	port := t.Port
	switch {
	case port != 0:
	case hadPort:
		port = t.ListenerPort
	default:
		port = 443
	}
	url := "https://" + host
	if port != 443 {
		url += ":" + strconv.Itoa(port)
	}
	url += path
	if query != "" {
		url += "?" + query
	}
	return url
}

// splitPort takes the port off an authority; an IPv6 address keeps its brackets.
func splitPort(authority string) (host string, hadPort bool) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, false
	}
	return authority[:i], i+1 < len(authority)
}
