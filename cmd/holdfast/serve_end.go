package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// conclude reports how the stop went, and returns the exit code. In JSON that is the record
// "stopped" with the connections that have something to tell; for people it is a line and a
// table. The file has it all; one that cannot be written changes no exit code, for that
// says what became of the requests.
func (h *house) conclude(s *settings, std streams, stop lifecycle.Report, connections *conn.Server) int {
	h.closeAccessLog()
	r := newDrainReport(stop, connections.Ledger(), connections.Roll(), h.requests(), h.refusals())
	if s.DrainReport != "" {
		if err := r.writeFile(s.DrainReport); err != nil {
			h.log.Warn("drain report not written", "file", s.DrainReport, "error", err)
		}
	}
	level := slog.LevelInfo
	switch {
	case r.books != nil:
		level = slog.LevelError
	case r.exit != exitOK:
		level = slog.LevelWarn
	}
	attrs := r.attributes()
	if s.Log == jsonForm {
		attrs = append(attrs, r.alive())
	}
	h.log.LogAttrs(context.Background(), level, "stopped", attrs...)
	if s.Log != jsonForm && h.log.Enabled(context.Background(), level) {
		_, _ = io.WriteString(std.err, r.text()) // a log that is stuck is nobody's fault here
	}
	return r.exit
}

// requests is the account of all protocols together.
func (h *house) requests() (sum http1.Ledger) {
	for _, p := range h.protocols {
		sum = sum.Plus(p.Ledger())
	}
	return sum
}

// refusals are what all protocols together refused, by code.
func (h *house) refusals() (sum http1.Refusals) {
	for _, p := range h.protocols {
		sum = sum.Plus(p.Refusals())
	}
	return sum
}

// balance is the verdict on both ledgers. What is open when the stop is over is a
// fault of ours, unless the process gave up on handlers that did not return.
func balance(r lifecycle.Report, connections conn.Ledger, requests http1.Ledger) error {
	err := errors.Join(connections.Balance(), requests.Balance())
	if !r.Stuck && (connections.Open != 0 || requests.Open != 0) {
		err = errors.Join(err, fmt.Errorf("%d connections and %d requests were still open", connections.Open, requests.Open))
	}
	return err
}

// phaseTimes are the phases' lengths in milliseconds, in their order.
func phaseTimes(r lifecycle.Report) (times []slog.Attr) {
	for _, p := range r.Phases {
		key := strings.ReplaceAll(p.Phase.String(), " ", "_")
		times = append(times, slog.Float64(key, milliseconds(p.Took)))
	}
	return times
}
