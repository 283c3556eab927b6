package observe_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/http1test"
	"github.com/holdfast-server/holdfast/http1/observe"
)

// scraped are the families of one scrape, as Prometheus would read them.
type scraped map[string]*dto.MetricFamily

func scrape(t *testing.T, m *observe.Metrics) scraped {
	t.Helper()
	response := http1test.Do(m.Handler(), http1test.Request{Target: "/metrics"})
	if response.Status != 200 || !strings.HasPrefix(response.Get("Content-Type"), "text/plain") {
		t.Fatalf("status %d, %v", response.Status, response.Fields)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(response.Content))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// series are a family's values by their labels, such as `GET,files,200`: in the order of the
// labels' names. Of a histogram it is the count.
func (s scraped) series(name string) map[string]float64 {
	values := map[string]float64{}
	for _, m := range s[name].GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetValue())
		}
		value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		values[strings.Join(labels, ",")] = value
	}
	return values
}

// same compares the series of a family with what they should be.
func (s scraped) same(t *testing.T, name string, want map[string]float64) {
	t.Helper()
	if got := s.series(name); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

func TestMetricsCountRequests(t *testing.T) {
	t.Run("by method, route and status, with their times and sizes", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		files, redirect := m.Observer("files"), m.Observer("redirect")
		files(&http1.Record{Method: "GET", Status: 200, Bytes: 1000, Duration: 3 * time.Millisecond})
		files(&http1.Record{Method: "GET", Status: 200, Bytes: 24, Duration: 4 * time.Millisecond})
		files(&http1.Record{Method: "HEAD", Status: 404, Bytes: 10, Duration: 40 * time.Second})
		redirect(&http1.Record{Method: "POST", Status: 308, Bytes: 7, Duration: time.Millisecond})
		s := scrape(t, m)
		s.same(t, "holdfast_requests_total", map[string]float64{"GET,files,200": 2, "HEAD,files,404": 1, "POST,redirect,308": 1})
		if sum := s["holdfast_response_size_bytes"].GetMetric()[0].GetHistogram().GetSampleSum(); sum != 1034 {
			t.Errorf("%v bytes from files, want 1034", sum)
		}
		s.same(t, "holdfast_request_duration_seconds", map[string]float64{"files": 3, "redirect": 1})
		s.same(t, "holdfast_response_size_bytes", map[string]float64{"files": 3, "redirect": 1})
		for _, b := range s["holdfast_request_duration_seconds"].GetMetric()[0].GetHistogram().GetBucket() {
			if want := uint64(2); b.GetUpperBound() == 0.005 && b.GetCumulativeCount() != want {
				t.Errorf("%d requests within 5 ms, want %d", b.GetCumulativeCount(), want)
			}
		}
	})
	t.Run("one without a response has no duration, one that was taken over neither", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		o := m.Observer("files")
		o(&http1.Record{Duration: time.Minute, Ending: http1.Aborted})
		o(&http1.Record{Method: "GET", Duration: time.Minute, Ending: http1.Forced})
		o(&http1.Record{Method: "GET", Status: 101, Duration: time.Hour, Detached: true})
		s := scrape(t, m)
		s.same(t, "holdfast_requests_total", map[string]float64{"none,files,none": 1, "GET,files,none": 1, "GET,files,101": 1})
		s.same(t, "holdfast_request_duration_seconds", map[string]float64{"files": 0})
	})
	t.Run("a route is there before it was asked for", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		m.Observer("files")
		scrape(t, m).same(t, "holdfast_request_duration_seconds", map[string]float64{"files": 0})
	})
}

// Whatever clients send, the series stay a few.
func TestMetricsAreBounded(t *testing.T) {
	m := observe.NewMetrics(nil)
	o := m.Observer("files")
	for i := range 5000 {
		o(&http1.Record{
			Method: fmt.Sprintf("METHOD-%d", i), Target: fmt.Sprintf("/%d", i), Authority: fmt.Sprintf("%d.test", i),
			ID: fmt.Sprint(i), CallerID: fmt.Sprint(i), Status: 501,
		})
	}
	for _, odd := range []string{"get", "none", "OTHER", "G\xffT", "GET ", strings.Repeat("A", 1<<16)} {
		o(&http1.Record{Method: odd, Status: 501})
	}
	for _, status := range []int{-1, 1, 99, 600, 1 << 40} {
		o(&http1.Record{Method: "GET", Status: status})
	}
	s := scrape(t, m)
	s.same(t, "holdfast_requests_total", map[string]float64{"OTHER,files,501": 5006, "GET,files,none": 5})
	for name, family := range s {
		if strings.HasPrefix(name, "holdfast_") && len(family.GetMetric()) > 2 {
			t.Errorf("%s has %d series", name, len(family.GetMetric()))
		}
	}
}

