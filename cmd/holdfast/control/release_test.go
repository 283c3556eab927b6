package control

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

func TestInheritPauses(t *testing.T) {
	path := filepath.Join(shortDir(t), Name)
	other, err := conn.ListenUnix(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		s := &Server{Place: func() (string, error) { looks++; return path, nil }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := s.Inherit(ctx, 5*time.Millisecond, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// 5, 10, 20, 40 and 80 ms, and then 100 each.
		if want := 6 + (10_000-155)/100; looks < want-1 || looks > want {
			t.Errorf("it looked %d times in 10 s, want %d", looks, want)
		}
		s.Close(nil)
	})
}

func TestReleaseIsForGood(t *testing.T) {
	// wantFree fails the test if somebody has the name.
	wantFree := func(t *testing.T, path string) {
		t.Helper()
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the name is taken: %v", err)
		}
	}
	t.Run("who had the name does not take it back", func(t *testing.T) {
		g := open(t)
		g.server.Release()
		if err := g.server.Take(context.Background()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		wantFree(t, g.path)
	})
	t.Run("who waits for it waits no more, and leaves it when it is free", func(t *testing.T) {
		other := open(t)
		waiting := newStage(t, other.path)
		done := make(chan error, 1)
		go func() { done <- waiting.server.Inherit(context.Background(), time.Millisecond, time.Millisecond) }()
		waiting.server.Release()
		other.server.Close(nil)
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		wantFree(t, other.path)
	})
	t.Run("who is about to take it lets go", func(t *testing.T) {
		g := newStage(t, filepath.Join(shortDir(t), Name))
		asked, let := make(chan struct{}), make(chan struct{})
		g.server.Place = func() (string, error) {
			close(asked)
			<-let
			return g.path, nil
		}
		done := make(chan error, 1)
		go func() { done <- g.server.Take(context.Background()) }()
		<-asked
		g.server.Release()
		close(let)
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		wantFree(t, g.path)
	})
}
