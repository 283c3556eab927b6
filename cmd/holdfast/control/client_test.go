package control

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// impostor listens at a path and does as it likes with each connection.
func impostor(t *testing.T, serve func(net.Conn)) Place {
	t.Helper()
	at := ours(filepath.Join(shortDir(t), Name))
	l, err := net.Listen("unix", at.Path)
	if err != nil {
		t.Fatal(err)
	}
	pose(t, l, serve)
	return at
}

// ours is a place where a server of this user is expected.
func ours(path string) Place { return Place{Path: path, Owner: os.Geteuid()} }

// pose serves each connection until the test ends.
func pose(t *testing.T, l net.Listener, serve func(net.Conn)) {
	ended := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}()
}

func TestAskIsNotAnswered(t *testing.T) {
	readAndSay := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = c.Read(make([]byte, RequestBytes))
			_, _ = io.WriteString(c, text)
		}
	}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		want  error
	}{
		{"a server that ends first", func(net.Conn) {}, ErrGone},
		{"a server that ends over the request", readAndSay(""), ErrGone},
		{"half an answer", readAndSay(`{"protocol":1,`), ErrNoAnswer},
		{"an HTTP server", readAndSay("HTTP/1.1 400 Bad Request\r\n\r\n"), ErrNoAnswer},
		{"an answer without a protocol", readAndSay("{}\n"), ErrNoAnswer},
		{"an endless answer", readAndSay(strings.Repeat(" ", AnswerBytes+1)), ErrNoAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Ask(t.Context(), impostor(t, c.serve), Request{Verb: "echo"}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		if _, err := Ask(t.Context(), ours(filepath.Join(shortDir(t), Name)), Request{Verb: "echo"}); !errors.Is(err, ErrNobody) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a server that hangs, until the context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		at := impostor(t, func(c net.Conn) {
			_, _ = c.Read(make([]byte, RequestBytes))
			cancel()
			_, _ = io.Copy(io.Discard, c)
		})
		if _, err := Ask(ctx, at, Request{Verb: "echo"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a process that hangs after it told its outcome", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		at := impostor(t, func(c net.Conn) {
			readAndSay(`{"protocol":1,"result":{}}` + "\n")(c)
			cancel()
			_, _ = io.Copy(io.Discard, c)
		})
		if _, err := Ask(ctx, at, Request{Verb: "stop", Wait: true}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a request over the limit is not sent", func(t *testing.T) {
		_, err := open(t).ask(Request{Verb: strings.Repeat("v", RequestBytes)})
		if err == nil || !strings.Contains(err.Error(), "more than 16384") {
			t.Errorf("got %v", err)
		}
	})
}