func TestMetricsAllocateNothing(t *testing.T) {
	m := observe.NewMetrics(nil)
	o := m.Observer("files")
	records := []*http1.Record{
		{Method: "GET", Status: 200, Bytes: 5000, Duration: time.Millisecond},
		{Method: "BREW", Status: 501, Bytes: 10, Duration: time.Microsecond},
		{Status: 400, Duration: time.Second},
		{Ending: http1.Aborted},
	}
	each := func() {
		for _, r := range records {
			o(r)
		}
	}
	if n := testing.AllocsPerRun(1000, each); n != 0 {
		t.Errorf("%v allocations for %d requests, want none", n, len(records))
	}
	scrape(t, m).same(t, "holdfast_requests_total",
		map[string]float64{"GET,files,200": 1001, "OTHER,files,501": 1001, "none,files,400": 1001, "none,files,none": 1001})
}

func BenchmarkMetrics(b *testing.B) {
	o := observe.NewMetrics(nil).Observer("files")
	r := &http1.Record{Method: "GET", Status: 200, Bytes: 5000, Duration: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		o(r)
	}
}

func TestFigures(t *testing.T) {
	t.Run("are read at each scrape", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		n := 0.0
		m.Add(
			observe.Figure{Name: "test_open", Help: "Open.", Read: func(tell func(float64, ...string)) { n++; tell(n) }},
			observe.Figure{Name: "test_lost_total", Help: "Lost.", Counter: true, Labels: []string{"why", "where"},
				Read: func(tell func(float64, ...string)) { tell(2, "rust", "keel"); tell(3, "rust", "mast") }})
		scrape(t, m).same(t, "test_open", map[string]float64{"": 1})
		s := scrape(t, m)
		s.same(t, "test_open", map[string]float64{"": 2})
		s.same(t, "test_lost_total", map[string]float64{"keel,rust": 2, "mast,rust": 3})
		if kind := s["test_lost_total"].GetType(); kind != dto.MetricType_COUNTER {
			t.Errorf("a counter is shown as %v", kind)
		}
	})
	t.Run("a label that is no text is made one", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		m.Add(observe.Figure{Name: "test_file", Help: "A file.", Labels: []string{"name"}, Read: func(tell func(float64, ...string)) { tell(1, "a\xff\n\"b") }})
		scrape(t, m).same(t, "test_file", map[string]float64{"a\uFFFD\n\"b": 1})
	})
	t.Run("one that is wrong hides no other, and the log tells of it", func(t *testing.T) {
		var log bytes.Buffer
		m := observe.NewMetrics(slog.New(slog.NewTextHandler(&log, nil)))
		m.Add(observe.Figure{Name: "test_twice", Help: "Twice.", Read: func(tell func(float64, ...string)) { tell(1); tell(2) }},
			observe.Figure{Name: "test_labels", Help: "Too many labels.", Read: func(tell func(float64, ...string)) { tell(1, "x") }},
			observe.Figure{Name: "test_right", Help: "Right.", Read: func(tell func(float64, ...string)) { tell(7) }})
		scrape(t, m).same(t, "test_right", map[string]float64{"": 7})
		for _, want := range []string{"metrics are not whole", "test_twice", "test_labels"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %q in the log: %s", want, &log)
			}
		}
	})
	t.Run("a name that is taken is a mistake in the program", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("nobody noticed")
			}
		}()
		observe.NewMetrics(nil).Add(observe.Figure{Name: "holdfast_requests_total", Help: "Mine."})
	})
}

func TestMetricsPage(t *testing.T) {
	t.Run("has the Go runtime and the process", func(t *testing.T) {
		s := scrape(t, observe.NewMetrics(nil))
		for _, name := range []string{"go_goroutines", "go_info", "go_memstats_heap_inuse_bytes", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds"} {
			if s[name] == nil {
				t.Errorf("no %s", name)
			}
		}
	})
	t.Run("speaks OpenMetrics to whoever asks for it", func(t *testing.T) {
		m := observe.NewMetrics(nil)
		m.Observer("files")(&http1.Record{Method: "GET", Status: 200})
		response := http1test.Do(m.Handler(), http1test.Request{Fields: []string{"Accept", "application/openmetrics-text;version=1.0.0"}})
		if kind := response.Get("Content-Type"); !strings.HasPrefix(kind, "application/openmetrics-text") || !bytes.HasSuffix(response.Content, []byte("# EOF\n")) {
			t.Errorf("%s, ends with %q", kind, response.Content[max(0, len(response.Content)-20):])
		}
	})
	t.Run("two in one process do not meet", func(t *testing.T) {
		a, b := observe.NewMetrics(nil), observe.NewMetrics(nil)
		a.Observer("files")(&http1.Record{Method: "GET", Status: 200})
		scrape(t, b).same(t, "holdfast_requests_total", map[string]float64{})
	})
}

func TestAllObservers(t *testing.T) {
	var heard []string
	hear := func(name string) func(*http1.Record) {
		return func(r *http1.Record) { heard = append(heard, name+r.ID) }
	}
	if observe.All() != nil || observe.All(nil, nil) != nil {
		t.Error("nobody is an observer: the server would make records for it")
	}
	observe.All(nil, hear("a"))(&http1.Record{ID: "1"})
	observe.All(hear("a"), nil, hear("b"))(&http1.Record{ID: "2"})
	if got := strings.Join(heard, " "); got != "a1 a2 b2" {
		t.Errorf("heard %q", got)
	}
}
