package session_test

import (
	"context"
	"strings"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/session"
)

// BenchmarkValidate is what a request pays for its session once it is remembered: all of
// Attach, From and Session, in a handler that asks again and again.
func BenchmarkValidate(b *testing.B) {
	m, err := session.New(session.Config{Store: session.NewMemory()})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- m.Run(ctx) }()
	defer func() { cancel(); <-ran }()
	res := http1test.Do(m.Attach(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if _, err := session.From(r).Begin("ada"); err != nil {
			b.Error(err)
		}
	})), http1test.Request{Secure: true})
	cookie, _, _ := strings.Cut(res.Get("Set-Cookie"), ";")
	inner := m.Attach(http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if s, err := session.From(r).Session(); err != nil || s == nil || s.Subject() != "ada" {
			b.Fatal("no session", err)
		}
	}))
	loop := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		ctx := r.Context()
		for b.Loop() {
			r.SetContext(ctx)
			inner.Serve(w, r)
		}
	})
	b.ReportAllocs()
	http1test.Do(loop, http1test.Request{Secure: true, Fields: []string{"Cookie", "theme=dark; " + cookie}})
	f := m.Figures()
	b.ReportMetric(float64(f.FromMemory)/float64(f.FromMemory+f.FromStore), "from-memory")
}
