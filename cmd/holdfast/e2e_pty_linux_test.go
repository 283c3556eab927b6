package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// seat is a pseudoterminal with a process on it, of which it is the controlling terminal.
type seat struct {
	t              *testing.T
	keyboard, line *os.File    // the two ends: what a person has, and what the process has
	shown          *transcript // all that was on the screen
	cmd            *exec.Cmd
	gone           chan struct{}
}

// sit starts a program on a pseudoterminal. What it writes to stdout is kept apart.
func sit(t *testing.T, stdout io.Writer, path string, args ...string) *seat {
	t.Helper()
	s := &seat{t: t, shown: new(transcript), gone: make(chan struct{})}
	s.keyboard, s.line = openTerminal(t)
	s.cmd = exec.Command(path, args...)
	s.cmd.Env = childEnvironment(t)
	s.cmd.Stdin, s.cmd.Stderr, s.cmd.Stdout = s.line, s.line, stdout
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(s.shown, s.keyboard) // ends when the keyboard is closed
	}()
	go func() {
		defer close(s.gone)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // which has ended, unless the test failed
		<-s.gone
		_ = s.line.Close()
		_ = s.keyboard.Close()
		<-read
	})
	return s
}

// openTerminal makes a pseudoterminal (pts(4)).
func openTerminal(t *testing.T) (keyboard, line *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NONBLOCK, 0) // so that a close ends a read
	if err != nil {
		t.Skipf("this system has no pseudoterminals: %v", err)
	}
	unlock, number := int32(0), int32(0)
	ioctl(t, keyboard, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	ioctl(t, keyboard, syscall.TIOCGPTN, unsafe.Pointer(&number))
	line, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		_ = keyboard.Close()
		t.Skipf("this system's pseudoterminals cannot be opened: %v", err)
	}
	return keyboard, line
}

// ioctl asks for something of a terminal (ioctl(2)) and leaves the file as it is otherwise.
func ioctl(t *testing.T, f *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed syscall.Errno
	if err := raw.Control(func(fd uintptr) { _, _, failed = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(argument)) }); err != nil || failed != 0 {
		t.Fatalf("ioctl %#x: %v, %v", request, err, failed)
	}
}

// echoes tells whether the terminal shows what is typed.
func (s *seat) echoes() bool {
	s.t.Helper()
	var mode syscall.Termios
	ioctl(s.t, s.line, syscall.TCGETS, unsafe.Pointer(&mode))
	return mode.Lflag&syscall.ECHO != 0
}

// typeHidden types once the process asks and hides what is typed.
func (s *seat) typeHidden(question, text string) {
	s.t.Helper()
	s.asked(question)
	eventually(s.t, "the terminal shows nothing", func() bool { return !s.echoes() })
	s.types(text)
}

func (s *seat) asked(question string) {
	s.t.Helper()
	eventually(s.t, "the question "+question, func() bool {
		select {
		case <-s.gone:
			s.t.Fatalf("it ended, and showed\n%s", s.shown.text())
		default:
		}
		return strings.Contains(s.shown.text(), question)
	})
}

func (s *seat) types(text string) {
	s.t.Helper()
	if _, err := s.keyboard.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// exit waits for the end of the process.
func (s *seat) exit() int {
	s.t.Helper()
	eventually(s.t, "the end of the process", func() bool {
		select {
		case <-s.gone:
			return true
		default:
			return false
		}
	})
	return s.cmd.ProcessState.ExitCode()
}
