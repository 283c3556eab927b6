package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-server/holdfast/lifecycle"
)

// Why an upgrade is refused. A successor that does not start says why itself.
var (
	errUpgrading = errors.New("an upgrade is under way already")
	errPID1      = errors.New("this is process 1, with whose end the container ends, successor and all: replace the container instead")
)

// A succession starts successors: holdfast as it is on disk by then, with the command line and
// the environment of this one. What they get are the listening sockets.
type succession struct {
	stop      *lifecycle.Stop
	listeners []namedListener
	program   string   // its path
	args      []string // after the program's name
	timeout   time.Duration
	pid       int    // ours
	leave     func() // lets go of names that the successor wants at once
	log       *slog.Logger

	busy  atomic.Bool
	asked chan chan<- upgraded
	once  sync.Once
}

// upgraded is how an upgrade went.
type upgraded struct {
	pid int // of the successor
	err error
}

func (u *succession) setUp() { u.once.Do(func() { u.asked = make(chan chan<- upgraded, 1) }) }

// ask asks for an upgrade, and for no word about it but the log's. It never blocks.
func (u *succession) ask() { u.request(make(chan upgraded, 1)) }

// upgrade hands over to a successor, or returns why there is none; then nothing has changed.
func (u *succession) upgrade(ctx context.Context) (pid int, err error) {
	answer := make(chan upgraded, 1)
	u.request(answer)
	select {
	case a := <-answer:
		return a.pid, a.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// request passes it on to the actor, unless that is at work: one at a time.
func (u *succession) request(answer chan<- upgraded) {
	u.setUp()
	if !u.busy.CompareAndSwap(false, true) {
		u.log.Warn("upgrade refused", "error", errUpgrading)
		answer <- upgraded{err: errUpgrading}
		return
	}
	u.asked <- answer // there is room: whoever is not busy has taken the last one
}

// run is the work of an actor: one upgrade after another, until ctx is done.
func (u *succession) run(ctx context.Context) error {
	u.setUp()
	for {
		select {
		case <-ctx.Done():
			return nil
		case answer := <-u.asked:
			pid, err := u.attempt(ctx)
			u.tell(pid, err)
			u.busy.Store(false)
			answer <- upgraded{pid, err}
		}
	}
}

// tell logs how an upgrade went.
func (u *succession) tell(pid int, err error) {
	switch {
	case err == nil:
		u.log.Info("handed over", "successor", pid)
	case errors.Is(err, lifecycle.ErrStopping):
		u.log.Info("upgrade given up", "error", err)
	default:
		u.log.Error("upgrade failed, this process serves on", "error", err)
	}
}

// attempt is one upgrade. A stop that begins meanwhile ends it, and the successor.
func (u *succession) attempt(ctx context.Context) (pid int, err error) {
	if u.pid == 1 {
		return 0, errPID1
	}
	ctx, cancel := context.WithTimeoutCause(ctx, u.timeout, fmt.Errorf("it was not ready within %v", u.timeout))
	defer cancel()
	ctx, stopping := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-u.stop.Stopping():
			stopping(lifecycle.ErrStopping)
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer stopping(nil)

	s, err := u.start()
	if err != nil {
		return 0, fmt.Errorf("the successor cannot be started: %w", err)
	}
	defer s.close()
	pid = s.process.Pid
	u.log.Info("upgrade: the successor starts", "pid", pid, "program", u.program)
	takes, err := s.awaitReady(ctx)
	if err == nil {
		err = u.stop.HandOver(pid, func() error { return u.give(s, takes) })
	}
	if err != nil {
		state := s.end()
		return 0, fmt.Errorf("the successor (pid %d) %w", pid, s.why(err, state))
	}
	_ = s.process.Release()
	return pid, nil
}

// give lets the successor begin. What it takes is its from then on, and so are the names: before
// the stop begins, so that no probe that comes anew hears of it.
func (u *succession) give(s *successor, takes map[string]bool) error {
	if err := s.letBegin(); err != nil {
		return err
	}
	for _, l := range u.listeners {
		if takes[l.name+" "+l.address] {
			l.listener.HandOver()
		}
	}
	u.leave()
	return nil
}

// ownProgram is the path by which a later version of this binary is found: the one that it was
// called by, which may lead through a link that is switched, else the file's own.
func ownProgram() string {
	called, err := calledBy(os.Args[0])
	file, ferr := os.Executable()
	if ferr != nil || err == nil && sameFile(called, file) {
		return called
	}
	return file
}
