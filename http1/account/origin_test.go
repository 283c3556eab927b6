package account

import (
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

func TestCrossOrigin(t *testing.T) {
	for _, c := range []struct {
		name    string
		fields  []string
		host    string
		refused bool
	}{
		{"neither field: no browser", nil, "", false},
		{"the same origin, says the browser", []string{"Sec-Fetch-Site", "same-origin"}, "", false},
		{"a person's own doing", []string{"Sec-Fetch-Site", "none"}, "", false},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, "", true},
		{"another host of the site", []string{"Sec-Fetch-Site", "same-site"}, "", true},
		{"a word nobody knows yet", []string{"Sec-Fetch-Site", "near-site"}, "", true},
		{"two words of two fields", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "cross-site"}, "", true},
		{"what the browser says of the site goes before the origin", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://example.test"}, "", true},
		{"the own origin", []string{"Origin", "https://example.test"}, "", false},
		{"in another case", []string{"Origin", "https://EXAMPLE.test"}, "", false},
		{"with the scheme's port", []string{"Origin", "https://example.test:443"}, "", false},
		{"whose port the authority names", []string{"Origin", "https://example.test"}, "example.test:443", false},
		{"with the own port", []string{"Origin", "https://example.test:8443"}, "example.test:8443", false},
		{"another port", []string{"Origin", "https://example.test:8443"}, "", true},
		{"another scheme", []string{"Origin", "http://example.test"}, "", true},
		{"another host", []string{"Origin", "https://evil.example"}, "", true},
		{"a host that begins alike", []string{"Origin", "https://example.test.evil.example"}, "", true},
		{"a host that ends alike", []string{"Origin", "https://evil-example.test"}, "", true},
		{"an origin that the browser hides", []string{"Origin", "null"}, "", true},
		{"no URL at all", []string{"Origin", "example.test"}, "", true},
		{"an empty origin and no site", []string{"Origin", ""}, "", false},
		{"a trusted origin", []string{"Origin", "https://app.example", "Sec-Fetch-Site", "cross-site"}, "", false},
		{"one that begins like a trusted one", []string{"Origin", "https://app.example.evil", "Sec-Fetch-Site", "cross-site"}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := !c.refused
			http1test.Do(http1.HandlerFunc(func(_ *http1.Response, r *http1.Request) {
				got = crossOrigin(r, []string{"https://app.example"})
			}), http1test.Request{Method: "POST", Secure: true, Fields: c.fields, Authority: c.host})
			if got != c.refused {
				t.Errorf("refused: %v", got)
			}
		})
	}
}

func TestTrustedOrigins(t *testing.T) {
	for _, text := range []string{"https://app.example.org", "https://app.example.org:8443", "https://192.0.2.1", "https://[2001:db8::1]", "https://[2001:db8::1]:8443", "https://localhost:1"} {
		if err := checkOrigin(text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "null", "*", "https://", "http://app.example.org", "app.example.org", "https://app.example.org/", "https://app.example.org/x", "https://App.example.org",
		"HTTPS://app.example.org", "https://app.example.org:", "https://app.example.org:443", "https://app.example.org:0", "https://app.example.org:08443", "https://app.example.org:99999",
		"https://ann@app.example.org", "https://*.example.org", "https://app.example.org?x", "https://app.example.org#x", "https://:8443", "https://\u00e4pp.example.org", " https://app.example.org"} {
		if checkOrigin(text) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
