package main

import (
	"github.com/holdfast-server/holdfast/certs/acme"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
)

// validated serves HTTP on connections, but for those of a CA that validates: with the handshake it
// has seen all that there is to see (RFC 8737 §3), and the connection ends.
type validated struct{ *http1.Server }

func (v validated) ServeConn(c *conn.Conn) error {
	if c.TLS() != nil && c.TLS().NegotiatedProtocol == acme.Protocol {
		return nil
	}
	return v.Server.ServeConn(c)
}

// challenged is next, with the answers to challenges before it where a CA is asked.
func (h *house) challenged(next http1.Handler) http1.Handler {
	if c := h.certificates.public.challenges; c != nil {
		return challenged{c, next}
	}
	return next
}

// challenged answers HTTP-01 (RFC 8555 §8.3), for the hosts and tokens of orders under way, and
// leaves everything else to the next handler.
type challenged struct {
	challenges *acme.Challenges
	next       http1.Handler
}

func (c challenged) Serve(w *http1.Response, r *http1.Request) {
	if r.Method() == "GET" || r.Method() == "HEAD" {
		if token, ok := acme.Token(r.Path()); ok {
			if body, ok := c.challenges.KeyAuthorization(r.Context(), r.Authority(), token); ok {
				w.Set("Cache-Control", "no-store")
				w.Set("Content-Type", "application/octet-stream")
				_, _ = w.WriteString(body) // a CA that leaves will be back
				return
			}
		}
	}
	c.next.Serve(w, r)
}
