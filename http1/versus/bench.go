package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/holdfast-server/holdfast/http1/versus/contestant"
	"github.com/holdfast-server/holdfast/http1/versus/load"
	"github.com/holdfast-server/holdfast/http1/versus/process"
)

const (
	// warmUpTotal lets a server grow its pools and its stacks before it is measured.
	warmUpTotal = 300 * time.Millisecond
	// patience is what a measurement may take beyond its duration: 10,000 handshakes on a
	// busy machine. After that the children are killed.
	patience = 3 * time.Minute
	// idleRounds bound the rounds of a case about memory, which hardly differ.
	idleRounds = 3
	// idleSpans is how long connections are idle before memory is looked at, in lengths of
	// a measurement.
	idleSpans = 3
	// spareConnections is how many a server must take beside those of the case.
	spareConnections = 64
)

// bench is the whole comparison.
type bench struct {
	servers     []string
	rounds      int
	duration    time.Duration
	active      int // connections in a case about time
	idle        int // connections in a case about memory
	wrk         bool
	serverCore  int
	clientCore  int
	profileInto string // a folder; "" for no profiles

	self string // this program
	dir  string // for files of this run
	pair keyPair
	root string    // the folder with the files of the cases
	log  io.Writer // progress
}

func (b *bench) connections() int { return max(b.active, b.idle) + spareConnections }

func (b *bench) warmUp() time.Duration { return min(warmUpTotal, b.duration) }

const (
	unitTime   = "µs of server CPU per request"
	unitMemory = "KiB of server memory per connection"
)

// run measures one case: each round all servers.
func (b *bench) run(ctx context.Context, s scenario) (*outcome, error) {
	o := &outcome{Name: s.name, Title: s.title, Unit: unitTime, Aim: s.aim}
	measure, rounds := b.measureTime, b.rounds
	s.target.Connections = b.active
	if s.idle {
		o.Unit = unitMemory
		measure, rounds = b.measureMemory, min(rounds, idleRounds)
		s.target.Connections = b.idle
	}
	if s.connections > 0 {
		s.target.Connections = s.connections
	}
	taken := make(map[string][]sample)
	for round := range rounds {
		fmt.Fprintf(b.log, "%s: round %d of %d\n", s.name, round+1, rounds)
		for _, name := range b.serversOf(s) {
			got, err := measure(ctx, name, s)
			if err != nil {
				return nil, fmt.Errorf("%s, case %s, round %d: %w", name, s.name, round+1, err)
			}
			taken[name] = append(taken[name], got)
		}
	}
	o.Rows = rows(b.servers, taken)
	if b.profileInto != "" && !s.idle {
		return o, b.profiles(ctx, s)
	}
	return o, nil
}

// with starts a server for one measurement and ends it afterwards. A fresh process each
// time averages over what differs between processes, such as where their memory lies.
func (b *bench) with(ctx context.Context, name string, sc scenario, do func(ctx context.Context, s *server, t load.Target) error) error {
	ctx, cancel := context.WithTimeout(ctx, b.duration+patience)
	defer cancel()
	t := sc.target
	s, err := b.startServer(ctx, name, t.TLS, sc.files)
	if err != nil {
		return err
	}
	t.Addr = s.addr
	err = do(ctx, s, t)
	return errors.Join(err, s.Stop())
}

// measureTime is one server under load.
func (b *bench) measureTime(ctx context.Context, name string, sc scenario) (got sample, err error) {
	err = b.with(ctx, name, sc, func(ctx context.Context, s *server, t load.Target) error {
		if _, err := load.Run(ctx, t, b.warmUp()); err != nil {
			return err
		}
		before, err := process.CPU(s.PID)
		if err != nil {
			return err
		}
		r, err := b.generate(ctx, t)
		if err != nil {
			return err
		}
		after, err := process.CPU(s.PID)
		if err != nil {
			return err
		}
		got = timeSample(r, after-before)
		return nil
	})
	return got, err
}

