package observe

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-server/holdfast/http1"
)

// methodNames are the methods that have series of their own, after those of requests that
// ended before they had one and those of any other: a client may make up as many as it likes.
var methodNames = [...]string{"none", "OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}

// methodIndex is the method's place in methodNames.
func methodIndex(method string) int {
	switch method {
	case "":
		return 0
	case "GET":
		return 2
	case "HEAD":
		return 3
	case "POST":
		return 4
	case "PUT":
		return 5
	case "DELETE":
		return 6
	case "OPTIONS":
		return 7
	case "PATCH":
		return 8
	case "CONNECT":
		return 9
	case "TRACE":
		return 10
	}
	return 1
}

// Statuses are 100 to 599, and 0 for none.
const (
	firstStatus = 100
	statusKinds = 599 - firstStatus + 2
)

// route counts the requests that one handler answers. Its counters are looked up by their
// labels once and found by their place in a table afterwards, of 4 KiB for each method that
// was asked for, so that counting takes no lock and no memory.
type route struct {
	name           string
	metrics        *Metrics
	duration, size prometheus.Observer
	counters       [len(methodNames)]atomic.Pointer[[statusKinds]atomic.Pointer[prometheus.Counter]]
}

// Observer counts requests under a route, which is the program's name for what answers them
// and not the client's path: name, unless a router gave the request another, of which 1000 have
// series of their own and any more those of OTHER. Requests that the parser refused are among them. A connection
// that a handler took over counts as one request, and its length is no duration of one. In
// steady state the observer allocates nothing. Several goroutines may call it at a time.
func (m *Metrics) Observer(name string) func(*http1.Record) {
	return m.newRoute(name).count
}

func (m *Metrics) newRoute(name string) *route {
	name = strings.ToValidUTF8(name, "\uFFFD") // a label has to be, and a pattern can hold any byte
	return &route{name: name, metrics: m, duration: m.duration.WithLabelValues(name), size: m.size.WithLabelValues(name)}
}

func (r *route) count(rec *http1.Record) {
	if rec.Route != "" && rec.Route != r.name {
		r = r.metrics.named.find(rec.Route, r.metrics)
	}
	r.counter(methodIndex(rec.Method), rec.Status).Inc()
	if rec.Status == 0 {
		return // nothing was answered: how long a head did not come is no duration
	}
	if !rec.Detached {
		r.duration.Observe(rec.Duration.Seconds())
		r.size.Observe(float64(rec.Bytes))
	}
}

// counter is the one for a method and a status.
func (r *route) counter(method, status int) prometheus.Counter {
	place, text := status-firstStatus+1, strconv.Itoa
	if place < 1 || place >= statusKinds {
		place, text = 0, func(int) string { return methodNames[0] }
	}
	row := r.counters[method].Load()
	for row == nil {
		r.counters[method].CompareAndSwap(nil, new([statusKinds]atomic.Pointer[prometheus.Counter]))
		row = r.counters[method].Load()
	}
	at := &row[place]
	if known := at.Load(); known != nil {
		return *known
	}
	c := r.metrics.requests.WithLabelValues(r.name, methodNames[method], text(status)) // the same for all who come at once
	at.Store(&c)
	return c
}

// All is an observer that tells several, in their order; nil ones are left out. It is nil
// where there are none.
func All(observers ...func(*http1.Record)) func(*http1.Record) {
	var all []func(*http1.Record)
	for _, o := range observers {
		if o != nil {
			all = append(all, o)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return func(r *http1.Record) {
		for _, o := range all {
			o(r)
		}
	}
}
