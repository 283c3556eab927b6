package acme

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestMeaning(t *testing.T) {
	const acmeError = "urn:ietf:params:acme:error:"
	for _, c := range []struct {
		typ    string
		status int
		kind   string
	}{
		{acmeError + "rateLimited", 429, "rate-limited"},
		{acmeError + "unauthorized", 403, "unauthorized"},
		{acmeError + "dns", 400, "dns"},
		{acmeError + "connection", 400, "connection"},
		{acmeError + "tls", 400, "connection"},
		{acmeError + "caa", 403, "caa"},
		{acmeError + "badNonce", 400, "bad-nonce"},
		{acmeError + "serverInternal", 500, "server"},
		{acmeError + "userActionRequired", 403, "user-action"},
		{acmeError + "rejectedIdentifier", 400, "rejected-identifier"},
		{acmeError + "externalAccountRequired", 403, "external-account"},
		{acmeError + "invalidContact", 400, "contact"},
		{acmeError + "invalidProfile", 400, "profile"},
		{acmeError + "malformed", 400, "malformed"},
		{"urn:acme:error:RATELIMITED", 400, "rate-limited"}, // older CAs
		{"about:blank", 429, "rate-limited"},
		{"", 429, "rate-limited"},
		{"", 502, "server"},
		{acmeError + "somethingNew", 400, "malformed"},
		{acmeError + "somethingNew", 500, "server"},
		{"", 404, "malformed"},
	} {
		if got := (problem{Type: c.typ}).meaning(c.status); got.kind != c.kind || got.words == "" {
			t.Errorf("%q with %d: %+v, want %s", c.typ, c.status, got, c.kind)
		}
	}
	t.Run("compound means its first part of a known kind", func(t *testing.T) {
		p := problem{Type: acmeError + "compound", Subproblems: []problem{{Type: acmeError + "what"}, {Type: acmeError + "caa"}, {Type: acmeError + "dns"}}}
		if got := p.meaning(403); got.kind != "caa" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a kind is a short word that a metric may have", func(t *testing.T) {
		for name, m := range meanings {
			if strings.ToLower(name) != name || strings.Trim(m.kind, "abcdefghijklmnopqrstuvwxyz-") != "" || m.kind == "" {
				t.Errorf("%q: %+v", name, m)
			}
		}
	})
}

func TestQuoted(t *testing.T) {
	for given, want := range map[string]string{
		"":                              "",
		"plain words":                   "plain words",
		"  a\r\n\tb  ":                  "a b",
		"red \x1b[31m text\x00":         "red [31m text",
		"turned \u202eround\u2069":      "turned round",
		"two\u2028lines\u0085here":      "two lines here",
		"not \xff UTF-8":                "not \uFFFD UTF-8",
		"Ünïcode stays":                 "Ünïcode stays",
		strings.Repeat("a", 300):        strings.Repeat("a", 297) + "…",
		strings.Repeat("ä", 300):        strings.Repeat("ä", 148) + "…",
		strings.Repeat("\n", 1000) + "": "",
	} {
		if got := quoted(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many","status":429}`))
	f.Add([]byte(`{"type":"urn:ietf:params:acme:error:compound","subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"\u001b[31m"}]}`))
	f.Add([]byte(`{"type":":","subproblems":[{"subproblems":[{}]}]}`))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, ok := parseProblem(body)
		if ok && !json.Valid(body) {
			t.Error("a problem document that is no JSON")
		}
		m := p.meaning(400)
		words := withDetail(m.words, p.Detail)
		if m.kind == "" || len(words) > len(m.words)+detailLimitBytes+len(" (the CA says: )") || !utf8.ValidString(words) {
			t.Errorf("%q, %q", m.kind, words)
		}
		for _, r := range words {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				t.Errorf("%U in %q", r, words)
			}
		}
	})
}
