// Package secure sets the response fields that tell browsers to be careful.
package secure

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// Off in place of a value leaves that field out.
const Off = "off"

// Options are the fields' values. The zero value has those that protect every ordinary
// site and break none; [Off] leaves one out. Where a handler sets a field itself, its value
// counts.
type Options struct {
	// ContentTypeOptions is "nosniff": a browser does not guess that a text is a script.
	ContentTypeOptions string
	// ReferrerPolicy is "strict-origin-when-cross-origin": other sites learn which site a
	// link was on, and not which page.
	ReferrerPolicy string
	// FrameOptions is "SAMEORIGIN": other sites cannot put this one into a frame and have
	// its buttons clicked. A Content-Security-Policy with frame-ancestors goes before it.
	FrameOptions string
	// OpenerPolicy is "same-origin-allow-popups": a window of another site that has opened
	// this one holds no reference to it, while windows that this one opens, to sign in or
	// to pay, go on working. It is sent over HTTPS alone; elsewhere browsers ignore it.
	OpenerPolicy string
	// ContentSecurityPolicy is empty, and then there is none: it depends on the site.
	ContentSecurityPolicy string
	// HSTS pins the host to HTTPS; nil does not.
	HSTS *HSTS
}

// HSTS makes browsers use HTTPS alone for a host, on every port of it, and let nobody click
// past a bad certificate (RFC 6797). It cannot be called back before MaxAge is over, but for
// a MaxAge of 0 at the next visit. It is sent over HTTPS alone (§7.2), and never for an
// address, which browsers ignore (§8.1.1), nor for a name that is not one of the public
// DNS: localhost and the like belong to other servers too, which would be out of reach.
type HSTS struct {
	MaxAge     time.Duration // in whole seconds, at least 0
	Subdomains bool
	Preload    bool // asks to be built into browsers
}

// Headers puts the fields on every response of next, and on the server's own in its place,
// such as a 500. What the parser refuses never gets here: that has nosniff and no more. It
// panics on a value that cannot be sent.
func Headers(next http1.Handler, o Options) http1.Handler {
	h := o.headers()
	h.next = next
	return h
}

// Names are the names of the fields that Headers would set, for a handler behind it which takes
// them back with [http1.Response.SetDefault]. It panics as Headers does.
func (o Options) Names() (names []string) {
	h := o.headers()
	for _, l := range []lines{h.always, h.overTLS, h.pinned} {
		for _, line := range l {
			names = append(names, line.name)
		}
	}
	return names
}

func (o Options) headers() *headers {
	h := new(headers)
	h.always.add("X-Content-Type-Options", o.ContentTypeOptions, "nosniff")
	h.always.add("Referrer-Policy", o.ReferrerPolicy, "strict-origin-when-cross-origin")
	h.always.add("X-Frame-Options", o.FrameOptions, "SAMEORIGIN")
	h.always.add("Content-Security-Policy", o.ContentSecurityPolicy, Off)
	h.overTLS.add("Cross-Origin-Opener-Policy", o.OpenerPolicy, "same-origin-allow-popups")
	if o.HSTS != nil {
		h.pinned.add("Strict-Transport-Security", o.HSTS.value(), Off)
	}
	return h
}

// value is the field's (RFC 6797 §6.1).
func (s *HSTS) value() string {
	if s.MaxAge < 0 {
		panic(fmt.Sprintf("secure: HSTS cannot last %v", s.MaxAge))
	}
	value := "max-age=" + strconv.FormatInt(int64(s.MaxAge/time.Second), 10)
	if s.Subdomains {
		value += "; includeSubDomains"
	}
	if s.Preload {
		value += "; preload"
	}
	return value
}

type headers struct {
	next                    http1.Handler
	always, overTLS, pinned lines
}

type lines []struct{ name, value string }

func (l *lines) add(name, value, otherwise string) {
	if value == "" {
		value = otherwise
	}
	if value == Off {
		return
	}
	for i := range len(value) {
		if b := value[i]; b < ' ' && b != '\t' || b == 0x7F {
			panic(fmt.Sprintf("secure: %s cannot be %q", name, value))
		}
	}
	*l = append(*l, struct{ name, value string }{name, value})
}

func (l lines) set(w *http1.Response) {
	for _, line := range l {
		w.SetDefault(line.name, line.value)
	}
}

func (h *headers) Serve(w *http1.Response, r *http1.Request) {
	h.always.set(w)
	if r.Scheme() == "https" {
		h.overTLS.set(w)
		if len(h.pinned) > 0 && isPublic(r.Authority()) {
			h.pinned.set(w)
		}
	}
	h.next.Serve(w, r)
}

// reserved are names that public DNS does not have: RFC 6761 (localhost, test, invalid,
// example), RFC 6762 (local), RFC 8375 (home.arpa), and internal, which ICANN reserved for
// private use in 2024.
var reserved = []string{"localhost", "test", "invalid", "example", "local", "home.arpa", "internal"}

// isPublic tells whether an authority, a host with an optional port that the parser has
// checked, names a host of the public DNS. A name without a dot is one of the own network.
func isPublic(authority string) bool {
	host := strings.ToLower(authority)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !strings.Contains(host, ".") {
		return false
	}
	for _, name := range reserved {
		if host == name || strings.HasSuffix(host, "."+name) {
			return false
		}
	}
	return true
}
