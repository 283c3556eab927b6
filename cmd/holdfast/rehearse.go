package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/cmd/holdfast/traffic"
)

// What a rehearsal does beside its flags.
const (
	servers      = 2 // that share the load between replacements
	transferTime = 2 * time.Second
	// settleTime is what a new server gets to take its share of the load.
	settleTime = time.Second
	// requestPatience is how long a client waits for a response. Those who wait longer are
	// few, and a rehearsal must end.
	requestPatience = 30 * time.Second
	startPatience   = 30 * time.Second
	// exitPatience is what a server may take beyond its drain delay and timeout. The
	// promise is 1 s; the rest is the machine's.
	exitPatience = 10 * time.Second
)

// A rollingUpdate replaces servers under load, one after another.
type rollingUpdate struct {
	settings *settings
	rounds   int
	lag      time.Duration
	json     bool
	args     []string // of the command line, which the servers read again
	env      environment

	log      *slog.Logger
	dir      string // throwaway state
	replicas []*replica
	serving  []*replica // the oldest first
	balancer traffic.Balancer
	load     traffic.Load
	report   rehearsalReport
}

// run makes a rehearsal of the settings, or, in a replica of one, a server.
func (cmd *rehearseCmd) run(c *call) outcome {
	s, r := c.read()
	h := &rollingUpdate{settings: s, args: c.args, env: c.env, json: cmd.JSON}
	h.rounds = r.count("rounds", "", 1, 1000)
	h.lag = r.duration("endpoint-lag", 0, 10*time.Minute)
	if len(r.faults) > 0 {
		return outcome{exit: report(c.std.err, r.faults)}
	}
	if dir := c.env.get(rehearsalState); dir != "" {
		s.rehearsed(dir)
		return outcome{serve: s}
	}
	return outcome{work: h.work}
}

// work rehearses, and leaves neither a process nor a file behind. A signal ends it at
// once: nobody is served here whom that could harm.
func (h *rollingUpdate) work(std streams, signals <-chan os.Signal) int {
	h.log = newLog(std.err, h.settings.Log, h.settings.LogLevel)
	for _, warning := range h.settings.Warnings {
		h.log.Warn(warning.line())
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), h.longest(), errors.New("the rehearsal took too long"))
	defer cancel()
	ctx, stop := untilSignal(ctx, signals)
	defer stop()

	err := h.rehearse(ctx, func(r roundReport) { h.progress(std, r) })
	h.abandon()
	var interrupted signalError
	switch {
	case errors.As(err, &interrupted):
		return exitSignal + int(interrupted.signal)
	case err != nil:
		return report(std.err, []fault{{What: "the rehearsal failed", Why: plain(err.Error())}})
	}
	h.conclude()
	h.report.write(std.out, h.json)
	return h.report.exit()
}

// longest bounds the whole.
func (h *rollingUpdate) longest() time.Duration {
	round := startPatience + settleTime + h.lag + h.settings.DrainDelay + h.settings.DrainTimeout + exitPatience
	return time.Duration(h.rounds+servers) * round
}

// rehearse does the rounds under load. When it returns the load is over; the replicas are
// not.
func (h *rollingUpdate) rehearse(ctx context.Context, progress func(roundReport)) (err error) {
	if h.dir, err = os.MkdirTemp("", "holdfast-rehearsal-"); err != nil {
		return err
	}
	for range servers {
		if err := h.open(ctx); err != nil {
			return err
		}
	}
	h.load = traffic.Load{
		Balancer: &h.balancer, Mix: traffic.DefaultMix(), Transfer: transferTime, Patience: requestPatience,
		ContentLimitBytes: h.settings.MaxBodyBytes,
	}
	begun := time.Now()
	begin, enough := context.WithCancel(ctx)
	finish, drop := context.WithCancel(ctx)
	var load sync.WaitGroup
	load.Go(func() { h.load.Run(begin, finish) })
	defer func() {
		enough()
		if err != nil {
			drop()
		}
		load.Wait()
		drop()
		h.report.took = time.Since(begun)
	}()
	for n := range h.rounds {
		r, err := h.round(ctx, n+1)
		if err != nil {
			return err
		}
		h.report.rounds = append(h.report.rounds, r)
		progress(r)
	}
	return nil
}

// round replaces the oldest server: the successor is there before it is told to stop.
func (h *rollingUpdate) round(ctx context.Context, n int) (roundReport, error) {
	before := h.load.Tally()
	if err := h.open(ctx); err != nil {
		return roundReport{}, err
	}
	if err := sleep(ctx, settleTime); err != nil {
		return roundReport{}, err
	}
	old := h.serving[0]
	h.serving = h.serving[1:]
	leaves := time.Now()
	old.Leave(leaves)
	h.balancer.RemoveAt(old.Endpoint, leaves.Add(h.lag)) // to the moment, however late this goroutine wakes
	if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return roundReport{}, fmt.Errorf("server %d: %w", old.number, err)
	}
	if err := sleep(ctx, h.lag); err != nil {
		return roundReport{}, err
	}
	// The lag has passed already, which gives the server more time than it has a right to.
	end, err := old.end(ctx, h.settings.DrainDelay+h.settings.DrainTimeout+exitPatience)
	if err != nil {
		return roundReport{}, err
	}
	after := h.load.Tally()
	r := roundReport{number: n, lost: after.Lost() - before.Lost(), end: end}
	r.requests, _ = after.Sum()
	earlier, _ := before.Sum()
	r.requests -= earlier
	return r, nil
}

// open starts one more server and lets clients choose it.
func (h *rollingUpdate) open(ctx context.Context) error {
	number := len(h.replicas) + 1
	self, err := os.Executable()
	if err != nil {
		return err
	}
	state := filepath.Join(h.dir, strconv.Itoa(number))
	cmd := exec.Command(self, h.args...)
	cmd.Env = rehearsalEnvironment(h.env, state)
	c, err := startReplica(cmd, number)
	if err != nil {
		return fmt.Errorf("server %d: %w", number, err)
	}
	h.replicas = append(h.replicas, c)
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("it did not listen in time"))
	defer cancel()
	if err := c.ready(ctx); err != nil {
		return fmt.Errorf("server %d: %w", number, err)
	}
	h.serving = append(h.serving, c)
	h.balancer.Add(c.Endpoint)
	return nil
}

// abandon ends the replicas and removes their state.
func (h *rollingUpdate) abandon() {
	for _, c := range h.replicas {
		c.kill()
	}
	if h.dir == "" {
		return
	}
	if err := os.RemoveAll(h.dir); err != nil {
		h.log.Warn("the rehearsal's state stays", "error", err)
	}
}

// signalError is why a rehearsal ended early.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return "signal " + e.signal.String() }

// untilSignal is a context that a signal ends, with a signalError as its cause, and the
// function that ends the watch.
func untilSignal(ctx context.Context, signals <-chan os.Signal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case sig := <-signals:
			number, _ := sig.(syscall.Signal)
			cancel(signalError{number})
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		watch.Wait()
	}
}

// sleep waits, or returns why it cannot.
func sleep(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
