package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// secondSignalAfter is how soon after the first a signal counts as the second. Terminals
// and supervisors often send the first one twice.
const secondSignalAfter = 250 * time.Millisecond

// afterCut is what handlers get to return once their connections are cut, before the
// process goes without them. With the rest of the exit it stays below 1 s.
const afterCut = 500 * time.Millisecond

// releasePatience is what the last release may take. Nothing that clients wait for is in it.
const releasePatience = 200 * time.Millisecond

// overdueShare is the part of the drain's time that is left when those are named that hold
// it up: the last fifth.
const overdueShare = 5

// A Target is what a stop drains. The calls come in this order, from one goroutine;
// conn.Server is one.
type Target interface {
	// Announce begins the lame duck.
	Announce()
	// CloseListeners empties the accept queues and closes the listeners, at once when
	// ctx is done.
	CloseListeners(ctx context.Context)
	// Drain tells the connections; the channel is closed when all are gone.
	Drain() <-chan struct{}
	// Overdue says what is still under way, when four fifths of the drain's time are over.
	Overdue()
	// Cut ends what is left, and returns how many connections that was.
	Cut() int
}

// Stop is the signal actor: it waits for the reason to stop and then drains the target.
// The fields are set before Actor and not changed afterwards.
type Stop struct {
	Target Target
	// Signals brings SIGINT, SIGTERM, SIGHUP and SIGUSR2. Registering for them is main's, first
	// thing: before that a signal kills.
	Signals <-chan os.Signal
	// Delay is the length of the lame duck.
	Delay time.Duration
	// Timeout is how long the drain may take, from the closing of the listeners on.
	Timeout time.Duration
	// Outlive, when not nil, returns once the process that this one took over from has ended,
	// or ctx is done. The drain waits for that too, within its own deadline: a supervisor takes
	// the end of this process for the end of all, and kills who is left.
	Outlive func(ctx context.Context)
	// Reload is called on SIGHUP and must not block; nil ignores the signal.
	Reload func()
	// Upgrade is called on SIGUSR2 and must not block; nil ignores the signal.
	Upgrade func()
	// HungUp tells whether the controlling terminal is gone, so that SIGHUP means stop;
	// nil for never.
	HungUp func() bool
	// Release lets go of what outlives the drain, such as a listener that answers probes. It
	// is called last, when the report is there, also behind a drain that failed, and the
	// actor returns after it. It gets a context that ends soon, or at once where the stop was
	// forced, and must return then. Nil for nothing.
	Release func(ctx context.Context)
	// Log gets a line a phase; nil discards.
	Log *slog.Logger

	handOver handOver

	phase phases
	died  chan error
	asked chan string
	once  sync.Once

	mu     sync.Mutex
	report Report
}

// Actor returns the pair for a run.Group. The execute returns nil after a signal, else
// the error of the actor that died, and in either case only when the drain is over.
func (s *Stop) Actor() (execute func() error, interrupt func(error)) {
	s.died, s.asked = make(chan error, 1), make(chan string, 1)
	s.handOver.setUp()
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	return Guard("stop", s.run), func(err error) { s.once.Do(func() { s.died <- err }) }
}

// Report is how the stop went; of use once Run of the group has returned.
func (s *Stop) Report() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

func (s *Stop) run() error {
	s.phase.set(Running)
	d := &drain{stop: s}
	s.await(&d.report)
	d.report.Successor = s.handOver.begin()
	d.report.Begun = time.Now()
	s.phase.set(LameDuck) // before anybody can read of it
	s.Log.Info("stopping", "cause", d.report.Cause(), "drain_delay", s.Delay.String(), "drain_timeout", s.Timeout.String())
	if err := Guard("drain", func() error { d.run(); return nil })(); err != nil {
		d.abandon(err)
	}
	d.noteDeath()
	s.mu.Lock()
	s.report = d.report
	s.mu.Unlock()
	s.release(&d.report)
	return d.report.Died
}

