package http1

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
)

// behind is what a middleware behind a proxy does: it says who asks, where the path begins
// with /told, and then answers with it.
func behind(w *Response, r *Request) {
	if strings.HasPrefix(r.Path(), "/told") {
		r.SetClient(netip.MustParseAddrPort("203.0.113.7:4711"))
		r.SetScheme("https")
	}
	if r.Path() == "/told/reads" {
		_, _ = io.ReadAll(r.Body())
	}
	_, _ = w.WriteString("ok")
}

func TestRecordsNameTheClient(t *testing.T) {
	told := func(*site, *Record) string { return "203.0.113.7:4711 by https" }
	own := func(s *site, r *Record) string {
		if s.secure {
			return r.Peer.String() + " by https"
		}
		return r.Peer.String() + " by http"
	}
	for _, c := range []struct {
		name, message string
		want          []func(*site, *Record) string
	}{
		{"as a handler set it, for that request alone", get("/told") + get("/"), []func(*site, *Record) string{told, own}},
		{"as the peer, where the parser refuses what follows", get("/told") + "GET /bad\n", []func(*site, *Record) string{told, own}},
		{"as a handler set it, where its content is refused", "POST /told/reads HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", []func(*site, *Record) string{told}},
	} {
		t.Run(c.name, func(t *testing.T) {
			overBoth(t, HandlerFunc(behind), func(t *testing.T, s *site) {
				client := s.ask(c.message)
				local := client.nc.LocalAddr().String()
				for i, r := range s.observed(len(c.want)) {
					if got, want := fmt.Sprint(r.Client, " by ", r.Scheme), c.want[i](s, &r); got != want || r.Peer.String() != local {
						t.Errorf("record %d: client %s, want %s; peer %s, want %s", i, got, want, r.Peer, local)
					}
				}
			})
		})
	}
}
