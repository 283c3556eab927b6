package observe

import (
	"net/netip"

	"github.com/holdfast-server/holdfast/http1"
)

// requestIDField is what proxies and programs agree on; no RFC knows it.
const requestIDField = "X-Request-Id"

// RequestID tells the client under which id the server knows its request, in X-Request-Id,
// on errors too. A handler's own field of that name goes before.
//
// It is the request's own id, by which the logs name it; it holds the numbers of the
// connection and of the request, so a client can tell how many connections there were. A
// caller that trusts says yes to may give another one: a single X-Request-Id field of 1 to
// 128 letters, digits, dots, underscores and hyphens. That is then sent back, and is in the
// access log as request_id, beside the server's own. From anyone else, and in any other
// form, the field is passed over: whoever could choose ids could make requests look like
// another's. trusts gets the address of Request.Peer, whoever that speaks for; nil trusts nobody.
func RequestID(next http1.Handler, trusts func(caller netip.Addr) bool) http1.Handler {
	return http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		id := ""
		if trusts != nil && trusts(r.Peer().Addr()) {
			id = givenID(r)
		}
		if id != "" {
			r.SetCallerID(id)
		} else {
			id = r.ID()
		}
		w.SetDefault(requestIDField, id)
		next.Serve(w, r)
	})
}

// givenID is the id that the request brought, "" without one that can be taken.
func givenID(r *http1.Request) (id string) {
	lines := 0
	for line := range r.Values(requestIDField) {
		id = line
		lines++
	}
	if lines != 1 || !validID(id) {
		return ""
	}
	return id
}

func validID(id string) bool {
	for i := range len(id) {
		switch b := id[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '.', b == '_', b == '-':
		default:
			return false
		}
	}
	return 0 < len(id) && len(id) <= callerIDLimitBytes
}
