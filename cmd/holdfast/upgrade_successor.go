package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// What a successor may do before it serves.
const (
	// wordsLimitBytes is how much of its words is kept.
	wordsLimitBytes = 16 << 10
	// wordLineBytes is how long a line of them may be.
	wordLineBytes = 64 << 10
	// endPatience is what one that is told to end gets for it. It serves nobody.
	endPatience = time.Second
)

// A successor is a process that is to take over.
type successor struct {
	process *os.Process
	ready   *os.File // see the talk in inherit_talk.go
	lines   *bufio.Reader
	begin   *os.File
	words   strings.Builder
}

// start starts the program as it is on disk now, with duplicates of the sockets.
func (u *succession) start() (*successor, error) {
	b := bequest{Agreed: u.agreed}
	var files []*os.File // from firstDescriptor on
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	pass := func(f *os.File) (descriptor int) {
		files = append(files, f)
		return firstDescriptor + len(files) - 1
	}
	ready, readyEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &successor{ready: ready, lines: bufio.NewReaderSize(ready, wordLineBytes)}
	b.Ready = pass(readyEnd)
	beginEnd, begin, err := os.Pipe()
	if err != nil {
		s.close()
		return nil, err
	}
	s.begin = begin
	b.Begin = pass(beginEnd)
	for _, l := range u.listeners {
		sockets, err := conn.Descriptors(l.listener.Listener)
		if err != nil {
			s.close()
			return nil, err
		}
		given := bequestedSocket{Name: l.name, Address: l.address}
		for _, f := range sockets {
			given.Descriptors = append(given.Descriptors, pass(f))
		}
		b.Sockets = append(b.Sockets, given)
	}
	if s.process, err = u.launch(b, files); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// launch starts the process with these files behind the usual three.
func (u *succession) launch(b bequest, files []*os.File) (*os.Process, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(u.program, u.args...)
	cmd.Env = append(u.environment(), bequestVariable+"="+string(text))
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, files
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd.Process, nil
}

// environment is ours, without the number of the process that the watchdog is for: that
// is another one then.
func (u *succession) environment() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "WATCHDOG_PID=") })
}

// close closes our ends of the pipes.
func (s *successor) close() {
	_ = s.ready.Close()
	if s.begin != nil {
		_ = s.begin.Close()
	}
}

// awaitReady listens to the successor until it is ready, and returns which sockets it takes.
func (s *successor) awaitReady(ctx context.Context) (takes map[string]bool, err error) {
	line, err := s.hear(ctx)
	switch {
	case errors.Is(err, io.EOF):
		return nil, errEndedEarly
	case err != nil:
		return nil, err
	}
	return readTakes(line)
}

// awaitServing lets the successor begin, and listens until it serves. We serve meanwhile, too.
func (s *successor) awaitServing(ctx context.Context) error {
	s.words.Reset() // it was ready all the same
	if err := s.tell(); err != nil {
		return fmt.Errorf("%w: %w", errNeverServed, err)
	}
	line, err := s.hear(ctx)
	switch {
	case errors.Is(err, io.EOF):
		return errNeverServed
	case err == nil && talkMark+line != servesLine:
		return errors.New("says something that is not understood")
	}
	return err
}

// hear keeps what the successor says until it is a line for us, and returns that one; io.EOF
// when it has hung up.
func (s *successor) hear(ctx context.Context) (line string, err error) {
	stop := context.AfterFunc(ctx, func() { _ = s.ready.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		text, err := s.lines.ReadSlice('\n')
		if line, ok := strings.CutPrefix(string(text), talkMark); ok && err == nil {
			return line, nil
		}
		if s.words.Len() < wordsLimitBytes {
			s.words.Write(text)
		}
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

// That the process ended, or at least hung up.
var (
	errEndedEarly  = errors.New("ended before it was ready")
	errNeverServed = errors.New("ended before it served")
)

func readTakes(line string) (map[string]bool, error) {
	var r readiness
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return nil, fmt.Errorf("is ready in a way that is not understood: %w", err)
	}
	takes := make(map[string]bool)
	for _, socket := range r.Takes {
		takes[socket] = true
	}
	return takes, nil
}

// tell says the next word of ours: begin, and yours.
func (s *successor) tell() error {
	_, err := s.begin.Write([]byte{'\n'})
	return err
}

// end ends a successor that was not let begin, and waits for it; without patience when it is
// late for that. It closes the pipes only then: that begin is closed means that we are gone.
func (s *successor) end(atOnce bool) *os.ProcessState {
	defer s.close()
	if atOnce {
		_ = s.process.Kill() // an error means that it has ended
	} else {
		_ = s.process.Signal(syscall.SIGTERM)
		defer time.AfterFunc(endPatience, func() { _ = s.process.Kill() }).Stop()
	}
	state, _ := s.process.Wait()
	return state
}

// why is what went wrong, in the successor's own words where it had any.
func (s *successor) why(err error, state *os.ProcessState) error {
	ended := errors.Is(err, errEndedEarly) || errors.Is(err, errNeverServed)
	switch {
	case !ended:
		err = fmt.Errorf("was told to end: %w", err)
	case state != nil:
		err = fmt.Errorf("%w (%v)", err, state)
	}
	if words := faultLines(s.words.String()); words != "" {
		return fmt.Errorf("%w: %s", err, words)
	}
	return err
}

// faultLines are the faults in what a process said, or all of it where there is none.
func faultLines(text string) string {
	var all, faults []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if fault, ok := strings.CutPrefix(line, "holdfast: "); ok {
			faults = append(faults, fault)
		}
		if line != "" {
			all = append(all, line)
		}
	}
	if len(faults) == 0 {
		faults = all
	}
	return plain(strings.Join(faults, "; "))
}

// calledBy is the absolute path of a program that was called by this name.
func calledBy(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