// release calls Release. Its panic is nobody's death any more: all that matters is over.
func (s *Stop) release(r *Report) {
	if s.Release == nil {
		return
	}
	patience := releasePatience
	if r.Second != nil || r.Stuck {
		patience = 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := Guard("release", func() error { s.Release(ctx); return nil })(); err != nil {
		s.Log.Error("the last release failed", "error", err)
	}
}

// await blocks until there is a reason to stop, and reports it: a signal, somebody who asks,
// or an actor's death.
func (s *Stop) await(r *Report) {
	for {
		select {
		case err := <-s.died:
			r.Died = cause(err)
			return
		case r.Asked = <-s.asked:
			return
		case <-s.handOver.committed:
			return
		case sig := <-s.Signals:
			if sig == syscall.SIGUSR2 {
				s.upgrade()
				continue
			}
			if sig != syscall.SIGHUP {
				r.Signal = sig
				return
			}
			switch stop, err := s.hangUp(); {
			case err != nil:
				r.Died = err
				return
			case stop:
				r.Signal = sig
				return
			}
		}
	}
}

// upgrade asks for a successor. As in hangUp, a panic must not end the actor.
func (s *Stop) upgrade() {
	if s.Upgrade == nil {
		return
	}
	if err := Guard("upgrade", func() error { s.Upgrade(); return nil })(); err != nil {
		s.Log.Error("the upgrade failed", "error", err)
	}
}

// hangUp deals with SIGHUP: it tells whether that means to stop, and reloads when not. A
// panic of either function comes back as an error. It must not end the actor: the
// listeners would go on with nobody left to drain them.
func (s *Stop) hangUp() (stop bool, err error) {
	err = Guard("reload", func() error {
		if stop = s.HungUp != nil && s.HungUp(); !stop && s.Reload != nil {
			s.Reload()
		}
		return nil
	})()
	return stop, err
}

// drain is one stop under way.
type drain struct {
	stop   *Stop
	report Report
	since  time.Time // when the current phase began
}

// run is the drain, phase by phase.
func (d *drain) run() {
	force, release := d.watchForSecond()
	defer release()
	t := d.stop.Target

	deadline := d.leave(force)

	d.enter(Draining)
	if gone := t.Drain(); !d.finish(gone, deadline, force) {
		d.enter(Forcing)
		d.report.Cut = t.Cut()
		if !waitFor(gone, afterCut, context.Background()) {
			d.report.Stuck = true
			d.stop.Log.Error("handlers did not return after their connections were cut", "stacks", stacks())
		}
	} else {
		d.outlive(deadline, force)
	}
	d.enter(Flushed)
	d.close()
}

// finish waits for the connections to end, until the deadline. When most of its time is
// over the target says what holds it up, while that can still be looked at.
func (d *drain) finish(gone <-chan struct{}, deadline time.Time, force context.Context) (ended bool) {
	if waitFor(gone, time.Until(deadline.Add(-d.stop.Timeout/overdueShare)), force) {
		return true
	}
	if force.Err() == nil && time.Now().Before(deadline) {
		d.stop.Target.Overdue()
	}
	return waitFor(gone, time.Until(deadline), force)
}

// outlive waits for the predecessor, whose connections have a deadline of their own.
func (d *drain) outlive(deadline time.Time, force context.Context) {
	if d.stop.Outlive == nil {
		return
	}
	ctx, done := context.WithDeadline(force, deadline)
	defer done()
	d.stop.Outlive(ctx)
}

// leave is the lame duck and the closing of the listeners, from which on the drain timeout is
// counted. In a hand-over the successor accepts from the same sockets already: there the
// listeners close first, and the announcement is for the connections that are open.
func (d *drain) leave(force context.Context) (deadline time.Time) {
	if d.report.Successor != 0 {
		d.stop.Target.Announce()
		d.closeListeners(force)
		d.expect(time.Now().Add(handOverDelay + d.stop.Timeout))
		d.enter(LameDuck)
		waitFor(nil, handOverDelay, force)
		deadline = time.Now().Add(d.stop.Timeout)
		d.expect(deadline)
		return deadline
	}
	d.expect(time.Now().Add(d.stop.Delay + d.stop.Timeout))
	d.enter(LameDuck)
	d.stop.Target.Announce()
	waitFor(nil, d.stop.Delay, force)
	return d.closeListeners(force)
}

func (d *drain) closeListeners(force context.Context) (deadline time.Time) {
	d.enter(Closing)
	deadline = time.Now().Add(d.stop.Timeout)
	d.expect(deadline)
	closing, done := context.WithDeadline(force, deadline)
	defer done()
	d.stop.Target.CloseListeners(closing)
	return deadline
}

// abandon ends a drain in which the target panicked with err: listeners and connections go
// at once, because actors that still accept would keep the process for ever.
func (d *drain) abandon(err error) {
	d.stop.Log.Error("the drain itself failed", "error", err)
	if d.report.Died == nil {
		d.report.Died = err
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for _, step := range []func(){
		func() { d.stop.Target.CloseListeners(now) },
		func() { d.report.Cut += d.stop.Target.Cut() },
	} {
		_ = Guard("abandon", func() error { step(); return nil })()
	}
}

// noteDeath looks for an actor that died while the drain ran. Actors are interrupted only
// after it, so whoever returned before did so of itself.
func (d *drain) noteDeath() {
	select {
	case err := <-d.stop.died:
		if d.report.Died == nil {
			d.report.Died = cause(err)
		}
	default:
	}
}

// cause is an actor's error, or what to call the end of one that gave none.
func cause(err error) error {
	if err == nil {
		return errors.New("an actor returned without a reason")
	}
	return err
}

// enter moves on to a phase, and books and logs the one that ended.
func (d *drain) enter(p Phase) {
	d.close()
	d.since = time.Now()
	d.report.Phases = append(d.report.Phases, Stretch{Phase: p})
	d.stop.phase.set(p)
	d.stop.Log.Debug("drain phase", "phase", p.String())
}

// expect tells when what is left will be cut.
func (d *drain) expect(deadline time.Time) { d.stop.phase.deadline.Store(&deadline) }

// close books the length of the current phase.
func (d *drain) close() {
	if n := len(d.report.Phases); n > 0 {
		d.report.Phases[n-1].Took = time.Since(d.since)
	}
}

// watchForSecond returns a context that ends at a second signal, and the function that
// ends the watch. Where an actor's death or a word (Ask) began the stop, the first signal that
// comes is the first: it asks for what is under way already.
func (d *drain) watchForSecond() (force context.Context, release func()) {
	force, cancel := context.WithCancel(context.Background())
	quit, done := make(chan struct{}), make(chan struct{})
	var first time.Time
	if d.report.Signal != nil {
		first = d.report.Begun
	}
	var second os.Signal
	go func() {
		defer close(done)
		for {
			select {
			case sig := <-d.stop.Signals:
				switch {
				case sig == syscall.SIGHUP, sig == syscall.SIGUSR2:
				case first.IsZero():
					first = time.Now()
				case second == nil && time.Since(first) >= secondSignalAfter:
					second = sig
					cancel() // before a log that may be stuck
					d.stop.Log.Warn("second signal: cutting what is left", "signal", sig.String())
				}
			case <-quit:
				return
			}
		}
	}()
	return force, func() {
		close(quit)
		<-done
		cancel()
		d.report.Second = second
	}
}

// waitFor waits until done is closed (true), or the time is over or force ended (false).
// A nil done never is.
func waitFor(done <-chan struct{}, length time.Duration, force context.Context) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-force.Done():
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// stacks are the stacks of all goroutines, 256 KiB at most.
func stacks() string {
	buf := make([]byte, 256<<10)
	return string(buf[:runtime.Stack(buf, true)])
}
