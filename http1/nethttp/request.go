package nethttp

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/holdfast-server/holdfast/http1"
)

// request is r as net/http's server would have read it. body is nil when there is none.
func (a *adaptor) request(r *http1.Request) (req *http.Request, b *body, err error) {
	req = &http.Request{
		Method: r.Method(), RequestURI: r.Target(), Proto: r.Proto(), ProtoMajor: 1,
		Header: http.Header{}, Host: r.Authority(), TLS: r.TLS(),
		ContentLength: r.ContentLength(), Body: http.NoBody, RemoteAddr: remoteAddr(r.Client()),
	}
	req.ProtoMinor = int(req.Proto[len(req.Proto)-1] - '0')
	if req.URL, err = parseTarget(req.Method, req.RequestURI); err != nil {
		return nil, nil, err
	}
	if r.Rewritten() { // as by http.StripPrefix, RequestURI stays
		path, err := url.ParseRequestURI(r.Path())
		if err != nil {
			return nil, nil, err
		}
		req.URL.Path, req.URL.RawPath = path.Path, path.RawPath
	}
	for name, value := range r.Fields() {
		name = textproto.CanonicalMIMEHeaderKey(name)
		req.Header[name] = append(req.Header[name], value)
	}
	adjustHeader(req)
	req.Pattern = r.Route()
	for name, value := range r.PathValues() {
		req.SetPathValue(name, value)
	}
	req = req.WithContext(&requestContext{Context: r.Context(), adaptor: a, local: r.Local()})
	if req.ContentLength != 0 {
		b = &body{r: r, from: r.Body(), request: req}
		req.Body = b
	}
	return req, b, nil
}

// parseTarget reads a request target. That of CONNECT is an authority, except net/rpc's,
// which is a path.
func parseTarget(method, target string) (*url.URL, error) {
	if method != http.MethodConnect || strings.HasPrefix(target, "/") {
		return url.ParseRequestURI(target)
	}
	u, err := url.ParseRequestURI("http://" + target)
	if err == nil {
		u.Scheme = ""
	}
	return u, err
}

// adjustHeader takes out of the header what has a place of its own in the request.
func adjustHeader(req *http.Request) {
	h := req.Header
	delete(h, "Host")
	if p, ok := h["Pragma"]; ok && p[0] == "no-cache" {
		if _, ok := h["Cache-Control"]; !ok {
			h["Cache-Control"] = []string{"no-cache"} // RFC 9111 §5.4
		}
	}
	if hasToken(h["Connection"], "close") {
		req.Close = true
	} else if req.ProtoMinor == 0 {
		req.Close = !hasToken(h["Connection"], "keep-alive")
	}
	if req.ContentLength >= 0 {
		return
	}
	req.TransferEncoding = []string{"chunked"}
	delete(h, "Transfer-Encoding")
	if announced, ok := h["Trailer"]; ok {
		delete(h, "Trailer")
		for name := range members(announced) {
			if req.Trailer == nil {
				req.Trailer = http.Header{}
			}
			req.Trailer[textproto.CanonicalMIMEHeaderKey(name)] = nil
		}
	}
}

// remoteAddr is an address as net/http writes it: "@" stands for a peer without one, on a
// unix socket.
func remoteAddr(a netip.AddrPort) string {
	if !a.IsValid() {
		return "@"
	}
	return a.String()
}

// requestContext is http1's context of the request with the values that net/http's server
// gives to it, and the program's own.
type requestContext struct {
	context.Context
	adaptor *adaptor
	local   netip.AddrPort
}

// Value looks among the server's values, then the request's, then the program's.
func (c *requestContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return c.adaptor.Server
	case http.LocalAddrContextKey:
		if !c.local.IsValid() {
			return net.Addr(&net.UnixAddr{Net: "unix"})
		}
		return net.Addr(net.TCPAddrFromAddrPort(c.local))
	}
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.adaptor.BaseContext.Value(key)
}
