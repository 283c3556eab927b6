package main

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// watched is a supervisor that a watchdog of this interval is for, and who hears it.
func watched(t *testing.T, interval time.Duration) (supervisor, *listeningSupervisor) {
	t.Helper()
	socket := socketPath(t, "n")
	hears := supervise(t, socket)
	s := newSupervisor(environment{vars: map[string]string{
		"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": strconv.FormatInt(interval.Microseconds(), 10),
	}})
	s.log = slog.New(slog.DiscardHandler)
	return s, hears
}

func TestWatchdogOverAHandOver(t *testing.T) {
	t.Run("whoever is ready is alive", func(t *testing.T) {
		s, hears := watched(t, time.Hour)
		_ = s.ready(t.Context(), "serving")
		if message, _ := hears.hears("READY=1"); message["WATCHDOG"] != "1" {
			t.Errorf("%q", message)
		}
		s.watchdog = 0
		_ = s.ready(t.Context(), "serving")
		message, _ := hears.hears("READY=1")
		if _, beats := message["WATCHDOG"]; beats {
			t.Errorf("without a watchdog: %q", message)
		}
	})
	for _, row := range []struct {
		name string
		stop func(*lifecycle.Stop)
		want []string // before the words of the test's end
	}{
		{"the one that hands over says at that moment that it lives, and no more", func(s *lifecycle.Stop) { _ = s.HandOver(1, func() error { return nil }) }, []string{"WATCHDOG=1"}},
		{"one that stops says that it stops", func(s *lifecycle.Stop) { s.Ask("test") }, []string{"STOPPING=1\nSTATUS=draining"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, hears := watched(t, time.Hour) // so that no beat is due
			server := &conn.Server{}
			stop := &lifecycle.Stop{Target: server}
			execute, _ := stop.Actor()
			stopped := make(chan error, 1)
			go func() { stopped <- execute() }()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			accompanied := make(chan error, 1)
			go func() { accompanied <- s.accompany(ctx, stop, &conn.Pulse{Server: server}) }()
			row.stop(stop)
			if err := <-stopped; err != nil {
				t.Fatal(err)
			}
			cancel()
			<-accompanied
			s.tell("STATUS=end")
			if _, before := hears.hears("STATUS=end"); !slices.Equal(before, row.want) {
				t.Errorf("it says %q, want %q", before, row.want)
			}
		})
	}
}
