package acme

import (
	"context"
	"crypto/x509"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/certs/acme/acmetest"
	"github.com/holdfast-server/holdfast/certs/renewal"
)

var _ renewal.Adviser = (*Adviser)(nil)

func TestAdviser(t *testing.T) {
	t.Parallel()
	s := newSite(t, acmetest.Config{}, "example.org")
	certificate := s.issue(t, s.issuer(t, nil), "example.org")
	leaf := certificate.Leaf()
	issuer, err := x509.ParseCertificate(certificate.TLS().Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	adviser := NewAdviser(s.options(), func() time.Time { return now })

	t.Run("the CA's own window, and when it wants to be asked again", func(t *testing.T) {
		w, err := adviser.Window(t.Context(), leaf, issuer)
		if err != nil {
			t.Fatal(err)
		}
		if !w.Start.After(leaf.NotBefore) || !w.End.Before(leaf.NotAfter) || !w.Start.Before(w.End) || w.Explanation != "" {
			t.Errorf("%+v for a certificate from %v to %v", w, leaf.NotBefore, leaf.NotAfter)
		}
		if want := now.Add(6 * time.Hour); !w.AskAgain.Equal(want) { // Pebble says so
			t.Errorf("ask again at %v, want %v", w.AskAgain, want)
		}
	})
	t.Run("a window that the CA moved, with the reason", func(t *testing.T) {
		s.SetRenewalInfo(t, leaf, `{"suggestedWindow":{"start":"2026-07-02T00:00:00Z","end":"2026-07-03T00:00:00Z"},"explanationURL":"https://ca.example/incident"}`)
		w, err := adviser.Window(t.Context(), leaf, issuer)
		if err != nil || w.Start.Day() != 2 || w.End.Day() != 3 || w.Explanation != "https://ca.example/incident" {
			t.Errorf("%+v, %v", w, err)
		}
	})
	t.Run("nonsense is no advice", func(t *testing.T) {
		s.SetRenewalInfo(t, leaf, `{"suggestedWindow":`)
		if w, err := adviser.Window(t.Context(), leaf, issuer); err == nil {
			t.Errorf("%+v", w)
		}
	})
	t.Run("a certificate of another CA gets no advice", func(t *testing.T) {
		other := *leaf
		other.AuthorityKeyId = []byte{1, 2, 3}
		if w, err := adviser.Window(t.Context(), &other, issuer); err == nil || !strings.HasPrefix(err.Error(), "no advice: ") {
			t.Errorf("%+v, %v", w, err)
		}
	})
	t.Run("a CA that is down or says that it has had enough gives none", func(t *testing.T) {
		for _, fault := range []acmetest.Fault{
			{Manner: acmetest.Refuse}, {Manner: acmetest.Answer, Status: 503}, {Manner: acmetest.Answer, Status: 429, RetryAfter: "60"},
			{Manner: acmetest.Answer, Only: "renewalInfo", Status: 404},
		} {
			s.Gate.Set(fault)
			if w, err := adviser.Window(t.Context(), leaf, issuer); err == nil {
				t.Errorf("%+v: %+v", fault, w)
			}
		}
		s.Gate.Set(acmetest.Fault{})
	})
	t.Run("a question ends with its context", func(t *testing.T) {
		s.Gate.Set(acmetest.Fault{Manner: acmetest.BlackHole})
		defer s.Gate.Set(acmetest.Fault{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := adviser.Window(ctx, leaf, issuer); err == nil {
			t.Error("advice came")
		}
	})
	t.Run("nothing of this places an order", func(t *testing.T) {
		if n := s.Gate.OrderRequests(); n != 1 {
			t.Errorf("%d orders, want the first alone", n)
		}
	})
}

func TestCertID(t *testing.T) {
	key := []byte{0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4}
	for _, c := range []struct {
		name   string
		key    []byte
		serial *big.Int
		want   string
	}{
		{"RFC 9773 §4.1's example, whose serial has the high bit set", key, big.NewInt(0x87654321), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"},
		{"a serial without it", key, big.NewInt(0x07654321), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.B2VDIQ"},
		{"no authority key identifier", nil, big.NewInt(1), ""},
		{"no serial", key, nil, ""},
		{"a serial of zero", key, big.NewInt(0), ""},
		{"a negative serial", key, big.NewInt(-5), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := certID(&x509.Certificate{AuthorityKeyId: c.key, SerialNumber: c.serial})
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestRenewalInfo(t *testing.T) {
	const window = `"suggestedWindow":{"start":"2026-07-02T00:00:00Z","end":"2026-07-03T00:00:00+02:00"}`
	for _, c := range []struct{ name, body, explanation, fault string }{
		{name: "a window", body: "{" + window + "}"},
		{name: "unknown members are ignored", body: "{" + window + `,"x":[1]}`},
		{name: "a page", body: "{" + window + `,"explanationURL":"http://ca.example/why?a=b"}`, explanation: "http://ca.example/why?a=b"},
		{name: "a page that is a script is left out", body: "{" + window + `,"explanationURL":"javascript:alert(1)"}`},
		{name: "a page that forges a line is left out", body: "{" + window + `,"explanationURL":"https://ca.example/\nlevel=ERROR"}`},
		{name: "a page without end is left out", body: "{" + window + `,"explanationURL":"https://ca.example/` + strings.Repeat("a", 400) + `"}`},
		{name: "no window", body: "{}", fault: "ends before it starts"},
		{name: "an end that equals its start, RFC 9773 §4.2", body: `{"suggestedWindow":{"start":"2026-07-02T00:00:00Z","end":"2026-07-02T00:00:00Z"}}`, fault: "ends before it starts"},
		{name: "an end before its start", body: `{"suggestedWindow":{"start":"2026-07-03T00:00:00Z","end":"2026-07-02T00:00:00Z"}}`, fault: "ends before it starts"},
		{name: "no start", body: `{"suggestedWindow":{"end":"2026-07-02T00:00:00Z"}}`, fault: "ends before it starts"},
		{name: "a date that is none", body: `{"suggestedWindow":{"start":"soon","end":"later"}}`, fault: "cannot be read"},
		{name: "nothing", body: "", fault: "cannot be read"},
		{name: "null", body: "null", fault: "ends before it starts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := parseRenewalInfo([]byte(c.body))
			switch {
			case c.fault == "" && err != nil, c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
				t.Errorf("%v, want %q", err, c.fault)
			case err == nil && (w.Explanation != c.explanation || !w.Start.Before(w.End)):
				t.Errorf("%+v", w)
			}
		})
	}
}

func TestAskAgain(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for field, want := range map[string]time.Duration{
		"":                              askAgainDefault, // RFC 9773 §4.3.3
		"soon":                          askAgainDefault,
		"-5":                            askAgainDefault,
		"0":                             time.Minute, // RFC 9773 §4.3.2
		"59":                            time.Minute,
		"3600":                          time.Hour,
		"86401":                         24 * time.Hour,
		"99999999999999999999":          askAgainDefault,
		"9999999999999999999":           24 * time.Hour,
		"Wed, 01 Jul 2026 13:00:00 GMT": time.Hour,
		"Wed, 01 Jul 2020 13:00:00 GMT": time.Minute,
		"Wed, 01 Jul 2099 13:00:00 GMT": 24 * time.Hour,
	} {
		if got := askAgain(http.Header{"Retry-After": {field}}, now).Sub(now); got != want {
			t.Errorf("%q: in %v, want %v", field, got, want)
		}
	}
}

func FuzzRenewalInfo(f *testing.F) {
	f.Add([]byte(`{"suggestedWindow":{"start":"2026-07-02T00:00:00Z","end":"2026-07-03T00:00:00Z"},"explanationURL":"https://ca.example"}`))
	f.Add([]byte(`{"suggestedWindow":null}`))
	f.Add([]byte(`{"suggestedWindow":{"start":"0000-01-01T00:00:00Z","end":"9999-12-31T23:59:59.999999999+23:59"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := parseRenewalInfo(body)
		if err != nil {
			if !w.Start.IsZero() || w.Explanation != "" {
				t.Errorf("%+v beside %v", w, err)
			}
			return
		}
		if !w.Start.Before(w.End) || len(w.Explanation) > detailLimitBytes || strings.ContainsAny(w.Explanation, "\x00\r\n\x1b ") {
			t.Errorf("%+v", w)
		}
	})
}
