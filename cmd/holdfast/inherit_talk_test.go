package main

import (
	"bufio"
	"context"
	"os"
	"syscall"
	"testing"
)

// talk is a successor's side of the pipes, and the predecessor's ends.
func talk(t *testing.T) (i *inheritance, ready *bufio.Reader, begin *os.File) {
	t.Helper()
	hears, says, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	waits, begin, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	i = &inheritance{ready: says, begin: waits}
	t.Cleanup(func() {
		_ = hears.Close()
		_ = begin.Close()
		_ = i.begin.Close()
	})
	return i, bufio.NewReader(hears), begin
}

func TestTalk(t *testing.T) {
	hears := func(t *testing.T, from *bufio.Reader, want string) {
		t.Helper()
		if line, err := from.ReadString('\n'); err != nil || line != want {
			t.Errorf("the predecessor hears %q, %v, want %q", line, err, want)
		}
	}
	t.Run("the service is ours when we are told so, and not before", func(t *testing.T) {
		i, ready, begin := talk(t)
		begun := make(chan struct{})
		go func() { defer close(begun); i.takeOver() }()
		hears(t, ready, talkMark+`{"takes":null}`+"\n")
		_, _ = begin.WriteString("\n")
		<-begun
		ours := make(chan bool)
		go func() { ours <- i.serves(context.Background(), nil) }()
		hears(t, ready, servesLine)
		if i.ours.Load() {
			t.Error("it is ours at once")
		}
		_, _ = begin.WriteString("\n")
		if !<-ours || !i.ours.Load() {
			t.Error("it is not ours")
		}
	})
	t.Run("and when the predecessor dies", func(t *testing.T) {
		i, _, begin := talk(t)
		_ = begin.Close()
		if i.takeOver(); !i.serves(context.Background(), nil) || !i.ours.Load() {
			t.Error("it is nobody's")
		}
	})
	t.Run("it is not ours when we end before", func(t *testing.T) {
		i, ready, _ := talk(t)
		ctx, cancel := context.WithCancel(context.Background())
		ours := make(chan bool)
		go func() { ours <- i.serves(ctx, nil) }()
		hears(t, ready, servesLine)
		cancel()
		if <-ours || i.ours.Load() {
			t.Error("it is ours")
		}
	})
	t.Run("what we say on stderr is heard until we serve", func(t *testing.T) {
		i, ready, begin := talk(t)
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		stderr := i.stderr(null)
		_, _ = stderr.Write([]byte("a word\n"))
		hears(t, ready, "a word\n")
		_ = begin.Close()
		i.serves(context.Background(), nil)
		hears(t, ready, servesLine)
		if _, err := stderr.Write([]byte("more\n")); err != nil {
			t.Error(err)
		}
		if rest, err := ready.ReadString('\n'); err == nil {
			t.Errorf("it hears %q, too", rest)
		}
	})
	t.Run("why we do not is its last word", func(t *testing.T) {
		i, ready, _ := talk(t)
		i.despair(syscall.EAGAIN)
		hears(t, ready, "holdfast: resource temporarily unavailable\n")
		if _, err := ready.ReadString('\n'); err == nil {
			t.Error("it goes on")
		}
	})
}
