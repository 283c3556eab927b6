package session_test

import (
	"context"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

// signedIn makes a manager that runs, and a cookie of its.
func signedIn(b *testing.B, run bool) (m *session.Manager, cookie string) {
	b.Helper()
	m = manager(b, session.Config{Store: session.NewMemory()})
	if run {
		ctx, cancel := context.WithCancel(context.Background())
		ran := make(chan error, 1)
		go func() { ran <- m.Run(ctx) }()
		b.Cleanup(func() { cancel(); <-ran })
	}
	c := client{t: b}
	c.signIn(m, "ada")
	return m, c.cookie
}

// validate asks for the session over and over, as long as more says so: all of Attach, From and
// Session, without what a server does besides.
func validate(b *testing.B, m *session.Manager, cookie string, more func() bool) {
	inner := m.Attach(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if s, err := session.From(r).Session(); err != nil || s == nil || s.Subject() != "ada" {
			b.Error("no session", err)
		}
	}))
	http1test.Do(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		ctx := r.Context()
		for more() {
			r.SetContext(ctx)
			inner.Serve(w, r)
		}
	}), http1test.Request{Secure: true, Fields: []string{"Cookie", "theme=dark; " + cookie}})
}

// BenchmarkValidate is what a request pays for its session.
func BenchmarkValidate(b *testing.B) {
	b.Run("from memory", func(b *testing.B) {
		m, cookie := signedIn(b, true)
		b.ReportAllocs()
		validate(b, m, cookie, b.Loop)
		f := m.Figures()
		b.ReportMetric(float64(f.FromMemory)/float64(f.FromMemory+f.FromStore), "from-memory")
	})
	b.Run("from memory, all at once", func(b *testing.B) {
		m, cookie := signedIn(b, true)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) { validate(b, m, cookie, pb.Next) })
	})
	b.Run("from a store in memory", func(b *testing.B) {
		m, cookie := signedIn(b, false)
		b.ReportAllocs()
		validate(b, m, cookie, b.Loop)
	})
}
