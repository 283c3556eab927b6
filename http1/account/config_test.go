package account

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/holdfast-server/holdfast/http1/session"
)

func TestConfig(t *testing.T) {
	manager, err := session.New(session.Config{Store: session.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Sessions is all that is needed, and then nobody signs up", func(t *testing.T) {
		a, err := New(Config{Sessions: manager})
		if err != nil {
			t.Fatal(err)
		}
		if a.config.Prefix != "/-/" || a.config.SignUp != SignUpClosed || a.config.Home != "/-/account" || len(a.throttle.limits.NameAndAddress) != 3 {
			t.Errorf("%+v", a.config)
		}
	})
	t.Run("without it there is nothing", func(t *testing.T) {
		if _, err := New(Config{}); err == nil {
			t.Error("made")
		}
	})
	for _, c := range []struct {
		name, says string
		config     Config
	}{
		{"a prefix that is none", "prefix", Config{Prefix: "account"}},
		{"the whole site as a prefix", "prefix", Config{Prefix: "/"}},
		{"a prefix without its slash", "prefix", Config{Prefix: "/-"}},
		{"a prefix with dots", "prefix", Config{Prefix: "/a/../"}},
		{"a prefix with an escape", "prefix", Config{Prefix: "/%2D/"}},
		{"a kind of sign-up that is none", "sign-up", Config{SignUp: "everybody"}},
		{"a home elsewhere", "home", Config{Home: "//evil.example"}},
		{"a home that signs out", "home", Config{Home: "/-/sign-out"}},
		{"a glob without a slash", "protect", Config{Protect: []string{"members/**"}}},
		{"an origin that is none", "origin", Config{TrustedOrigins: []string{"https://app.example.org", "null"}}},
		{"a quota without a window", "quota", Config{Quota: Quota{N: 5}}},
		{"a limit without attempts", "limit", Config{Limits: Limits{Name: []Limit{{0, time.Hour}}}}},
		{"a page that is broken", "sign-in.html:1", Config{Pages: fstest.MapFS{"sign-in.html": {Data: []byte("{{.Nothing}}")}}}},
	} {
		t.Run("refused: "+c.name, func(t *testing.T) {
			c.config.Sessions = manager
			if _, err := New(c.config); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("everything that is wrong is told at once", func(t *testing.T) {
		_, err := New(Config{Sessions: manager, SignUp: "everybody", Protect: []string{"x"}, Home: "x", Quota: Quota{N: -1}})
		for _, part := range []string{"sign-up", "protect", "home", "quota"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("nothing of %s in %v", part, err)
			}
		}
	})
	t.Run("another prefix moves all pages", func(t *testing.T) {
		s := newSite(t, nil, func(c *Config) { c.Prefix, c.Home = "/konto/", "/members/" })
		b := s.browser()
		leads(t, b.get("/members/"), "/konto/sign-in?next=%2Fmembers%2F")
		says(t, b.get("/konto/sign-in"), `action="/konto/sign-in"`, `href="/konto/style.`)
		leads(t, b.post("/konto/sign-up", "name", "ann", "password", goodPassword), "/members/")
		is(t, b.get("/-/sign-in"), 200) // the site's own
	})
}
