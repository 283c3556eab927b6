package main

import (
	"maps"
	"slices"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/http1/observe"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// tell is how a figure says a value.
type tell = func(value float64, labels ...string)

// figures are what the house keeps in any case, as metrics. The requests and connections of
// the admin listener itself are in none of them.
func (h *house) figures(connections *conn.Server, stop *lifecycle.Stop) []observe.Figure {
	return slices.Concat(connectionFigures(connections), h.requestFigures(), h.limitFigures(connections), h.certificates.public.figures(), h.members.figures(), []observe.Figure{
		{Name: "holdfast_phase", Help: "1 for the phase that the process is in.", Labels: []string{"phase"},
			Read: func(t tell) { tellPhase(t, stop.Phase()) }},
		{Name: "holdfast_certificate_expiry_seconds", Help: "Seconds until a certificate ends, by the host that it is for and where it comes from; negative when it has.",
			Labels: []string{"host", "source"}, Read: func(t tell) { h.tellCertificates(t, time.Now()) }},
		{Name: "holdfast_build_info", Help: "1, with what was built.", Labels: []string{"version", "revision", "go"}, Read: tellBuild},
		{Name: "holdfast_access_log_lost_lines_total", Help: "Lines of the access log that nobody read in time.", Counter: true, Read: h.tellLostLines},
	})
}

func connectionFigures(connections *conn.Server) []observe.Figure {
	return []observe.Figure{
		{Name: "holdfast_connections", Help: "Open connections, by state; closed ones linger.", Labels: []string{"state"}, Read: func(t tell) {
			for state, n := range connections.States() {
				t(float64(n), conn.State(state).String())
			}
		}},
		{Name: "holdfast_connections_accepted_total", Help: "Connections that were accepted.", Counter: true,
			Read: func(t tell) { t(float64(connections.Ledger().Accepted)) }},
		{Name: "holdfast_connections_ended_total", Help: "Connections that have ended, by how.", Counter: true, Labels: []string{"ending"}, Read: func(t tell) {
			l := connections.Ledger()
			tellAll(t, map[string]int64{"quiet": l.Quiet, "refused": l.Refused, "handshake_failed": l.HandshakeFailed, "peer_left": l.PeerLeft, "forced": l.Forced})
		}},
		{Name: "holdfast_connections_refused_total", Help: "Connections that were refused, by the limit.", Counter: true, Labels: []string{"limit"},
			Read: func(t tell) { tellAll(t, connections.Refusals()) }},
		{Name: "holdfast_handshakes_failed_total", Help: "Connections that came to no session, by why.", Counter: true, Labels: []string{"reason"},
			Read: func(t tell) { tellAll(t, connections.HandshakeFailures()) }},
		{Name: "holdfast_late_bytes_total", Help: "Bytes that clients sent into connections which the server had ended.", Counter: true,
			Read: func(t tell) { t(float64(connections.Ledger().LateBytes)) }},
	}
}

func (h *house) requestFigures() []observe.Figure {
	return []observe.Figure{
		{Name: "holdfast_requests_begun_total", Help: "Requests whose first byte came.", Counter: true,
			Read: func(t tell) { t(float64(h.requests().Begun)) }},
		{Name: "holdfast_requests_open", Help: "Requests under way.", Read: func(t tell) { t(float64(h.requests().Open)) }},
		{Name: "holdfast_requests_ended_total", Help: "Requests that have ended, by how.", Counter: true, Labels: []string{"ending"}, Read: func(t tell) {
			l := h.requests()
			tellAll(t, map[string]int64{"completed": l.Completed, "refused": l.Refused, "aborted": l.Aborted, "forced": l.Forced})
		}},
		{Name: "holdfast_requests_refused_total", Help: "Messages that were refused, by reason code: holdfast explain tells of each.", Counter: true, Labels: []string{"code"},
			Read: func(t tell) {
				counted := h.refusals()
				for _, r := range http1.Reasons() {
					t(float64(counted[r.Code]), r.Code)
				}
			}},
	}
}

// limitCodes are the reason codes of messages that were over a limit, by the limit's flag.
var limitCodes = map[string][]string{
	"max-head-bytes": {"head-too-large", "request-line-too-long"},
	"max-fields":     {"too-many-fields"},
	"max-body-bytes": {"body-too-large"},
	"header-timeout": {"head-timeout"},
	"stall-timeout":  {"body-timeout"}, // which the rate is a form of
}

// limitFigures tell the limits and how often each kept somebody out, by its flag.
func (h *house) limitFigures(connections *conn.Server) []observe.Figure {
	return []observe.Figure{
		{Name: "holdfast_limit_hits_total", Help: "How often a limit kept a connection or a message out, by its flag.", Counter: true, Labels: []string{"limit"}, Read: func(t tell) {
			refused, messages := connections.Refusals(), h.refusals()
			hits := map[string]int64{
				"max-connections": refused["connections"], "max-connections-per-ip": refused["connections-per-ip"],
				"handshake-timeout": connections.HandshakeFailures()["timeout"],
			}
			for limit, codes := range limitCodes {
				for _, code := range codes {
					hits[limit] += messages[code]
				}
			}
			tellAll(t, hits)
		}},
		{Name: "holdfast_connections_limit", Help: "Most connections at a time.", Read: func(t tell) { t(float64(connections.Limits.Connections)) }},
	}
}

// tellAll tells counters by their name.
func tellAll(t tell, counted map[string]int64) {
	for _, name := range slices.Sorted(maps.Keys(counted)) {
		t(float64(counted[name]), name)
	}
}

func tellPhase(t tell, now lifecycle.Phase) {
	for phase := lifecycle.Starting; phase <= lifecycle.Flushed; phase++ {
		value := 0.0
		if phase == now {
			value = 1
		}
		t(value, phase.String())
	}
}

func tellBuild(t tell) {
	b := buildVersion()
	t(1, b.Version, b.Revision, b.Go)
}

func (h *house) tellLostLines(t tell) {
	if h.accessLog != nil {
		t(float64(h.accessLog.Losses().Lines))
	}
}

// tellCertificates tells of each host the certificate of a source that ends first: there may
// be several, by kind of key.
func (h *house) tellCertificates(t tell, now time.Time) {
	if h.certificates.selector == nil {
		return
	}
	first := map[[2]string]*certs.Certificate{}
	for _, c := range h.certificates.selector.Certificates() {
		for _, name := range c.Names {
			key := [2]string{name, c.Source}
			if known := first[key]; known == nil || c.NotAfter.Before(known.NotAfter) {
				first[key] = c
			}
		}
	}
	for key, c := range first {
		t(c.NotAfter.Sub(now).Seconds(), key[0], key[1])
	}
}
