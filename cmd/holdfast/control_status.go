package main

import (
	"context"
	"os"
	"time"

	"github.com/holdfast-server/holdfast/certs"
	"github.com/holdfast-server/holdfast/cmd/holdfast/control"
	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// serverStatus is what holdfast status tells, in the form of its --json.
type serverStatus struct {
	PID           int             `json:"pid"`
	Version       string          `json:"version"`
	Since         time.Time       `json:"since"`
	UptimeSeconds float64         `json:"uptime_seconds"`
	Phase         string          `json:"phase"`                        // lifecycle's word for it
	DrainLeft     *float64        `json:"drain_left_seconds,omitempty"` // until what is left is cut; nil without a drain
	Listeners     []listenStatus  `json:"listeners"`
	Connections   openConnections `json:"connections"`
	Requests      http1.Ledger    `json:"requests"`
	certificateList
}

type listenStatus struct {
	Name    string `json:"name"` // https, http
	Address string `json:"address"`
}

// openConnections are those of now by state, and the account of all there were.
type openConnections struct {
	New      int64 `json:"new"`
	Idle     int64 `json:"idle"`
	Active   int64 `json:"active"`
	Detached int64 `json:"detached"`
	Closing  int64 `json:"closing"`
	conn.Ledger
}

// certificatesLimit is how many certificates an answer names: it has to stay readable, and
// below control.AnswerBytes. namesLimit is the same for the names of one.
const (
	certificatesLimit = 100
	namesLimit        = 20
)

// certificateList are the certificates that are served, the default first.
type certificateList struct {
	Certificates []certificateStatus `json:"certificates"`
	NotListed    int                 `json:"certificates_not_listed,omitempty"` // over certificatesLimit
}

type certificateStatus struct {
	Names     []string  `json:"names"`
	NotListed int       `json:"names_not_listed,omitempty"` // over namesLimit
	Source    string    `json:"source"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	NotAfter  time.Time `json:"not_after"`
}

// status answers holdfast status. It takes no lock for longer than a look, so that it can
// be asked for under load and to the end of the drain.
func (r *running) status(context.Context, control.Call) (any, error) {
	s := serverStatus{
		PID: os.Getpid(), Version: r.settings.Version, Since: r.since.UTC(), UptimeSeconds: time.Since(r.since).Seconds(),
		Phase: r.stop.Phase().String(), Connections: countOpen(r.connections), Requests: r.requests(),
		certificateList: r.served(),
	}
	for _, l := range r.listeners {
		s.Listeners = append(s.Listeners, listenStatus{Name: l.name, Address: l.listener.Addr().String()})
	}
	s.DrainLeft = drainLeft(r.stop)
	return s, nil
}

// drainLeft is how many seconds a drain has left; nil without one.
func drainLeft(stop *lifecycle.Stop) *float64 {
	deadline := stop.Deadline()
	if deadline.IsZero() {
		return nil
	}
	left := max(0, time.Until(deadline).Seconds())
	return &left
}

func countOpen(s *conn.Server) openConnections {
	n := s.States()
	return openConnections{
		New: n[conn.New], Idle: n[conn.Idle], Active: n[conn.Active], Detached: n[conn.Detached], Closing: n[conn.Closed],
		Ledger: s.Ledger(),
	}
}

// served are the certificates as an answer names them.
func (h *house) served() (list certificateList) {
	list.Certificates = []certificateStatus{}
	if h.certificates.selector == nil {
		return list
	}
	all := h.certificates.selector.Certificates()
	if len(all) > certificatesLimit {
		list.NotListed = len(all) - certificatesLimit
		all = all[:certificatesLimit]
	}
	for _, c := range all {
		list.Certificates = append(list.Certificates, describeCertificate(c))
	}
	return list
}

func describeCertificate(c *certs.Certificate) certificateStatus {
	names := c.Names[:min(len(c.Names), namesLimit)]
	return certificateStatus{
		Names: names, NotListed: len(c.Names) - len(names),
		Source: c.Source, Issuer: c.Issuer, Serial: c.Serial, NotAfter: c.NotAfter.UTC(),
	}
}
