package control

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestWaitForTheEnd(t *testing.T) {
	const wait = `{"protocol":1,"verb":"who","wait":true}` + "\n"
	t.Run("the outcome comes with the end, and the end of the connection with that of the process", func(t *testing.T) {
		g := open(t)
		r := g.dial()
		r.send(wait)
		g.hears("who")
		g.must(Request{Verb: "echo"}) // others are answered meanwhile
		g.server.Close(map[string]int{"exit": 3})
		if a := r.answer(); string(a.Result) != `{"exit":3}` {
			t.Errorf("got %+v", a)
		}
		if n := len(g.server.kept); n != 1 {
			t.Fatalf("%d connections are kept, want 1", n)
		}
		g.end() // what the kernel does
		r.ended()
	})
	t.Run("a client waits for both", func(t *testing.T) {
		g := open(t)
		answers, faults := make(chan Answer, 1), make(chan error, 1)
		go func() {
			a, err := g.ask(Request{Verb: "who", Wait: true})
			answers <- a
			faults <- err
		}()
		g.hears("who")
		g.server.Close("over")
		select {
		case <-answers:
			t.Fatal("the client does not wait for the process")
		default:
		}
		g.end()
		if a, err := <-answers, <-faults; err != nil || string(a.Result) != `"over"` {
			t.Errorf("got %+v and %v", a, err)
		}
	})
	t.Run("a verb's fault comes at once", func(t *testing.T) {
		if a := open(t).must(Request{Verb: "fail", Wait: true}); !slices.Equal(a.Faults, []string{"one", "two"}) {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("who goes on talking waits no more", func(t *testing.T) {
		r := open(t).dial()
		r.send(wait + echo)
		r.ended()
	})
}

// A stop is never held up: each of these is under way when the server closes, and Close
// returns.
func TestCloseWaitsForNobody(t *testing.T) {
	t.Run("a client that says nothing", func(t *testing.T) {
		g := open(t)
		r := g.dial()
		eventually(t, "it is connected", func() bool { return g.connected() == 1 })
		g.server.Close(nil)
		r.ended()
	})
	t.Run("half a request", func(t *testing.T) {
		g := open(t)
		r := g.dial()
		r.send(`{"protocol":1,`)
		eventually(t, "it is connected", func() bool { return g.connected() == 1 })
		g.server.Close(nil)
		eventually(t, "its goroutine has ended", func() bool { return g.connected() == 0 })
	})
	t.Run("a client that does not read", func(t *testing.T) {
		g := open(t)
		r := g.dial()
		go func() { // until the server stops reading too
			for {
				if _, err := r.Write([]byte(`{"protocol":1,"verb":"bulk"}` + "\n")); err != nil {
					return
				}
			}
		}()
		eventually(t, "it is connected", func() bool { return g.connected() == 1 })
		g.server.Close(nil)
		eventually(t, "its goroutine has ended", func() bool { return g.connected() == 0 })
	})
	t.Run("a verb that heeds its context, and is answered", func(t *testing.T) {
		g := open(t)
		r := g.dial()
		r.send(`{"protocol":1,"verb":"stall"}` + "\n")
		g.hears("stall")
		g.server.Close(nil)
		if a := r.answer(); string(a.Result) != `"ended"` {
			t.Errorf("got %+v", a)
		}
		eventually(t, "its goroutine has ended", func() bool { return g.connected() == 0 })
	})
	t.Run("a verb that does not", func(t *testing.T) {
		g := open(t)
		r := g.dial()
		r.send(`{"protocol":1,"verb":"deaf"}` + "\n")
		g.hears("deaf")
		g.server.Close(nil)
		r.ended()
	})
	t.Run("a disk that hangs while the name is taken", func(t *testing.T) {
		g := newStage(t, "")
		path := filepath.Join(shortDir(t), Name)
		asked, hung := make(chan struct{}), make(chan struct{})
		g.server.Place = func() (string, error) {
			close(asked)
			<-hung
			return path, nil
		}
		taken := make(chan error, 1)
		go func() { taken <- g.server.Take(context.Background()) }()
		<-asked
		g.server.Close(nil)
		close(hung)
		if err := <-taken; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the name was taken after all: %v", err)
		}
	})
	t.Run("a server that never took its name", func(t *testing.T) {
		s := new(Server)
		s.Release()
		s.Close(nil)
		s.Close(nil)
		if err := s.Inherit(context.Background(), time.Hour, time.Hour); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}
