package account

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
)

// BenchmarkRequest is what sessions and accounts add to a request, session.Manager.Attach
// included. The store is asked once a second, for the member's quota; with a quota it counts
// each request.
func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct {
		name, target string
		quota        Quota
	}{
		{"public", "/public/page", Quota{}},
		{"protected", "/members/page", Quota{}},
		{"protected with a quota", "/members/page", Quota{1 << 30, time.Hour}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSite(b, nil, func(config *Config) { config.Quota = c.quota })
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			go func() { done <- s.config.Sessions.Run(ctx) }()
			defer func() { cancel(); <-done }()
			ann := s.member("ann")
			served := 0
			handler := s.config.Sessions.Attach(s.Wrap(http1.HandlerFunc(func(*http1.Response, *http1.Request) { served++ })))
			loop := http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
				own := r.Context()
				b.ReportAllocs()
				for b.Loop() {
					handler.Serve(w, r)
					r.SetContext(own)
				}
			})
			http1test.Do(loop, http1test.Request{Target: c.target, Secure: true, Fields: []string{"Cookie", ann.cookie}})
			if served < b.N {
				b.Errorf("served %d of %d", served, b.N)
			}
		})
	}
}
