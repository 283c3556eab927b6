package process

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	stopGrace = 5 * time.Second
	// answerBytes bounds one line of a child's answer.
	answerBytes = 64 << 10
	// stderrBytes is how much of a child's complaints is kept for an error message.
	stderrBytes = 4 << 10
	// listenerFD is where a child finds its listener: behind the three standard streams.
	listenerFD = 3
)

// A Spec says what to start.
type Spec struct {
	Name string   // for messages
	Args []string // the program and its arguments
	Env  []string // beside our own, each KEY=value
	// Listener, when not nil, is descriptor 3 of the child, see [Inherited]. It stays the
	// caller's, who should close it once the child has started: what nobody accepts is
	// refused then when the child is gone.
	Listener *net.TCPListener
	// Core is the one that the child is pinned to, or [AnyCore].
	Core int
	// StopGrace is how long the child may take to end after SIGTERM; 0 for 5 s.
	StopGrace time.Duration
	// AnyExit takes no exit code after Stop's signal for a failure: lighttpd ends with 1
	// where connections are open.
	AnyExit bool
}

// A Child is a program under way. One goroutine at a time uses it, and it calls Stop.
type Child struct {
	PID int

	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  tail
	grace   time.Duration
	anyExit bool
}

// Start starts a program. When ctx ends it is killed; Stop is still to be called.
func Start(ctx context.Context, spec Spec) (*Child, error) {
	args := pinned(spec.Args, spec.Core)
	c := &Child{name: spec.Name, grace: cmp.Or(spec.StopGrace, stopGrace), anyExit: spec.AnyExit, cmd: exec.CommandContext(ctx, args[0], args[1:]...)}
	c.cmd.Env = append(os.Environ(), spec.Env...)
	c.cmd.Stderr = &c.stderr
	c.cmd.WaitDelay = c.grace
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReaderSize(out, answerBytes)
	if err := c.begin(spec.Listener); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	c.PID = c.cmd.Process.Pid
	return c, nil
}

// begin starts the program with l, if there is one, as its descriptor 3.
func (c *Child) begin(l *net.TCPListener) error {
	if l == nil {
		return c.cmd.Start()
	}
	f, err := l.File()
	if err != nil {
		return err
	}
	defer f.Close()
	c.cmd.ExtraFiles = []*os.File{f}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	// Handing a file over may have made it blocking, for all that share it. A server that
	// expects otherwise, as nginx does, could then hang in an accept.
	return syscall.SetNonblock(int(f.Fd()), true)
}

// Inherited is the listener that [Start] gave to this process.
func Inherited() (net.Listener, error) {
	f := os.NewFile(listenerFD, "listener")
	defer f.Close()
	return net.FileListener(f)
}

// Ask sends a line and returns the child's answer.
func (c *Child) Ask(line string) (string, error) {
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		return "", c.gone(err)
	}
	return c.Answer()
}

// Answer waits for a line of the child's output, which is its end without the newline.
// The context of [Start] bounds the wait. An answer that begins with "error: " is one.
func (c *Child) Answer() (string, error) {
	line, err := c.out.ReadSlice('\n')
	if err != nil {
		return "", c.gone(err)
	}
	answer := strings.TrimSuffix(string(line), "\n")
	if text, isError := strings.CutPrefix(answer, "error: "); isError {
		return "", fmt.Errorf("%s: %s", c.name, text)
	}
	return answer, nil
}

// Output waits for the child to end by itself and returns all it has to say, 1 MiB at
// most. Stop is still to be called.
func (c *Child) Output() (string, error) {
	b, err := io.ReadAll(io.LimitReader(c.out, 1<<20))
	return string(b), err
}

// gone is the error of a child that does not answer, with its last words.
func (c *Child) gone(err error) error {
	if words := c.stderr.String(); words != "" {
		return fmt.Errorf("%s: %w; it said: %s", c.name, err, words)
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// Stop ends the child by SIGTERM, or after its grace by SIGKILL, and waits for it. The error is
// that of a child that had failed by itself.
func (c *Child) Stop() error {
	_ = c.in.Close()
	signalled := c.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(c.grace, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	err := c.cmd.Wait()
	if err == nil || signalled == nil && (c.anyExit || !c.failed()) {
		return nil
	}
	return c.gone(err)
}

// failed tells a child that ended by itself, and badly, from one that the signal ended.
func (c *Child) failed() bool {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Exited() && status.ExitStatus() != 0
}

// AnyCore leaves the choice of cores to the kernel.
const AnyCore = -1

// pinned are the arguments that start args on one core. taskset replaces itself by the
// program, so the process id is the program's.
func pinned(args []string, core int) []string {
	if core == AnyCore {
		return args
	}
	return append([]string{"taskset", "-c", strconv.Itoa(core)}, args...)
}

// CanPin tells whether [Spec.Core] can be had; the error says how to mend it.
func CanPin() error {
	if _, err := exec.LookPath("taskset"); err != nil {
		return errors.New("taskset is not installed (apt-get install util-linux)")
	}
	return nil
}

// tail keeps the last bytes written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if extra := len(t.b) - stderrBytes; extra > 0 {
		t.b = append(t.b[:0], t.b[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