// timeSample is what a run and the server's processor time during it come to.
func timeSample(r load.Result, cpu time.Duration) sample {
	return sample{
		CPUMicros: float64(cpu) / float64(time.Microsecond) / float64(r.Requests),
		PerSecond: float64(r.Requests) / r.Elapsed.Seconds(),
		Busy:      cpu.Seconds() / r.Elapsed.Seconds(),
	}
}

// generate asks t for the duration, by wrk or as a child of our own.
func (b *bench) generate(ctx context.Context, t load.Target) (r load.Result, err error) {
	if b.wrk {
		return load.Wrk(ctx, t, b.duration, b.clientCore, b.dir)
	}
	args, err := b.command(modeLoad, order{t, b.duration})
	if err != nil {
		return r, err
	}
	c, err := process.Start(ctx, process.Spec{Name: "generator", Args: args, Core: b.clientCore})
	if err != nil {
		return r, err
	}
	answer, err := c.Answer()
	if err := errors.Join(err, c.Stop()); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(answer), &r); err != nil {
		return r, fmt.Errorf("generator said %.100q: %w", answer, err)
	}
	if r.Requests == 0 {
		return r, errors.New("nothing was answered")
	}
	return r, nil
}

// measureMemory is one server that holds idle connections.
func (b *bench) measureMemory(ctx context.Context, name string, sc scenario) (got sample, err error) {
	err = b.with(ctx, name, sc, func(ctx context.Context, s *server, t load.Target) error {
		few := t
		few.Connections = 1
		if _, err := load.Run(ctx, few, b.warmUp()); err != nil {
			return err
		}
		before, err := s.settled()
		if err != nil {
			return err
		}
		got, err = b.growth(ctx, s, t, before)
		return err
	})
	return got, err
}

// growth holds t's connections on s and tells what each added to before.
func (b *bench) growth(ctx context.Context, s *server, t load.Target, before process.Memory) (got sample, err error) {
	args, err := b.command(modeHold, order{Target: t})
	if err != nil {
		return got, err
	}
	holder, err := process.Start(ctx, process.Spec{Name: "holder", Args: args, Core: b.clientCore})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, holder.Stop()) }()
	if _, err := holder.Answer(); err != nil {
		return got, err
	}
	select { // a connection that is idle has been for a while
	case <-time.After(idleSpans * b.duration):
	case <-ctx.Done():
		return got, context.Cause(ctx)
	}
	grown, err := process.Resident(s.PID)
	if err != nil {
		return got, err
	}
	after, err := s.settled()
	if err != nil {
		return got, err
	}
	n := float64(t.Connections) * 1024
	return sample{KiB: float64(after.PSS-before.PSS) / n, GrownKiB: float64(grown.PSS-before.PSS) / n}, nil
}

// settled is the server's memory without garbage.
func (s *server) settled() (process.Memory, error) {
	if err := s.collect(); err != nil {
		return process.Memory{}, err
	}
	return process.Resident(s.PID)
}

// profiles runs the case once more for each server in Go, with the profiler on: it costs
// a little, so it stays out of the rounds.
func (b *bench) profiles(ctx context.Context, sc scenario) error {
	for _, name := range b.serversOf(sc) {
		if program(name) != nil {
			continue
		}
		path := filepath.Join(b.profileInto, name+"-"+sc.name+".prof")
		err := b.with(ctx, name, sc, func(ctx context.Context, s *server, t load.Target) error {
			return b.profile(ctx, s, t, path)
		})
		if err != nil {
			return fmt.Errorf("profile of %s in case %s: %w", name, sc.name, err)
		}
		fmt.Fprintf(b.log, "%s: profile in %s\n", sc.name, path)
	}
	return nil
}

func (b *bench) profile(ctx context.Context, s *server, t load.Target, path string) error {
	if _, err := load.Run(ctx, t, b.warmUp()); err != nil {
		return err
	}
	if _, err := s.Ask(contestant.OrderProfile + " " + path); err != nil {
		return err
	}
	if _, err := b.generate(ctx, t); err != nil {
		return err
	}
	_, err := s.Ask(contestant.OrderProfileEnd)
	return err
}
