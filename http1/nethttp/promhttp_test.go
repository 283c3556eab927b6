package nethttp_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// measured is an instrumented handler with the page of its metrics beside it.
func measured() http.Handler {
	registry := prometheus.NewRegistry()
	pages := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "test_pages_total", Help: "Pages."}, []string{"code", "method"})
	size := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "test_size_bytes", Help: "Sizes."}, nil)
	registry.MustRegister(pages, size)
	for i := range 200 { // more than one buffer of ours
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: fmt.Sprintf("test_gauge_%d", i), Help: strings.Repeat("long ", 20)})
		g.Set(float64(i))
		registry.MustRegister(g)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, strings.NewReader("a page"))
		_ = http.NewResponseController(w).Flush()
	})
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.Handle("/page", promhttp.InstrumentHandlerCounter(pages, promhttp.InstrumentHandlerResponseSize(size, page)))
	return mux
}

func TestPromHTTP(t *testing.T) {
	over(t, transports, measured(), func(t *testing.T, s *site) {
		for range 3 {
			if content, _ := s.fetch("/page", 200); content != "a page" {
				t.Errorf("%q", content)
			}
		}
		plain, h := s.fetch("/metrics", 200, "Accept-Encoding", "identity")
		if h.Get("Content-Encoding") != "" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
			t.Error(h)
		}
		checkScrape(t, strings.NewReader(plain))
		packed, h := s.fetch("/metrics", 200, "Accept-Encoding", "gzip")
		if h.Get("Content-Encoding") != "gzip" || len(packed)*4 > len(plain) {
			t.Errorf("%v, %d bytes of %d", h, len(packed), len(plain))
		}
		unpacked, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		checkScrape(t, unpacked)
		checkDelimited(t, s)
	})
}

// checkScrape reads the text format and looks for what the site counted.
func checkScrape(t *testing.T, r io.Reader) {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		t.Fatal(err)
	}
	if m := families["test_pages_total"].GetMetric(); len(m) != 1 || m[0].GetCounter().GetValue() < 3 {
		t.Errorf("pages %v", m)
	}
	if h := families["test_size_bytes"].GetMetric()[0].GetHistogram(); h.GetSampleSum() < 18 {
		t.Errorf("sizes %v", h)
	}
	if g := families["test_gauge_199"].GetMetric()[0].GetGauge(); g.GetValue() != 199 {
		t.Errorf("gauge %v", g)
	}
}

// checkDelimited reads the format of length-delimited messages, which is binary.
func checkDelimited(t *testing.T, s *site) {
	t.Helper()
	content, h := s.fetch("/metrics", 200, "Accept-Encoding", "identity", "Accept",
		"application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
	decoder := expfmt.NewDecoder(bufio.NewReader(strings.NewReader(content)), expfmt.ResponseFormat(h))
	families := 0
	for {
		var f dto.MetricFamily
		if err := decoder.Decode(&f); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		families++
	}
	if families < 202 {
		t.Errorf("%d families", families)
	}
}
