package observe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a destination whose writes wait until it is opened.
type gate struct {
	mu     sync.Mutex
	out    bytes.Buffer
	opened chan struct{}
}

func newGate() *gate { return &gate{opened: make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	<-g.opened
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.out.Write(p)
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.out.String()
}

// script is a destination whose writes take so many bytes and then fail, in turn; once
// the script is over they succeed.
type script struct {
	out   bytes.Buffer
	takes []int
	err   error
}

func (s *script) Write(p []byte) (int, error) {
	if len(s.takes) == 0 {
		return s.out.Write(p)
	}
	n := s.takes[0]
	s.takes = s.takes[1:]
	s.out.Write(p[:n])
	return n, s.err
}

// closeNow closes w, which must succeed.
func closeNow(t *testing.T, w *Writer) {
	t.Helper()
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func say(w *Writer, text string) { _, _ = io.WriteString(w, text+"\n") }

func TestWriter(t *testing.T) {
	run := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	run("a line arrives within 200 ms", func(t *testing.T) {
		dst := newGate()
		close(dst.opened)
		w := NewWriter(dst, nil)
		say(w, "one")
		time.Sleep(200 * time.Millisecond) // synctest's clock
		if dst.String() != "one\n" {
			t.Errorf("got %q", dst.String())
		}
		closeNow(t, w)
	})
	run("close flushes and keeps the order", func(t *testing.T) {
		dst := newGate()
		close(dst.opened)
		w := NewWriter(dst, nil)
		for _, text := range []string{"one", "two", "three"} {
			say(w, text)
		}
		closeNow(t, w)
		closeNow(t, w)
		if dst.String() != "one\ntwo\nthree\n" {
			t.Errorf("got %q", dst.String())
		}
	})
	run("64 KiB do not wait for the delay", func(t *testing.T) {
		dst := newGate()
		close(dst.opened)
		w := NewWriter(dst, nil)
		say(w, strings.Repeat("x", flushBytes))
		synctest.Wait()
		if n := len(dst.String()); n != flushBytes+1 {
			t.Errorf("%d bytes arrived", n)
		}
		closeNow(t, w)
	})
	run("the caller's buffer may be used again", func(t *testing.T) {
		dst := newGate()
		close(dst.opened)
		w := NewWriter(dst, nil)
		p := []byte("one\n")
		_, _ = w.Write(p)
		copy(p, "XXX\n")
		closeNow(t, w)
		if dst.String() != "one\n" {
			t.Errorf("got %q", dst.String())
		}
	})
	run("a line after close is lost and counted", func(t *testing.T) {
		dst := newGate()
		close(dst.opened)
		w := NewWriter(dst, nil)
		closeNow(t, w)
		if n, err := io.WriteString(w, "late\n"); n != 5 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		if w.Losses().Lines != 1 || dst.String() != "" {
			t.Errorf("losses %+v, got %q", w.Losses(), dst.String())
		}
	})
}

// fits is how many lines of 1 KiB may be pending.
const fits = PendingLimitBytes / 1024

var line = strings.Repeat("x", 1023) + "\n"

// runStuck runs f with a writer to a destination that is stuck until it is opened.
func runStuck(t *testing.T, name string, f func(t *testing.T, dst *gate, w *Writer, log *gate)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			dst, log := newGate(), newGate()
			close(log.opened)
			f(t, dst, NewWriter(dst, slog.New(slog.NewTextHandler(log, nil))), log)
		})
	})
}

func TestWriterStuck(t *testing.T) {
	runStuck(t, "1 MiB waits, in flight or not, and the rest is counted", func(t *testing.T, dst *gate, w *Writer, _ *gate) {
		_, _ = io.WriteString(w, line)
		time.Sleep(time.Second) // the first line is in flight now
		for range fits + 9 {
			if n, err := io.WriteString(w, line); n != len(line) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		if got := w.Losses(); got.Lines != 10 || got.WriteErrors != 0 {
			t.Errorf("losses %+v", got)
		}
		close(dst.opened)
		closeNow(t, w)
		if n := len(dst.String()); n != PendingLimitBytes {
			t.Errorf("%d bytes arrived", n)
		}
	})
	runStuck(t, "it takes lines again once the reader moves on", func(t *testing.T, dst *gate, w *Writer, _ *gate) {
		for range fits + 1 {
			_, _ = io.WriteString(w, line)
		}
		close(dst.opened)
		time.Sleep(time.Second)
		say(w, "after")
		closeNow(t, w)
		if !strings.HasSuffix(dst.String(), "x\nafter\n") || w.Losses().Lines != 1 {
			t.Errorf("losses %+v", w.Losses())
		}
	})
	runStuck(t, "the log hears of it while it lasts, once in 10 s", func(t *testing.T, dst *gate, w *Writer, log *gate) {
		for range 35 { // 35 s of a flood
			for range fits {
				_, _ = io.WriteString(w, line)
			}
			time.Sleep(time.Second)
		}
		if n := strings.Count(log.String(), "\n"); n < 3 || n > 4 {
			t.Errorf("%d lines in 35 s:\n%s", n, log)
		}
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "lines_total=") {
			t.Errorf("log is %s", log)
		}
		close(dst.opened)
		closeNow(t, w)
	})
}

