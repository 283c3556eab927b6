package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleVariable makes this test program one of the children below.
const roleVariable = "HOLDFAST_VERSUS_CHILD"

// roles are children; each returns its exit code.
var roles = map[string]func() int{
	"echo": func() int { return answer(func(line string) string { return "you said " + line }) },
	"work": func() int { return answer(func(string) string { return work() }) },
	"deaf": func() int {
		signal.Ignore(syscall.SIGTERM)
		var ends [2]int
		if err := syscall.Pipe(ends[:]); err != nil {
			return 1
		}
		fmt.Println("deaf")
		_, _ = syscall.Read(ends[0], make([]byte, 1)) // nobody will write
		return 0
	},
	"fault": func() int {
		fmt.Println("error: it cannot be done")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return 0
	},
	"failing": func() int {
		fmt.Fprintln(os.Stderr, "no such thing")
		return 3
	},
	"where": func() int {
		cores, err := Cores()
		fmt.Println(cores, err)
		return 0
	},
	"accept": func() int {
		l, err := Inherited()
		if err != nil {
			fmt.Println("error:", err)
			return 1
		}
		c, err := l.Accept()
		if err != nil {
			fmt.Println("error:", err)
			return 1
		}
		_, err = io.WriteString(c, "from the child")
		if errors.Join(err, c.Close()) != nil {
			return 1
		}
		return 0
	},
}

// answer is a child that answers line by line.
func answer(to func(string) string) int {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(to(lines.Text()))
	}
	return 0
}

// work takes a while on any core.
func work() string {
	sum := 0
	for i := range 50_000_000 {
		sum += i ^ sum>>3
	}
	return fmt.Sprint(sum)
}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleVariable)]; role != nil {
		os.Exit(role())
	}
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // else each child under the race detector takes a second to end
	os.Exit(m.Run())
}

// specOf starts this program in a role.
func specOf(t *testing.T, role string) Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Spec{Name: role, Args: []string{self}, Env: []string{roleVariable + "=" + role}, Core: AnyCore}
}

func start(t *testing.T, spec Spec) *Child {
	t.Helper()
	c, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChild(t *testing.T) {
	t.Run("it answers line by line and ends by its id", func(t *testing.T) {
		c := start(t, specOf(t, "echo"))
		for _, line := range []string{"one", "two"} {
			if got, err := c.Ask(line); err != nil || got != "you said "+line {
				t.Errorf("answer %q, %v", got, err)
			}
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if err := syscall.Kill(c.PID, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", c.PID, err)
		}
	})
	t.Run("an answer that is an error becomes one", func(t *testing.T) {
		c := start(t, specOf(t, "fault"))
		if got, err := c.Answer(); err == nil || err.Error() != "fault: it cannot be done" {
			t.Errorf("answer %q, %v", got, err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("one that failed is reported with its last words", func(t *testing.T) {
		c := start(t, specOf(t, "failing"))
		if got, err := c.Answer(); !errors.Is(err, io.EOF) {
			t.Errorf("answer %q, %v", got, err)
		}
		if err := c.Stop(); err == nil || !strings.Contains(err.Error(), "no such thing") {
			t.Errorf("Stop: %v", err)
		}
	})
	t.Run("where any exit code is one to stop with, it is not", func(t *testing.T) {
		spec := specOf(t, "failing")
		spec.AnyExit = true
		c := start(t, spec)
		_, _ = c.Answer() // its end
		if err := c.Stop(); err != nil || c.cmd.ProcessState.ExitCode() == 0 {
			t.Errorf("Stop: %v, %v", err, c.cmd.ProcessState)
		}
	})
	t.Run("one that is deaf to SIGTERM is killed after its grace", func(t *testing.T) {
		spec := specOf(t, "deaf")
		spec.StopGrace = 10 * time.Millisecond
		c := start(t, spec)
		if got, err := c.Answer(); err != nil || got != "deaf" {
			t.Fatalf("answer %q, %v", got, err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if s := c.cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGKILL {
			t.Errorf("ended by %v", s.Signal())
		}
	})
	t.Run("the end of the context ends it, and the wait for its answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, err := Start(ctx, specOf(t, "echo"))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if got, err := c.Answer(); !errors.Is(err, io.EOF) {
			t.Errorf("answer %q, %v", got, err)
		}
		_ = c.Stop() // the context's error or none: both are an end
	})
	t.Run("a program that is not there is an error that names the child", func(t *testing.T) {
		_, err := Start(t.Context(), Spec{Name: "ghost", Args: []string{t.TempDir() + "/none"}, Core: AnyCore})
		if err == nil || !strings.HasPrefix(err.Error(), "start ghost: ") {
			t.Error(err)
		}
	})
	t.Run("it accepts on the listener that it inherits", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		spec := specOf(t, "accept")
		spec.Listener = l.(*net.TCPListener)
		c := start(t, spec)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if b, err := io.ReadAll(nc); err != nil || string(b) != "from the child" {
			t.Errorf("read %q, %v", b, err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestPinning(t *testing.T) {
	if err := CanPin(); err != nil {
		if os.Getenv("HOLDFAST_CI") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cores, err := Cores()
	if err != nil {
		t.Fatal(err)
	}
	for _, core := range []int{cores[0], cores[len(cores)-1]} {
		spec := specOf(t, "where")
		spec.Core = core
		c := start(t, spec)
		if got, err := c.Answer(); err != nil || got != fmt.Sprintf("[%d] <nil>", core) {
			t.Errorf("pinned to core %d it runs on %s, %v", core, got, err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestTail(t *testing.T) {
	var l tail
	for range 3 {
		fmt.Fprint(&l, strings.Repeat("x", stderrBytes))
	}
	fmt.Fprint(&l, "the end\n")
	if got := l.String(); len(got) != stderrBytes-1 || !strings.HasSuffix(got, "xthe end") {
		t.Errorf("kept %d bytes that end in %q", len(got), got[len(got)-10:])
	}
}
