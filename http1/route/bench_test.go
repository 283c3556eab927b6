package route_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/route"
)

// patternsOfSize are as many as are asked for, as those of an API: collections with items and
// what items have, two methods each.
func patternsOfSize(n int) (patterns []string) {
	for i := 0; len(patterns) < n; i++ {
		patterns = append(patterns,
			fmt.Sprintf("GET /api/v1/things%d/{id}", i), fmt.Sprintf("POST /api/v1/things%d", i),
			fmt.Sprintf("GET /api/v1/things%d/{id}/parts/{part}", i), fmt.Sprintf("DELETE /api/v1/things%d/{id}", i),
			fmt.Sprintf("/pages%d/", i))
	}
	return patterns[:n]
}

// benchTargets are in the middle of every set of patterns.
var benchTargets = []struct{ name, method, target string }{
	{"literals", "POST", "/api/v1/things1"},
	{"wildcards", "GET", "/api/v1/things1/12345/parts/678"},
	{"prefix", "GET", "/pages1/of/some/depth.html"},
	{"HEAD by GET", "HEAD", "/api/v1/things1/12345"},
}

// inHandler calls f with a request as handlers get it.
func inHandler(r http1test.Request, f func(w *http1.Response, r *http1.Request)) {
	http1test.Do(http1.HandlerFunc(f), r)
}

// BenchmarkRoute is the way from a request to its handler, which does nothing, beside
// ServeMux's.
func BenchmarkRoute(b *testing.B) {
	for _, n := range []int{10, 1000} {
		ours, theirs := new(route.Mux), http.NewServeMux()
		for _, p := range patternsOfSize(n) {
			ours.HandleFunc(p, func(*http1.Response, *http1.Request) {})
			theirs.HandleFunc(p, func(http.ResponseWriter, *http.Request) {})
		}
		for _, c := range benchTargets {
			b.Run(fmt.Sprintf("holdfast/%d/%s", n, c.name), func(b *testing.B) {
				inHandler(http1test.Request{Method: c.method, Target: c.target}, func(w *http1.Response, r *http1.Request) {
					b.ReportAllocs()
					for b.Loop() {
						ours.Serve(w, r)
					}
				})
			})
			b.Run(fmt.Sprintf("ServeMux/%d/%s", n, c.name), func(b *testing.B) {
				w, r := httptest.NewRecorder(), httptest.NewRequest(c.method, c.target, nil)
				b.ReportAllocs()
				for b.Loop() {
					theirs.ServeHTTP(w, r)
				}
			})
		}
	}
}

func TestLookupCostsNoMemory(t *testing.T) {
	const routes = 1000
	m := new(route.Mux)
	for _, p := range append(patternsOfSize(routes), "a.test/{x}/{y}", "/{$}") {
		m.HandleFunc(p, func(*http1.Response, *http1.Request) {})
	}
	for _, c := range benchTargets {
		t.Run(c.name, func(t *testing.T) { noAllocation(t, m, http1test.Request{Method: c.method, Target: c.target}) })
	}
	t.Run("by host", func(t *testing.T) {
		noAllocation(t, m, http1test.Request{Target: "/1/2", Authority: "A.test:8443"})
	})
}

func noAllocation(t *testing.T, m *route.Mux, r http1test.Request) {
	t.Helper()
	inHandler(r, func(w *http1.Response, r *http1.Request) {
		if n := testing.AllocsPerRun(100, func() { m.Serve(w, r) }); n != 0 {
			t.Errorf("%v allocations, want none", n)
		}
		if r.Route() == "" {
			t.Error("no route was found")
		}
	})
}
