package observe

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func TestRequestID(t *testing.T) {
	proxy := netip.MustParseAddr("192.0.2.1") // where http1test asks from
	fromProxy := func(a netip.Addr) bool { return a == proxy }
	fromOther := func(a netip.Addr) bool { return a != proxy }
	const given = "Req_1.9f-86"
	long := strings.Repeat("a", 128)
	for _, c := range []struct {
		name   string
		trusts func(netip.Addr) bool
		fields []string
		want   string // "" for the request's own id
	}{
		{"without a field it is the request's own", fromProxy, nil, ""},
		{"a trusted caller's is taken", fromProxy, []string{"X-Request-Id", given}, given},
		{"in any case of its name", fromProxy, []string{"x-request-ID", given}, given},
		{"up to 128 bytes", fromProxy, []string{"X-Request-Id", long}, long},
		{"and no more", fromProxy, []string{"X-Request-Id", long + "a"}, ""},
		{"none is not one", fromProxy, []string{"X-Request-Id", ""}, ""},
		{"two are none", fromProxy, []string{"X-Request-Id", given, "X-Request-Id", given}, ""},
		{"a list is none", fromProxy, []string{"X-Request-Id", "a, b"}, ""},
		{"a quote is none", fromProxy, []string{"X-Request-Id", `a"b`}, ""},
		{"bytes beyond ASCII are none", fromProxy, []string{"X-Request-Id", "é"}, ""},
		{"a control byte is none", fromProxy, []string{"X-Request-Id", "a\x1b[2J"}, ""},
		{"another caller's is passed over", fromOther, []string{"X-Request-Id", given}, ""},
		{"with nobody to trust, everyone's is", nil, []string{"X-Request-Id", given}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var own, caller string
			h := http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) { own, caller = r.ID(), r.CallerID() })
			res := http1test.Do(RequestID(h, c.trusts), http1test.Request{Fields: c.fields})
			want := c.want
			if want == "" {
				want = own
			}
			if got := res.Values("X-Request-Id"); !slices.Equal(got, []string{want}) || caller != c.want {
				t.Errorf("the client gets %q, the handler %q; want %q and %q", got, caller, want, c.want)
			}
		})
	}
}

func TestRequestIDIsOnEveryResponse(t *testing.T) {
	for name, h := range map[string]http1.HandlerFunc{
		"a panic's 500":     func(*http1.Response, *http1.Request) { panic("no") },
		"one that is reset": func(w *http1.Response, _ *http1.Request) { w.Reset() },
		"a 404":             func(w *http1.Response, _ *http1.Request) { w.Text(404, "none\n") },
	} {
		t.Run(name, func(t *testing.T) {
			if res := http1test.Do(RequestID(h, nil), http1test.Request{}); res.Get("X-Request-Id") == "" {
				t.Errorf("got %v", res.Fields)
			}
		})
	}
	t.Run("unless the handler has its own", func(t *testing.T) {
		h := http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.Set("X-Request-Id", "backend-1") })
		if got := http1test.Do(RequestID(h, nil), http1test.Request{}).Values("X-Request-Id"); !slices.Equal(got, []string{"backend-1"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAccessLogOfACallersID(t *testing.T) {
	r := record()
	r.CallerID = "edge-7"
	if line := jsonLine(t, r); line["request_id"] != "edge-7" || line["id"] != r.ID {
		t.Errorf("line is %v", line)
	}
	if text := textLine(r, false); !strings.Contains(text, "request_id=edge-7") {
		t.Errorf("line is %q", text)
	}
	r.CallerID = "a\nb\x1b[2J" + strings.Repeat("c", 1000) // a handler's, who checked nothing
	if line := jsonLine(t, r); strings.ContainsAny(line["request_id"].(string), "\n\x1b") || len(line["request_id"].(string)) > 600 {
		t.Errorf("line is %v", line)
	}
}

// Behind a proxy the caller is the proxy, whoever it speaks for.
func TestRequestIDIsTakenFromThePeer(t *testing.T) {
	peer, client := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.7")
	for trusted, want := range map[netip.Addr]bool{peer: true, client: false} {
		h := RequestID(http1.HandlerFunc(func(*http1.Response, *http1.Request) {}), func(a netip.Addr) bool { return a == trusted })
		told := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
			r.SetClient(netip.AddrPortFrom(client, 0))
			h.Serve(w, r)
		})
		res := http1test.Do(told, http1test.Request{Fields: []string{"X-Request-Id", "given"}})
		if taken := res.Get("X-Request-Id") == "given"; taken != want {
			t.Errorf("%s trusted: the id is taken: %v, want %v", trusted, taken, want)
		}
	}
}
