package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of the end-to-end tests. It is no figure of the server's: on
// a busy machine with the race detector everything takes many times as long.
const patience = 60 * time.Second

// The binary under test is built once, where the first test wants it.
var (
	binaryOnce sync.Once
	binaryDir  string
	binaryErr  error
)

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

// binary is the path of holdfast, built with the race detector when the tests are.
func binary(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests do not run with -short")
	}
	binaryOnce.Do(func() {
		if binaryDir, binaryErr = os.MkdirTemp("", "holdfast-e2e-"); binaryErr != nil {
			return
		}
		if binaryErr = os.Mkdir(filepath.Join(binaryDir, "run"), 0o700); binaryErr != nil {
			return
		}
		args := []string{"build", "-buildvcs=false", "-o", filepath.Join(binaryDir, "holdfast")}
		if raceDetector {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
			binaryErr = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if binaryErr != nil {
		t.Fatal(binaryErr)
	}
	return filepath.Join(binaryDir, "holdfast")
}

// program is the path of a program that a test drives. Without it the test skips, unless
// HOLDFAST_CI=1 promises that it is there.
func program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	message := fmt.Sprintf("this test drives %s, which is not installed: apt-get install %s", name, debianPackage)
	if os.Getenv("HOLDFAST_CI") == "1" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// soakOnly skips a test that takes too long for every day.
func soakOnly(t testing.TB, takes string) {
	t.Helper()
	if os.Getenv("HOLDFAST_SOAK") != "1" {
		t.Skipf("takes %s: make soak, or HOLDFAST_SOAK=1", takes)
	}
}

// childEnvironment is what the server sees: no setting of whoever runs the tests. The race
// detector would hold each exit up for a second, in case somebody still had a race to lose.
func childEnvironment(t testing.TB) []string {
	return []string{"XDG_RUNTIME_DIR=" + runtimeDir(), "PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}
}

// runtimeDir is where sockets go whose state directory has too long a name, or empty before the
// first server.
func runtimeDir() string {
	if binaryDir == "" {
		return ""
	}
	return filepath.Join(binaryDir, "run")
}

// ran is how a program went that ends by itself.
type ran struct {
	exit        int
	out, stderr string
}

// runToEnd runs a program and waits for its end.
func runToEnd(t testing.TB, stdin string, path string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = childEnvironment(t)
	cmd.Stdin = bytes.NewBufferString(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", path, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%s %q did not end by itself:\n%s%s", path, args, &out, &stderr)
	}
	return ran{exit: cmd.ProcessState.ExitCode(), out: out.String(), stderr: stderr.String()}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// hasFlag tells whether the arguments set a flag.
func hasFlag(args []string, flag string) bool { return slices.Contains(args, flag) }
