package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// conclude reports how the stop went, and returns the exit code.
func (h *house) conclude(r lifecycle.Report, connections conn.Ledger) int {
	requests := h.requests()
	books := balance(r, connections, requests)
	exit := r.ExitCode(books)
	h.closeAccessLog()

	level := slog.LevelInfo
	if exit != exitOK {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("cause", r.Cause()), slog.Int("exit", exit), slog.Int("cut", r.Cut),
		slog.Attr{Key: "phases_ms", Value: slog.GroupValue(phaseTimes(r)...)}, slog.Any("connections", connections), slog.Any("requests", requests),
	}
	if refusals := h.refusals(); len(refusals) > 0 {
		attrs = append(attrs, slog.Any("refusals", refusals))
	}
	if books != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("books", books.Error()))
	}
	h.log.LogAttrs(context.Background(), level, "stopped", attrs...)
	return exit
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
		times = append(times, slog.Float64(key, float64(p.Took)/float64(time.Millisecond)))
	}
	return times
}
