package session_test

import (
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

func TestPlain(t *testing.T) {
	m, err := session.New(session.Config{Store: session.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	var cookie string
	ask := func(f func(c *session.Current)) {
		req := http1test.Request{Secure: true}
		if cookie != "" {
			req.Fields = []string{"Cookie", cookie}
		}
		res := http1test.Do(m.Attach(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) { f(session.From(r)) })), req)
		if set := res.Get("Set-Cookie"); set != "" {
			cookie, _, _ = strings.Cut(set, ";")
		}
	}
	ask(func(c *session.Current) {
		if _, err := c.Begin("ada"); err != nil {
			t.Error(err)
		}
	})
	ask(func(c *session.Current) {
		if s, err := c.Session(); err != nil || s == nil || s.Subject() != "ada" {
			t.Error(s, err)
		}
		if err := c.End(); err != nil {
			t.Error(err)
		}
	})
	ask(func(c *session.Current) {
		if s, err := c.Session(); err != nil || s != nil {
			t.Error(s, err)
		}
	})
}
