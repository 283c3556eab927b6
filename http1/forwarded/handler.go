package forwarded

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/http1"
)

// A Source says which fields are believed.
type Source uint8

const (
	// Auto believes whichever is present. Where both are, one of them was likely sent by the
	// client, through a proxy that knows only the other, and nothing tells which: so they
	// have to agree on client and scheme, or neither is believed.
	Auto Source = iota
	// Forwarded is that of RFC 7239.
	Forwarded
	// XForwardedFor is X-Forwarded-For and X-Forwarded-Proto.
	XForwardedFor
)

// Options of a [Handler].
type Options struct {
	// Trusts tells whether a peer's, or a listed proxy's, word is believed. IPv4 addresses are
	// given as such; one that is not valid is a peer on a unix socket. Nil trusts nobody.
	Trusts func(netip.Addr) bool
	// Field says which fields the trusted proxies write. Whoever knows should say so: with Auto a
	// client can hide behind its proxy by sending the other one.
	Field Source
	// Log gets a warning, once a minute at most, where Auto finds that both disagree; nil discards.
	Log *slog.Logger
}

const (
	fieldForwarded = "Forwarded"
	fieldFor       = "X-Forwarded-For"
	fieldProto     = "X-Forwarded-Proto"

	warningPause = time.Minute // a client can bring about a warning with each request
)

// Handler returns a handler that sets the client and the scheme of each request that comes
// from a trusted peer, where a field tells, before next sees it. The port of the client is
// 0 unless the field names it. The fields stay as they are, and are without effect from
// anybody else, and where the PROXY protocol brought the peer without naming its client. A request without them costs no allocation.
func Handler(next http1.Handler, o Options) http1.Handler {
	if o.Trusts == nil {
		return next
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &handler{next: next, Options: o}
}

type handler struct {
	next http1.Handler
	Options
	warned atomic.Int64 // Unix time in ns of the last warning, 0 for none
}

func (h *handler) Serve(w *http1.Response, r *http1.Request) {
	if !r.Unnamed() && h.Trusts(r.Peer().Addr().Unmap()) {
		v := h.read(r)
		if v.client.IsValid() {
			r.SetClient(v.client)
		}
		if v.scheme != "" {
			r.SetScheme(v.scheme)
		}
	}
	h.next.Serve(w, r)
}

// A verdict is what a field says of the client.
type verdict struct {
	client netip.AddrPort // not valid: the peer
	scheme string         // "": the connection's
}

// read reads the fields that are believed.
func (h *handler) read(r *http1.Request) verdict {
	byRFC := h.Field != XForwardedFor && r.FieldView(fieldForwarded) != nil
	byHabit := h.Field != Forwarded && (r.FieldView(fieldFor) != nil || r.FieldView(fieldProto) != nil)
	switch {
	case byRFC && byHabit:
		return h.agreed(r)
	case byRFC:
		return h.forwarded(r)
	case byHabit:
		return h.xForwarded(r)
	}
	return verdict{}
}

func (h *handler) forwarded(r *http1.Request) verdict {
	return readForwarded(lines(r, fieldForwarded), h.Trusts)
}

func (h *handler) xForwarded(r *http1.Request) verdict {
	return readXForwarded(lines(r, fieldFor), lines(r, fieldProto), h.Trusts)
}

func lines(r *http1.Request, name string) []string { return slices.Collect(r.Values(name)) }

// agreed is what both say; nothing, where they do not say the same.
func (h *handler) agreed(r *http1.Request) verdict {
	a, b := h.forwarded(r).orElse(r), h.xForwarded(r).orElse(r)
	if a.client.Port() == 0 {
		a, b = b, a // a is the one that may know more
	}
	samePort := b.client.Port() == 0 || a.client.Port() == b.client.Port()
	if a.client.Addr() == b.client.Addr() && samePort && a.scheme == b.scheme {
		return a
	}
	h.warn(r)
	return verdict{}
}

// orElse fills in what the request is without a proxy's word.
func (v verdict) orElse(r *http1.Request) verdict {
	if !v.client.IsValid() {
		v.client = netip.AddrPortFrom(r.Peer().Addr().Unmap(), r.Peer().Port())
	}
	if v.scheme == "" {
		v.scheme = r.Scheme()
	}
	return v
}

func (h *handler) warn(r *http1.Request) {
	now, last := time.Now().UnixNano(), h.warned.Load()
	if last != 0 && now-last < int64(warningPause) || !h.warned.CompareAndSwap(last, now) {
		return
	}
	h.Log.Warn("Forwarded and X-Forwarded-For disagree, so neither is believed",
		"request", r.ID(), "peer", r.Peer().String(),
		"mend", "say with --forwarded-field which one the proxy writes")
}
