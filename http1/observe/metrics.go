package observe

import (
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/nethttp"
)

// scrapesAtOnce is how many may be answered at a time; one more gets 503. Two collectors
// and a person with curl are no trouble, a loop that forgot to wait is.
const scrapesAtOnce = 4

// Metrics counts what a server does, for Prometheus. It has a registry of its own, so two
// in one process do not meet, and what other packages register by themselves is not in it.
//
// The number of series does not depend on what clients send: the labels that they could
// choose come from a fixed set each.
type Metrics struct {
	registry       *prometheus.Registry
	requests       *prometheus.CounterVec
	duration, size *prometheus.HistogramVec
	log            *slog.Logger
	named          namedRoutes
}

// NewMetrics makes metrics with those of the Go runtime and the process in them. Log gets
// what goes wrong at a scrape; nil discards.
func NewMetrics(log *slog.Logger) *Metrics {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	byRoute := []string{"route"}
	m := &Metrics{
		log: log, registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "holdfast_requests_total",
			Help: "Requests that have ended, by what answers them, their method and the status; none where there was no method or response."},
			[]string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_request_duration_seconds", Buckets: durationSeconds,
			Help: "Time from a request's first byte until its response was handed to the connection, for those that had one."}, byRoute),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "holdfast_response_size_bytes", Buckets: sizeBytes,
			Help: "Bytes of content in the responses; the sum is what was answered in all."}, byRoute),
	}
	m.registry.MustRegister(m.requests, m.duration, m.size,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Bounds of the histograms: a small file takes half a millisecond, a large one to a
// telephone minutes.
var (
	durationSeconds = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}
	sizeBytes       = prometheus.ExponentialBuckets(256, 4, 12) // up to 1 GiB
)

// Handler answers a scrape, in the text format or OpenMetrics, as it is asked for.
func (m *Metrics) Handler() http1.Handler {
	return nethttp.Options{Log: m.log}.Handler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{m.log}, ErrorHandling: promhttp.ContinueOnError, // one bad figure hides no other
		MaxRequestsInFlight: scrapesAtOnce, EnableOpenMetrics: true, Registry: m.registry,
	}))
}

// scrapeLog is our log as promhttp writes to one.
type scrapeLog struct{ log *slog.Logger }

func (l scrapeLog) Println(v ...any) { l.log.Warn("metrics are not whole", "error", v[len(v)-1]) }

// A Figure is a metric that somebody else keeps and that is looked up at each scrape.
type Figure struct {
	Name, Help string
	Counter    bool // it only grows, and its name ends in _total; else it is a gauge
	Labels     []string
	// Read tells the values, each with the values of Labels in their order, no combination
	// twice. It is called by several goroutines at a time and must not block. What clients
	// choose is no label.
	Read func(tell func(value float64, labels ...string))
}

// Add shows figures. It panics where a name is taken or not well-formed: that is a mistake
// in the program.
func (m *Metrics) Add(figures ...Figure) {
	for _, f := range figures {
		kind := prometheus.GaugeValue
		if f.Counter {
			kind = prometheus.CounterValue
		}
		m.registry.MustRegister(&figure{Figure: f, kind: kind, desc: prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)})
	}
}

// figure is a Figure as a collector.
type figure struct {
	Figure
	kind prometheus.ValueType
	desc *prometheus.Desc
}

func (f *figure) Describe(to chan<- *prometheus.Desc) { to <- f.desc }

func (f *figure) Collect(to chan<- prometheus.Metric) {
	f.Read(func(value float64, labels ...string) {
		for i := range labels {
			labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD") // a file's name can hold any byte
		}
		metric, err := prometheus.NewConstMetric(f.desc, f.kind, value, labels...)
		if err != nil {
			metric = prometheus.NewInvalidMetric(f.desc, err)
		}
		to <- metric
	})
}