func TestWriterStuckAtClose(t *testing.T) {
	runStuck(t, "close gives up with its context and tells what it lost", func(t *testing.T, dst *gate, w *Writer, log *gate) {
		say(w, "in flight")
		time.Sleep(time.Second)
		say(w, "pending")
		say(w, "pending")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := w.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		// The one in flight is counted too: nobody will know whether it arrived.
		if w.Losses().Lines != 3 || !strings.Contains(log.String(), "lines_total=3") {
			t.Errorf("losses %+v, log %s", w.Losses(), log)
		}
		close(dst.opened)
		<-w.pumped
		if dst.String() != "in flight\n" {
			t.Errorf("got %q", dst.String())
		}
	})
	runStuck(t, "a stuck main log delays close by a second at most", func(t *testing.T, dst *gate, w *Writer, _ *gate) {
		stuck := newGate()
		both := NewWriter(dst, slog.New(slog.NewTextHandler(stuck, nil)))
		for range fits + 1 {
			_, _ = io.WriteString(both, line)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if err := both.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
		if took := time.Since(start); took != finalReportWait {
			t.Errorf("took %v", took)
		}
		close(stuck.opened)
		close(dst.opened)
		closeNow(t, w)
		<-both.reported
		<-both.pumped
	})
}

func TestWriterFailing(t *testing.T) {
	enospc := errors.New("no space left on device")
	for _, c := range []struct {
		name       string
		takes      []int // of the first writes, one for each of three lines
		err        error
		want       string
		lost, errs uint64
	}{
		{"nothing taken is lost, and the next line is whole", []int{0}, enospc, "two\nthree\n", 1, 1},
		{"a torn line is ended before the next", []int{2}, enospc, "on\ntwo\nthree\n", 1, 1},
		{"it stays torn while even that fails", []int{2, 0}, enospc, "on\nthree\n", 2, 2},
		{"it was ended and yet no line arrives", []int{2, 1, 0}, enospc, "on\n", 3, 3},
		{"a short write without an error counts as one", []int{2}, nil, "on\ntwo\nthree\n", 1, 1},
		{"a whole line with an error was written", []int{4}, enospc, "one\ntwo\nthree\n", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dst, log := &script{takes: c.takes, err: c.err}, new(bytes.Buffer)
				w := NewWriter(dst, slog.New(slog.NewTextHandler(log, nil)))
				for _, text := range []string{"one", "two", "three"} {
					say(w, text)
					time.Sleep(time.Second)
				}
				closeNow(t, w)
				if got := w.Losses(); dst.out.String() != c.want || got.Lines != c.lost || got.WriteErrors != c.errs {
					t.Errorf("got %q, losses %+v; want %q, %d, %d", dst.out.String(), got, c.want, c.lost, c.errs)
				}
				if !strings.Contains(log.String(), "last_error=") {
					t.Errorf("log is %q", log)
				}
			})
		})
	}
}

func TestWriterToAClosedPipe(t *testing.T) {
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	r.Close()
	w := NewWriter(pipe, nil)
	say(w, "nobody reads this")
	closeNow(t, w)
	if got := w.Losses(); got.Lines != 1 || got.WriteErrors != 1 || got.Err == nil {
		t.Errorf("losses %+v", got)
	}
}

// FAULTS: a full disk under the access log fails no request and a counter rises.
func TestWriterToAFullDevice(t *testing.T) {
	full, err := os.OpenFile(filepath.Join("/dev", "full"), os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no device that is always full")
	}
	defer full.Close()
	w := NewWriter(full, nil)
	log := AccessLog(slog.New(slog.NewJSONHandler(w, nil)))
	for range 100 {
		log(record())
	}
	closeNow(t, w)
	if got := w.Losses(); got.Lines != 100 || got.WriteErrors == 0 {
		t.Errorf("losses %+v", got)
	}
}

func TestWriterUnderManyWriters(t *testing.T) {
	const writers, lines = 16, 200
	dst := newGate()
	close(dst.opened)
	w := NewWriter(dst, nil)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range lines {
				say(w, "0123456789")
			}
		})
	}
	wg.Wait()
	closeNow(t, w)
	if want := strings.Repeat("0123456789\n", writers*lines); dst.String() != want {
		t.Errorf("%d bytes arrived, want %d, or lines are mixed", len(dst.String()), len(want))
	}
}
