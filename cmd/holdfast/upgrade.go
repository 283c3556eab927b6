package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/lifecycle"
)

// Why an upgrade is refused. A successor that does not start says why itself.
var (
	errUpgrading = errors.New("an upgrade is under way already")
	errPID1      = errors.New("this is process 1, with whose end the container ends, successor and all: replace the container instead")
)

// serveTimeout is ample: a successor that is ready has opened everything, and has a file and a
// datagram to write.
const serveTimeout = 10 * time.Second

// cutPatience is what a successor that is killed gets to be gone.
const cutPatience = 200 * time.Millisecond

// A succession starts successors: holdfast as it is on disk by then, with the command line and
// the environment of this one. What they get are the listening sockets.
type succession struct {
	stop      *lifecycle.Stop
	listeners []namedListener
	program   string   // its path
	args      []string // after the program's name
	timeout   time.Duration
	pid       int    // ours
	agreed    string // the directory of the CA whose terms somebody agreed to
	// leave lets go of names that the successor wants at once, and reclaim says again that
	// this process is the one that serves.
	leave   func(ctx context.Context)
	reclaim func(ctx context.Context)
	// serveTimeout is what a successor that is ready gets until it serves.
	serveTimeout time.Duration
	// grace is what a successor gets for its drain that had begun to serve, and must end.
	grace time.Duration
	log   *slog.Logger

	busy  atomic.Bool
	asked chan chan<- upgraded
	once  sync.Once

	working   sync.Mutex     // held by an attempt
	dismissed sync.WaitGroup // successors that drain
	hurry     context.Context
	cut       context.CancelFunc // ends hurry, and them
}

// upgraded is how an upgrade went.
type upgraded struct {
	pid int // of the successor
	err error
}

func (u *succession) setUp() {
	u.once.Do(func() {
		u.asked = make(chan chan<- upgraded, 1)
		u.hurry, u.cut = context.WithCancel(context.Background())
	})
}

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
	u.working.Lock()
	defer u.working.Unlock()
	ctx, release := unlessStopping(ctx, u.stop)
	defer release()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	s, err := u.start()
	if err != nil {
		return 0, fmt.Errorf("the successor cannot be started: %w", err)
	}
	pid = s.process.Pid
	u.log.Info("upgrade: the successor starts", "pid", pid, "program", u.program)
	takes, err := u.awaitReady(ctx, s)
	if err != nil {
		err = s.why(err, s.end(ctx.Err() != nil))
	} else if err = u.handOver(ctx, s, takes); err != nil {
		err = s.why(err, u.dismiss(ctx, s))
	}
	if err != nil {
		return 0, fmt.Errorf("the successor (pid %d) %w", pid, err)
	}
	return pid, nil
}

// awaitReady gives the successor its time until it is ready.
func (u *succession) awaitReady(ctx context.Context, s *successor) (takes map[string]bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, u.timeout, fmt.Errorf("it was not ready within %v", u.timeout))
	defer cancel()
	return s.awaitReady(ctx)
}

// handOver lets the successor serve beside us, and once it does begins our stop. What it takes
// is its from then on, and so are the names: before the stop begins, so that no probe that comes
// anew hears of it.
func (u *succession) handOver(ctx context.Context, s *successor, takes map[string]bool) error {
	serving, cancel := context.WithTimeoutCause(ctx, u.serveTimeout, fmt.Errorf("it did not serve within %v", u.serveTimeout))
	defer cancel()
	if err := s.awaitServing(serving); err != nil {
		return err
	}
	u.pass(takes, func(l namedListener) bool { return l.name == "admin" }) // which leave closes
	u.leave(ctx)
	err := u.stop.HandOver(s.process.Pid, func() error {
		u.pass(takes, func(namedListener) bool { return true })
		return nil
	})
	if err != nil {
		return err
	}
	_ = s.tell() // our end will say the same
	s.close()
	_ = s.process.Release()
	return nil
}

// pass makes those of the listeners the successor's that it takes.
func (u *succession) pass(takes map[string]bool, which func(namedListener) bool) {
	for _, l := range u.listeners {
		if takes[l.name+" "+l.address] && which(l) {
			l.listener.HandOver()
		}
	}
}

// dismiss ends a successor that may have clients: it drains, and we do not wait for that. Its
// state is returned if it has ended.
func (u *succession) dismiss(ctx context.Context, s *successor) *os.ProcessState {
	_ = s.process.Signal(syscall.SIGTERM) // an error means that it has ended
	ended := make(chan *os.ProcessState, 1)
	u.dismissed.Go(func() {
		defer s.close()
		late, cancel := context.WithTimeout(u.hurry, u.grace)
		defer cancel()
		defer context.AfterFunc(late, func() { _ = s.process.Kill() })()
		state, _ := s.process.Wait()
		ended <- state
	})
	if ctx.Err() != nil {
		return nil // we stop, and others wait
	}
	defer u.reclaim(ctx)
	select {
	case state := <-ended:
		return state
	case <-time.After(endPatience):
		return nil
	}
}

// finish waits, behind a stop, until no successor is left that was not handed over to. A
// signal cuts them, and so does forced. There can be no upgrade any more.
func (u *succession) finish(signals <-chan os.Signal, forced bool) {
	u.setUp()
	defer u.cut()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		u.working.Lock() // for good
		u.dismissed.Wait()
	}()
	late := time.NewTimer(u.grace + endPatience) // a program on a disk that hangs is left behind
	defer late.Stop()
	for {
		if forced {
			u.cut()
			late.Reset(cutPatience)
		}
		select {
		case <-ended:
			return
		case <-late.C:
			return
		case <-signals:
			forced = true
		}
	}
}

// unlessStopping is a context that ends when a stop begins, with lifecycle.ErrStopping for its
// cause. It has when one has begun.
func unlessStopping(ctx context.Context, stop *lifecycle.Stop) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	select {
	case <-stop.Stopping():
		cancel(lifecycle.ErrStopping)
	default:
		watch.Go(func() {
			select {
			case <-stop.Stopping():
				cancel(lifecycle.ErrStopping)
			case <-ctx.Done():
			}
		})
	}
	return ctx, func() {
		cancel(nil)
		watch.Wait()
	}
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
