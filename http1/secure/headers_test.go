package secure

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

var page = http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { _, _ = w.WriteString("page") })

// fields are a response's, as "Name: value", in their order.
func fields(res *http1test.Response) (all []string) {
	for _, l := range res.Fields {
		all = append(all, l.Name+": "+l.Value)
	}
	return all
}

var safe = []string{"X-Content-Type-Options: nosniff", "Referrer-Policy: strict-origin-when-cross-origin", "X-Frame-Options: SAMEORIGIN"}

const popups = "Cross-Origin-Opener-Policy: same-origin-allow-popups"

func TestHeaders(t *testing.T) {
	pinned := &HSTS{MaxAge: 24 * time.Hour}
	for _, c := range []struct {
		name string
		o    Options
		ask  http1test.Request
		want []string
	}{
		{"the zero value has what is safe", Options{}, http1test.Request{}, safe},
		{"over HTTPS the opener policy comes with it", Options{}, http1test.Request{Secure: true}, append(slices.Clone(safe), popups)},
		{"each has another value if it is given", Options{ContentTypeOptions: "a", ReferrerPolicy: "b", FrameOptions: "c", OpenerPolicy: "d", ContentSecurityPolicy: "e"},
			http1test.Request{Secure: true}, []string{"X-Content-Type-Options: a", "Referrer-Policy: b", "X-Frame-Options: c", "Content-Security-Policy: e", "Cross-Origin-Opener-Policy: d"}},
		{"each can be left out", Options{ContentTypeOptions: Off, ReferrerPolicy: Off, FrameOptions: Off, OpenerPolicy: Off}, http1test.Request{Secure: true}, nil},
		{"HSTS can go alone (RFC 6797 §7.1)", Options{ContentTypeOptions: Off, ReferrerPolicy: Off, FrameOptions: Off, OpenerPolicy: Off, HSTS: pinned},
			http1test.Request{Secure: true, Authority: "a.example.org"}, []string{"Strict-Transport-Security: max-age=86400"}},
		{"HSTS does not go over plain HTTP (§7.2)", Options{HSTS: pinned}, http1test.Request{Authority: "a.example.org"}, safe},
		{"nor to localhost", Options{HSTS: pinned}, http1test.Request{Secure: true, Authority: "localhost:8443"}, append(slices.Clone(safe), popups)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fields(http1test.Do(Headers(page, c.o), c.ask)); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// HSTS's value is that of RFC 6797 §6.1.
func TestHSTSValue(t *testing.T) {
	for want, s := range map[string]HSTS{
		"max-age=0":                           {},
		"max-age=1":                           {MaxAge: 1999 * time.Millisecond},
		"max-age=31536000; includeSubDomains": {MaxAge: 8760 * time.Hour, Subdomains: true},
		"max-age=63072000; includeSubDomains; preload": {MaxAge: 17520 * time.Hour, Subdomains: true, Preload: true},
		"max-age=315360000; preload":                   {MaxAge: 87600 * time.Hour, Preload: true},
	} {
		if got := s.value(); got != want {
			t.Errorf("%+v: got %q, want %q", s, got, want)
		}
	}
}

// Whatever comes of a request, each field is there once, and the handler's own counts.
func TestEveryResponseHasThem(t *testing.T) {
	tooLarge := http1.Reasons()[slices.IndexFunc(http1.Reasons(), func(r *http1.Reason) bool { return r.Code == "body-too-large" })]
	for _, c := range []struct {
		name            string
		h               http1.HandlerFunc
		ask             http1test.Request
		status          int
		nosniff, frames string
	}{
		{"an error in plain text", func(w *http1.Response, _ *http1.Request) { w.Text(404, "none\n") }, http1test.Request{}, 404, "nosniff", "SAMEORIGIN"},
		{"a panic", func(*http1.Response, *http1.Request) { panic("no") }, http1test.Request{}, 500, "nosniff", "SAMEORIGIN"},
		{"a panic of a handler that set its own", func(w *http1.Response, _ *http1.Request) { w.Set("X-Frame-Options", "DENY"); panic("no") },
			http1test.Request{}, 500, "nosniff", "SAMEORIGIN"},
		{"refused content", func(_ *http1.Response, r *http1.Request) { _, _ = r.Body().Read(make([]byte, 9)) }, http1test.Request{Refused: tooLarge}, 413, "nosniff", "SAMEORIGIN"},
		{"a response that was begun anew", func(w *http1.Response, _ *http1.Request) { w.Set("A", "b"); w.Reset() }, http1test.Request{}, 200, "nosniff", "SAMEORIGIN"},
		{"304", func(w *http1.Response, _ *http1.Request) { w.SetStatus(304) }, http1test.Request{}, 304, "nosniff", "SAMEORIGIN"},
		{"HEAD", page, http1test.Request{Method: "HEAD"}, 200, "nosniff", "SAMEORIGIN"},
		{"what the handler sets", func(w *http1.Response, _ *http1.Request) { w.Set("x-frame-options", "DENY") }, http1test.Request{}, 200, "nosniff", "DENY"},
		{"what the handler adds", func(w *http1.Response, _ *http1.Request) { w.Add("X-Frame-Options", "DENY") }, http1test.Request{}, 200, "nosniff", "DENY"},
		{"what the handler takes back from itself", func(w *http1.Response, _ *http1.Request) { w.Add("X-Frame-Options", "DENY"); w.Del("X-Frame-Options") },
			http1test.Request{}, 200, "nosniff", "SAMEORIGIN"},
		{"what the handler takes back from us", func(w *http1.Response, _ *http1.Request) { w.SetDefault("X-Frame-Options", "") }, http1test.Request{}, 200, "nosniff", ""},
		{"two of them around each other", Headers(page, Options{FrameOptions: "DENY"}).Serve, http1test.Request{}, 200, "nosniff", "DENY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := http1test.Do(Headers(c.h, Options{}), c.ask)
			nosniff, frames := strings.Join(res.Values("X-Content-Type-Options"), "|"), strings.Join(res.Values("X-Frame-Options"), "|")
			if res.Status != c.status || nosniff != c.nosniff || frames != c.frames {
				t.Errorf("got %d, %q and %q, want %d, %q and %q", res.Status, nosniff, frames, c.status, c.nosniff, c.frames)
			}
		})
	}
}

// A pin on a name that is not one host's alone would put others out of reach.
func TestIsPublic(t *testing.T) {
	for authority, want := range map[string]bool{
		"example.org": true, "example.org:8443": true, "a.b.example.org.": true, "EXAMPLE.ORG": true, "xn--bcher-kva.example.org": true,
		"localhost.example.org": true, "mylocalhost.org": true, "test.org": true, "notinternal.com": true,
		"": false, "localhost": false, "localhost:8443": false, "LocalHost.": false, "app.localhost": false, "app.localhost:1": false,
		"harbour": false, "harbour:8443": false, "a.test": false, "a.example": false, "a.invalid": false, "printer.local": false,
		"nas.home.arpa": false, "ci.internal:443": false, "CI.INTERNAL": false,
		"127.0.0.1": false, "127.0.0.1:8443": false, "192.0.2.1": false, "[::1]": false, "[::1]:8443": false, "[2001:db8::1]:443": false,
	} {
		if got := isPublic(authority); got != want {
			t.Errorf("%q: got %t, want %t", authority, got, want)
		}
	}
}

func TestValuesThatCannotBeSent(t *testing.T) {
	for name, o := range map[string]Options{
		"a line end":      {FrameOptions: "DENY\r\nSet-Cookie: a=b"},
		"NUL":             {ReferrerPolicy: "\x00"},
		"DEL":             {ContentSecurityPolicy: "\x7f"},
		"a negative time": {HSTS: &HSTS{MaxAge: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("was taken")
				}
			}()
			Headers(page, o)
		})
	}
}

// Fields of a handler that aborts do not matter: nothing is sent.
func TestAbort(t *testing.T) {
	res := http1test.Do(Headers(http1.HandlerFunc(func(*http1.Response, *http1.Request) { panic(http1.ErrAbort) }), Options{}), http1test.Request{})
	if !res.Cut || !errors.Is(res.Result.Err, http1.ErrAbort) || len(res.Fields) > 0 {
		t.Errorf("got %+v", res)
	}
}
