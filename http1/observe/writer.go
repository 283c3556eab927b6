package observe

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// PendingLimitBytes is how much of a log may wait for its destination, what is
	// being written included: some 4,000 access lines.
	PendingLimitBytes = 1 << 20

	// flushDelay lets lines gather, so that a busy server makes 20 writes a second
	// and not one for each request. Nobody notices it on a terminal.
	flushDelay = 50 * time.Millisecond
	// flushBytes ends that delay early.
	flushBytes = 64 << 10
	// reportInterval is the least time between two complaints about lost lines.
	reportInterval = 10 * time.Second
	// finalReportWait is how long Close waits for the last complaint.
	finalReportWait = time.Second
)

// Losses count what a [Writer] could not deliver.
type Losses struct {
	Lines       uint64 // that did not fit, or were in a write that failed
	WriteErrors uint64 // of the destination
	Err         error  // the last of them
}

// A Writer passes lines on to a destination that may be slow, stuck or broken, without
// ever making the one who writes wait or fail. At most [PendingLimitBytes] wait; a line
// that does not fit is dropped and counted, and so are the lines of a write that
// fails: the next ones are tried again, since a full disk can be emptied. Lines
// reach the destination within 200 ms as long as that takes writes, in order, and never
// torn: after a write that broke off inside a line, the next begins on a line of its own.
//
// Losses are reported to the log given to [NewWriter] as one line each 10 seconds at
// most. Close it to stop its two goroutines.
type Writer struct {
	dst io.Writer
	log *slog.Logger

	mu       sync.Mutex
	pending  []byte // whole lines
	inFlight []byte // what dst.Write is busy with
	closed   bool

	abandoned bool // Close gave up: what is lost was counted
	losses    Losses

	wake chan struct{} // something is pending
	full chan struct{} // flushBytes are
	lost chan struct{} // losses grew
	stop chan struct{} // closed by Close: the pump ends once all is written
	last chan struct{} // closed by Close: the reporter ends

	pumped   chan struct{} // the pump returned
	reported chan struct{} // the reporter returned
}

// NewWriter starts a Writer to dst, which it neither closes nor shares: nobody else may
// write there until Close returned. Losses are told to log, if there is one; its own
// destination must not be this Writer.
func NewWriter(dst io.Writer, log *slog.Logger) *Writer {
	w := &Writer{
		dst: dst, log: log,
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), lost: make(chan struct{}, 1),
		stop: make(chan struct{}), last: make(chan struct{}),
		pumped: make(chan struct{}), reported: make(chan struct{}),
	}
	go w.pump()
	go w.report()
	return w
}

// Write takes p, one or more whole lines, or drops it as a whole. It never blocks, keeps
// nothing of p and always returns len(p) and nil. After Close it drops everything.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	fits := !w.closed && len(w.pending)+len(w.inFlight)+len(p) <= PendingLimitBytes
	if fits {
		w.pending = append(w.pending, p...)
	} else {
		w.losses.Lines += countLines(p)
	}
	much := len(w.pending) >= flushBytes
	w.mu.Unlock()
	switch {
	case !fits:
		poke(w.lost)
	case much:
		poke(w.full)
		fallthrough
	default:
		poke(w.wake)
	}
	return len(p), nil
}

// Losses are what was lost so far.
func (w *Writer) Losses() Losses {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.losses
}

// Close writes what is pending, stops the goroutines and waits for them. When ctx ends
// first, because the destination is stuck, it gives up what is pending, counts it as
// lost and returns ctx's error; the one goroutine that the destination holds then ends
// when its write does. Only the first call does anything.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	again := w.closed
	w.closed = true
	w.mu.Unlock()
	if again {
		return nil
	}
	close(w.stop)
	var err error
	select {
	case <-w.pumped:
	case <-ctx.Done():
		err = ctx.Err()
		w.abandon()
	}
	close(w.last)
	select {
	case <-w.reported:
	case <-time.After(finalReportWait): // the main log is stuck as well
	}
	return err
}

// abandon gives up what is pending, and what the destination has not taken yet.
func (w *Writer) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.losses.Lines += countLines(w.pending) + countLines(w.inFlight)
	w.pending, w.abandoned = nil, true
}

// pump writes what is pending until Close.
func (w *Writer) pump() {
	defer close(w.pumped)
	var spare []byte
	torn := false
	for open := true; open; {
		open = w.await()
		batch := w.take(spare)
		if len(batch) > 0 {
			torn = w.deliver(batch, torn)
		}
		spare = batch[:0]
		if cap(spare) > 4*flushBytes {
			spare = nil // one burst must not cost 1 MiB for ever
		}
	}
}

// await returns when it is time to write: true, or false when it is the last time.
func (w *Writer) await() bool {
	select {
	case <-w.wake:
	case <-w.stop:
		return false
	}
	select {
	case <-time.After(flushDelay):
	case <-w.full:
	case <-w.stop:
		return false
	}
	return true
}

// take hands out what is pending and leaves spare in its place, so that two buffers
// serve for ever.
func (w *Writer) take(spare []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.pending
	w.pending = spare
	w.inFlight = batch
	return batch
}

// deliver writes a batch. torn says that the destination stands inside a line, which
// it also returns.
func (w *Writer) deliver(batch []byte, torn bool) bool {
	n, err := 0, error(nil)
	if torn {
		n, err = w.dst.Write([]byte{'\n'})
		torn, n = n == 0, 0
	}
	if err == nil {
		n, err = w.dst.Write(batch)
		n = min(max(n, 0), len(batch)) // a bad Writer must not break ours
		torn = n > 0 && batch[n-1] != '\n'
	}
	if err == nil && n < len(batch) {
		err = io.ErrShortWrite
	}
	w.mu.Lock()
	w.inFlight = nil
	if err != nil && !w.abandoned {
		w.losses.WriteErrors++
		w.losses.Err = err
		w.losses.Lines += countLines(batch[n:])
	}
	w.mu.Unlock()
	if err != nil {
		poke(w.lost)
	}
	return torn
}

// report tells the log of losses. It is a goroutine of its own because the pump may be
// stuck in the destination just then.
func (w *Writer) report() {
	defer close(w.reported)
	var told Losses
	for {
		select {
		case <-w.lost:
			told = w.tell(told)
		case <-w.last:
			w.tell(told)
			return
		}
		select {
		case <-time.After(reportInterval):
		case <-w.last:
			w.tell(told)
			return
		}
	}
}

// tell logs what was lost since told and returns what is told now.
func (w *Writer) tell(told Losses) Losses {
	now := w.Losses()
	if w.log == nil || now.Lines == told.Lines && now.WriteErrors == told.WriteErrors {
		return now
	}
	args := []any{"lines", now.Lines - told.Lines, "lines_total", now.Lines, "write_errors_total", now.WriteErrors}
	if now.Err != nil {
		args = append(args, "last_error", now.Err.Error())
	}
	w.log.Warn("log lines lost: their destination fails or does not keep up", args...)
	return now
}

// countLines counts the lines in p, an unfinished one included.
func countLines(p []byte) uint64 {
	n := bytes.Count(p, []byte{'\n'})
	if len(p) > 0 && p[len(p)-1] != '\n' {
		n++
	}
	return uint64(n)
}

// poke leaves a note for a goroutine that need not be waiting for it.
func poke(note chan struct{}) {
	select {
	case note <- struct{}{}:
	default:
	}
}
