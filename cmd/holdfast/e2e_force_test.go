package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stuck starts a server with one client that asked for a large file and does not read.
func stuck(t *testing.T, flags ...string) *server {
	t.Helper()
	s := launch(t, site(t, map[string]string{"rope": bulk(downloadBytes)}), flags...)
	p := dialTCP(t, s.https, smallWindowBytes).secure(s.trust())
	p.get("/rope")
	p.head(200)
	return s
}

func TestDrainDeadlineCutsAStuckClient(t *testing.T) {
	t.Parallel()
	s := stuck(t, "--drain-timeout", "1s")
	s.signal(syscall.SIGTERM)
	if code := s.exit(); code != 3 {
		t.Errorf("exit code %d, want 3: something was cut", code)
	}
	if cut := s.await("stopped")["cut"]; cut != 1.0 {
		t.Errorf("the report says that %v were cut, want 1", cut)
	}
	if forced := s.ledger("requests")["forced"]; forced != 1.0 {
		t.Errorf("%v requests forced, want 1", forced)
	}
}

func TestSecondSignal(t *testing.T) {
	for _, c := range []struct {
		name string
		sig  syscall.Signal
		exit int
	}{
		{"Ctrl-C again forces the end", syscall.SIGINT, 130},
		{"SIGTERM after Ctrl-C forces the end", syscall.SIGTERM, 143},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := stuck(t, "--drain-timeout", "1h")
			s.signal(os.Interrupt)
			s.await("stopping")
			<-time.After(2 * secondSignalGap) // an earlier one counts as the first, sent twice
			s.signal(c.sig)
			if code := s.exit(); code != c.exit {
				t.Errorf("exit code %d, want %d", code, c.exit)
			}
		})
	}
	t.Run("a signal that comes twice at once is one", func(t *testing.T) {
		t.Parallel()
		root, code := site(t, map[string]string{"index.html": "the quay"}), -1
		for range 5 { // on a busy machine a quarter of a second may lie between the two
			s := launch(t, root, "--drain-delay", "1s")
			s.signal(os.Interrupt)
			s.signal(os.Interrupt)
			if code = s.exit(); code == 0 {
				return
			}
		}
		t.Errorf("exit code %d, want 0", code)
	})
}

// secondSignalGap is how long after the first a signal counts as the second.
const secondSignalGap = 250 * time.Millisecond

// A SIGTERM may come while the process starts. Before main has registered for it, the
// kernel kills, and nothing can be done; from then on the exit is clean. A FIFO as
// the configuration tells the two apart: whoever opens it is past the registration.
func TestTerminateEarly(t *testing.T) {
	t.Parallel()
	testTerminateEarly(t, 20)
}

// TestSoakTerminateEarly looks ten times as long for the moment that is not covered.
func TestSoakTerminateEarly(t *testing.T) {
	soakOnly(t, "two minutes")
	testTerminateEarly(t, 200)
}

func testTerminateEarly(t *testing.T, rounds int) {
	root := site(t, map[string]string{"index.html": "the quay"})
	t.Run("while the configuration is read", func(t *testing.T) {
		for range rounds {
			fifo := filepath.Join(t.TempDir(), "config.toml")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			s := spawn(t, root, "--config", fifo)
			writer := openWriter(t, fifo)
			<-time.After(rand.N(5 * time.Millisecond))
			s.signal(syscall.SIGTERM)
			if code := s.exit(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			_ = writer.Close()
		}
	})
	t.Run("while certificates are made and listeners opened", func(t *testing.T) {
		for range rounds {
			fifo := filepath.Join(t.TempDir(), "config.toml")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			s := spawn(t, root, "--config", fifo)
			_ = openWriter(t, fifo).Close() // an empty file: the start goes on
			<-time.After(rand.N(20 * time.Millisecond))
			s.signal(syscall.SIGTERM)
			if code := s.exit(); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
		}
	})
	t.Run("at any moment", func(t *testing.T) {
		for range rounds {
			s := spawn(t, root)
			<-time.After(rand.N(100 * time.Millisecond))
			s.signal(syscall.SIGTERM)
			code := s.exit()
			status, _ := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
			unregistered := status.Signaled() && status.Signal() == syscall.SIGTERM && s.log.text() == ""
			if code != 0 && !unregistered {
				t.Errorf("the server ended with %v, want exit 0, or death by the signal before its first word", s.cmd.ProcessState)
			}
		}
	})
	t.Run("as soon as it listens", func(t *testing.T) {
		for range 5 {
			launch(t, root).stop()
		}
	})
}

// openWriter opens a FIFO for writing once somebody reads it.
func openWriter(t *testing.T, fifo string) (writer *os.File) {
	t.Helper()
	eventually(t, "the server opens its configuration", func() bool {
		var err error
		writer, err = os.OpenFile(fifo, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil && !errors.Is(err, syscall.ENXIO) {
			t.Fatal(err)
		}
		return err == nil
	})
	return writer
}
