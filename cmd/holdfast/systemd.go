package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/lifecycle"
)

const (
	// notifyPatience bounds the sending of a datagram, whose queue may be full.
	notifyPatience = time.Second
	// notifyTries is how often it is sent when it matters, and notifyPause is in between.
	notifyTries = 3
	notifyPause = 100 * time.Millisecond
)

// A supervisor is systemd, or whoever else has a notify socket (sd_notify(3)). The zero value
// is nobody.
type supervisor struct {
	socket   *net.UnixAddr
	watchdog time.Duration // within which it wants to hear from us; 0 for never
	log      *slog.Logger  // gets what it cannot be told; set before the first word
}

// newSupervisor reads who supervises. The variables stay, for a successor.
func newSupervisor(env environment) supervisor {
	s := supervisor{}
	path := env.get("NOTIFY_SOCKET")
	if path == "" {
		return s
	}
	s.socket = &net.UnixAddr{Name: path, Net: "unixgram"} // Go knows a leading @ as an abstract one
	if pid := env.get("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if n, err := strconv.ParseInt(env.get("WATCHDOG_USEC"), 10, 64); err == nil && n > 0 && n <= int64(time.Hour/time.Microsecond)*24 {
			s.watchdog = time.Duration(n) * time.Microsecond
		}
	}
	return s
}

// tell sends one message of these lines. A supervisor that does not hear is its own fault,
// and no reason to stop.
func (s supervisor) tell(lines ...string) {
	if err := s.send(lines...); err != nil {
		s.log.Warn("the supervisor cannot be told", "message", lines[0], "error", err)
	}
}

func (s supervisor) send(lines ...string) error {
	if s.socket == nil {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, s.socket)
	if err != nil {
		return err
	}
	message := ""
	for _, line := range lines {
		message += line + "\n"
	}
	_ = c.SetWriteDeadline(time.Now().Add(notifyPatience))
	_, err = c.Write([]byte(message))
	return errors.Join(err, c.Close())
}

// ready tells that this process serves, and is the main one. It tries again, for the second is
// told but once, and returns an error when there is a supervisor that does not hear: it would
// take the end of the old process for the service's.
//
// READY=1 starts no watchdog's clock anew while the service is up, as it is when a
// successor says so: only WATCHDOG=1 does.
func (s supervisor) ready(ctx context.Context, status string) (err error) {
	lines := []string{"READY=1", "MAINPID=" + strconv.Itoa(os.Getpid()), "STATUS=" + status}
	if s.watchdog > 0 {
		lines = append(lines, "WATCHDOG=1")
	}
	for range notifyTries {
		if err = s.send(lines...); err == nil {
			return nil
		}
		select {
		case <-time.After(notifyPause):
		case <-ctx.Done():
		}
	}
	s.log.Warn("the supervisor cannot be told", "message", "READY=1", "error", err)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil // nobody is there
	}
	return err
}

// watchdogShare is how many times a watchdog hears from us in its interval. At two, a beat that
// comes a little late is too late.
const watchdogShare = 3

// reloading begins a reload; reloaded ends it.
func (s supervisor) reloading() {
	if now := monotonicMicroseconds(); now > 0 {
		s.tell("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(now, 10))
	}
}

func (s supervisor) reloaded() { s.tell("READY=1") }

// accompany tells that the server, which is ready, lives, and that it stops. One that has
// handed over does not tell the latter: the service goes on.
func (s supervisor) accompany(ctx context.Context, stop *lifecycle.Stop, pulse *conn.Pulse) error {
	if s.socket == nil {
		<-ctx.Done()
		return nil
	}
	var beat <-chan time.Time
	if s.watchdog > 0 {
		ticker := time.NewTicker(s.watchdog / watchdogShare)
		defer ticker.Stop()
		beat = ticker.C
	}
	for {
		select {
		case <-stop.Stopping(): // always, before ctx is done
			s.leave(ctx, stop, beat)
			return nil
		case <-beat:
			s.beat(pulse)
		}
	}
}

// leave tells that the service stops, and until the end that the process lives. A process
// that has handed over says once more that it lives, which gives its successor a whole
// interval, and is silent then: its word would be taken for its successor's.
func (s supervisor) leave(ctx context.Context, stop *lifecycle.Stop, beat <-chan time.Time) {
	if stop.Successor() != 0 {
		if s.watchdog > 0 {
			s.tell("WATCHDOG=1")
		}
		<-ctx.Done()
		return
	}
	s.tell("STOPPING=1", "STATUS=draining")
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat:
			s.tell("WATCHDOG=1")
		}
	}
}

// beat tells a watchdog that the server lives, if it does.
func (s supervisor) beat(pulse *conn.Pulse) {
	if pulse.Beats() {
		s.tell("WATCHDOG=1")
		return
	}
	s.log.Error("connections wait and are not accepted: the watchdog is not told that this server lives")
}

// serving is the status of a server that is ready.
func (h *house) serving() string {
	text := "serving"
	for _, l := range h.listeners {
		text += fmt.Sprintf(" %s on %s", l.name, plain(addressText(l.listener.Addr())))
	}
	return text
}
