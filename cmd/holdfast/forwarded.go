package main

import (
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/forwarded"
)

// forwardedFields are the words of --forwarded-field.
var forwardedFields = map[string]forwarded.Source{
	"auto": forwarded.Auto, "forwarded": forwarded.Forwarded, "x-forwarded-for": forwarded.XForwardedFor,
}

func (s *settings) readForwardedField(r *reader) {
	s.ForwardedField = forwardedFields[r.choice("forwarded-field", "auto", "forwarded", "x-forwarded-for")]
	if r.written("forwarded-field") && s.TrustedProxies.none() {
		s.Warnings = append(s.Warnings, fault{
			What: "forwarded-field has no effect", Where: r.get("forwarded-field").from, Why: "no proxy is trusted",
			Mend: "add --trusted-proxy with the proxy's address",
		})
	}
}

// behindProxies is handler, asked by the clients that trusted proxies name; handler itself
// where nobody is trusted.
func (h *house) behindProxies(s *settings, handler http1.Handler) http1.Handler {
	if s.TrustedProxies.none() {
		return handler
	}
	return forwarded.Handler(handler, forwarded.Options{Trusts: s.TrustedProxies.Trusts, Field: s.ForwardedField, Log: h.log})
}
