package observe_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/observe"
)

func TestNamedRoutes(t *testing.T) {
	t.Run("a request counts under the name that a router gave it, else the listener's", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		count := m.Observer("files")
		for _, name := range []string{"items", "", "items", "files"} {
			count(&http1.Record{Method: "GET", Status: 200, Route: name, Bytes: 1, Duration: time.Millisecond})
		}
		s := scrape(t, m)
		s.same(t, "holdfast_requests_total", map[string]float64{"GET,files,200": 2, "GET,items,200": 2})
		s.same(t, "holdfast_request_duration_seconds", map[string]float64{"files": 2, "items": 2})
	})
	t.Run("two listeners count one route together, from many goroutines", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		plain, secure := m.Observer("redirect"), m.Observer("files")
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 100 {
					[]func(*http1.Record){plain, secure}[j%2](&http1.Record{Method: "GET", Status: 200, Route: fmt.Sprint("r", (i+j)%4)})
				}
			})
		}
		wg.Wait()
		sum := 0.0
		for labels, n := range scrape(t, m).series("holdfast_requests_total") {
			if sum += n; !strings.HasPrefix(labels, "GET,r") {
				t.Errorf("series %s", labels)
			}
		}
		if sum != 800 {
			t.Errorf("%v requests, want 800", sum)
		}
	})
	t.Run("beyond 1000 names the rest is OTHER", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		count := m.Observer("files")
		for i := range 1003 {
			count(&http1.Record{Method: "GET", Status: 200, Route: fmt.Sprint("r", i)})
		}
		count(&http1.Record{Method: "GET", Status: 200, Route: "r7"})
		series := scrape(t, m).series("holdfast_requests_total")
		if series["GET,OTHER,200"] != 3 || series["GET,r7,200"] != 2 || len(series) != 1001 {
			t.Errorf("%d series, OTHER %v, r7 %v", len(series), series["GET,OTHER,200"], series["GET,r7,200"])
		}
	})
	t.Run("a name that is no text does not break the count", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		m.Observer("files")(&http1.Record{Method: "GET", Status: 200, Route: "/\xFF"})
		scrape(t, m).same(t, "holdfast_requests_total", map[string]float64{"GET,/\uFFFD,200": 1})
	})
	t.Run("counting costs no memory", func(t *testing.T) {
		count := observe.NewMetrics(nil).Observer("files")
		rec := &http1.Record{Method: "GET", Status: 200, Route: "items", Bytes: 1, Duration: time.Millisecond}
		count(rec)
		if n := testing.AllocsPerRun(100, func() { count(rec) }); n != 0 {
			t.Errorf("%v allocations a request", n)
		}
	})
	t.Run("the access log has the name where there is one", func(t *testing.T) {
		var text strings.Builder
		log := observe.AccessLog(slog.New(slog.NewTextHandler(&text, nil)))
		log(&http1.Record{Method: "GET", Target: "/items/7", Status: 200, Route: "GET /items/{id}"})
		log(&http1.Record{Method: "GET", Target: "/x", Status: 200})
		if got := strings.Count(text.String(), "route="); got != 1 || !strings.Contains(text.String(), `route="GET /items/{id}"`) {
			t.Errorf("%s", text.String())
		}
	})
}
