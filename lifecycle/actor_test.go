package lifecycle_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/holdfast-server/holdfast/lifecycle"
)

func TestGuard(t *testing.T) {
	t.Run("a panic becomes an error with its value and stack", func(t *testing.T) {
		err := lifecycle.Guard("admin", func() error { panic("out of luck") })()
		var p *lifecycle.PanicError
		if !errors.As(err, &p) {
			t.Fatalf("returned %v, want a PanicError", err)
		}
		if p.Value != "out of luck" || !strings.Contains(string(p.Stack), "TestGuard") {
			t.Errorf("value %v, stack %s", p.Value, p.Stack)
		}
		if want := "admin: actor panicked: out of luck"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
	})
	t.Run("an error gets the actor's name and stays itself", func(t *testing.T) {
		err := lifecycle.Guard("renewal", func() error { return errDied })()
		if !errors.Is(err, errDied) || err.Error() != "renewal: the disk is gone" {
			t.Errorf("returned %v", err)
		}
	})
	t.Run("nil stays nil", func(t *testing.T) {
		if err := lifecycle.Guard("renewal", func() error { return nil })(); err != nil {
			t.Errorf("returned %v, want nil", err)
		}
	})
}

func TestServing(t *testing.T) {
	t.Run("a closed listener waits for the interrupt and is no error", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			execute, interrupt := lifecycle.Serving("https", func() error { return fmt.Errorf("accept: %w", net.ErrClosed) })
			result := make(chan error, 1)
			go func() { result <- execute() }()
			synctest.Wait()
			if len(result) > 0 {
				t.Fatal("returned before its interrupt: Run would take the listener's end for the cause")
			}
			interrupt(errDied)
			if err := <-result; err != nil {
				t.Errorf("returned %v, want nil", err)
			}
		})
	})
	t.Run("an interrupt that came first is remembered, and a second does no harm", func(t *testing.T) {
		execute, interrupt := lifecycle.Serving("https", func() error { return net.ErrClosed })
		interrupt(nil)
		interrupt(errDied)
		if err := execute(); err != nil {
			t.Errorf("returned %v, want nil", err)
		}
	})
	t.Run("another error is the actor's death, at once and with its name", func(t *testing.T) {
		execute, _ := lifecycle.Serving("https", func() error { return syscall.EBADF })
		if err := execute(); !errors.Is(err, syscall.EBADF) || !strings.HasPrefix(err.Error(), "https: ") {
			t.Errorf("returned %v", err)
		}
	})
	t.Run("an accept loop does not end by itself", func(t *testing.T) {
		execute, _ := lifecycle.Serving("https", func() error { return nil })
		if err := execute(); err == nil {
			t.Error("returned nil: the group would stop without a cause")
		}
	})
	t.Run("a panic is its death", func(t *testing.T) {
		execute, _ := lifecycle.Serving("https", func() error { panic("no") })
		var p *lifecycle.PanicError
		if err := execute(); !errors.As(err, &p) {
			t.Errorf("returned %v, want a PanicError", err)
		}
	})
}

func TestInterrupt(t *testing.T) {
	t.Run("that of the stop never blocks, however often it is called", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{}}
		_, interrupt := stop.Actor() // its execute never runs
		for range 3 {
			interrupt(errDied)
		}
		if stop.Phase() != lifecycle.Starting {
			t.Errorf("phase %s: an interrupt did the drain's work", stop.Phase())
		}
	})
	t.Run("the first error is the cause", func(t *testing.T) {
		stop := &lifecycle.Stop{Target: &target{cut: make(chan struct{})}}
		execute, interrupt := stop.Actor()
		interrupt(errDied)
		interrupt(errors.New("another"))
		if err := execute(); !errors.Is(err, errDied) {
			t.Errorf("returned %v, want the first death", err)
		}
	})
}

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		name   string
		report lifecycle.Report
		books  error
		want   int
	}{
		{"a clean stop", lifecycle.Report{Signal: syscall.SIGTERM}, nil, 0},
		{"the deadline cut something", lifecycle.Report{Signal: syscall.SIGTERM, Cut: 1}, nil, 3},
		{"handlers are stuck", lifecycle.Report{Signal: syscall.SIGTERM, Stuck: true}, nil, 3},
		{"an actor died", lifecycle.Report{Died: errDied}, nil, 4},
		{"an actor died and the deadline cut", lifecycle.Report{Died: errDied, Cut: 2}, nil, 4},
		{"forced by SIGTERM", lifecycle.Report{Signal: syscall.SIGINT, Second: syscall.SIGTERM, Cut: 2}, nil, 143},
		{"forced by SIGINT after a death", lifecycle.Report{Died: errDied, Second: syscall.SIGINT}, nil, 130},
		{"the books do not balance, whatever else", lifecycle.Report{Died: errDied, Second: syscall.SIGINT, Cut: 1}, errors.New("1 request missing"), 5},
		{"a signal without a number", lifecycle.Report{Second: nameless{}}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.report.ExitCode(c.books); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
		})
	}
}

// nameless is an os.Signal of another kind.
type nameless struct{}

func (nameless) Signal()        {}
func (nameless) String() string { return "nameless" }

var _ os.Signal = nameless{}

func TestCause(t *testing.T) {
	for _, c := range []struct {
		name   string
		report lifecycle.Report
		want   string
	}{
		{"a signal", lifecycle.Report{Signal: syscall.SIGTERM}, "signal terminated"},
		{"a death", lifecycle.Report{Died: errDied}, "the disk is gone"},
		{"a death after the signal did not begin it", lifecycle.Report{Signal: syscall.SIGINT, Died: errDied}, "signal interrupt"},
		{"nothing yet", lifecycle.Report{}, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.report.Cause(); got != c.want {
				t.Errorf("cause %q, want %q", got, c.want)
			}
		})
	}
}

func TestPhaseNames(t *testing.T) {
	want := []string{"starting", "running", "lame duck", "closing", "draining", "forcing", "flushed"}
	for p := lifecycle.Starting; p <= lifecycle.Flushed; p++ {
		if p.String() != want[p] {
			t.Errorf("phase %d is %q, want %q", p, p, want[p])
		}
	}
}
