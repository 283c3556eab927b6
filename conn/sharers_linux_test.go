package conn

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

func share(t *testing.T, addr string) *sharedListener {
	t.Helper()
	l, err := ListenShared(context.Background(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*sharedListener)
}

// reaches tells whether each of so many new connections comes to l.
func reaches(t *testing.T, l *sharedListener, n int) bool {
	t.Helper()
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var nc net.Conn
		for range 2 { // with a deadline that has passed before it looks, Accept does not look
			_ = l.SetDeadline(time.Now().Add(300 * time.Millisecond)) // most often it is there already, or never comes
			if nc, err = l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
		}
		if err != nil {
			return false
		}
		_ = nc.Close()
	}
	return true
}

func TestSharers(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		t.Run("are known, and who of them leaves, on "+addr, func(t *testing.T) {
			one := share(t, addr)
			two := share(t, one.Addr().String())
			share(t, addr) // on a port of its own
			leaving, ok := one.sharers()
			if !ok || len(leaving) != 2 || anyOf(leaving) {
				t.Fatalf("%v, %t", leaving, ok)
			}
			two.markLeaving()
			both, _ := one.sharers()
			if !anyOf(both) || lost(leaving, both) {
				t.Errorf("with a leaving one %v", both)
			}
			_ = two.Close()
			if left, _ := one.sharers(); len(left) != 1 || anyOf(left) || !lost(both, left) || lost(left, both) {
				t.Errorf("when it has gone %v", left)
			}
		})
	}
	t.Run("of a table that ends in the middle, or of somebody else, are none", func(t *testing.T) {
		const line = "0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 77 1 0 100 0 0 10 97\n"
		for table, want := range map[string]int{"heading\n" + line: 1, "heading\n" + line[:40]: 0, "heading\n" + strings.Replace(line, " 77 ", " 78 ", 1): 0, "": 0} {
			if got := sharersOf(strings.NewReader(table), "77"); len(got) != want {
				t.Errorf("%q: %v", table, got)
			}
		}
	})
}

func TestStay(t *testing.T) {
	// A loop's part that only looks: closing ends it.
	stays := func(l *sharedListener) (end func()) {
		a := &acceptor{emptied: make(chan struct{})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.stay(l, nil)
		}()
		return func() { close(a.emptied); <-done }
	}
	const tries = 40 // by the kernel's own choice all would go to one of two once in 10^12
	t.Run("a steering whose owner has gone ends, however that went", func(t *testing.T) {
		one := share(t, "127.0.0.1:0")
		share(t, one.Addr().String())
		three := share(t, one.Addr().String())
		three.markLeaving()
		if err := three.steer(0); err != nil {
			t.Fatal(err)
		}
		end := stays(one)
		defer end()
		if !reaches(t, one, tries) {
			t.Fatal("it is not steered")
		}
		_ = three.Close() // as the kernel does for a process that is killed
		deadline := time.Now().Add(time.Minute)
		for reaches(t, one, tries) {
			if time.Now().After(deadline) {
				t.Fatal("all still go to one")
			}
		}
	})
	t.Run("one that comes while another leaves lets it go on", func(t *testing.T) {
		one := share(t, "127.0.0.1:0")
		two := share(t, one.Addr().String())
		two.markLeaving()
		if err := two.steer(0); err != nil {
			t.Fatal(err)
		}
		three := share(t, one.Addr().String())
		end := stays(three)
		end() // it has looked at least once
		if !reaches(t, one, tries) {
			t.Error("the steering is gone")
		}
	})
	t.Run("what a dead one left is gone with the first look", func(t *testing.T) {
		one := share(t, "127.0.0.1:0")
		two := share(t, one.Addr().String())
		if err := two.steer(0); err != nil {
			t.Fatal(err)
		}
		stays(two)()
		if reaches(t, one, tries) {
			t.Error("all still go to one")
		}
	})
}

type nobody struct{}

func (nobody) ServeConn(*Conn) error { return nil }

func TestLeaveSteersAgain(t *testing.T) {
	// A busy machine may leave before the one that asks gets to run, and then nothing was seen.
	for end := time.Now().Add(time.Minute); !seenSteeringAgain(t); {
		if time.Now().After(end) {
			t.Fatal("it never steered again")
		}
	}
}

// seenSteeringAgain has one of two leave, takes its steering away, and tells whether it was seen
// to be there again before it had left.
func seenSteeringAgain(t *testing.T) (seen bool) {
	one := share(t, "127.0.0.1:0")
	two := share(t, one.Addr().String())
	s := &Server{}
	s.setUp()
	served, closed := make(chan error, 1), make(chan struct{})
	go func() { served <- s.Serve(&Listener{Listener: two, Handler: nobody{}}) }()
	go func() {
		defer close(closed)
		for len(s.acceptors.all()) == 0 {
			runtime.Gosched()
		}
		s.CloseListeners(context.Background())
	}()
	leaves := func() bool {
		select {
		case <-closed:
			return false
		default:
			return true
		}
	}
	for leaving, _ := one.sharers(); !anyOf(leaving) && leaves(); leaving, _ = one.sharers() {
		runtime.Gosched()
	}
	one.unsteer() // as one does that looked just before
	for leaves() && !seen {
		seen = reaches(t, one, 40) && leaves()
	}
	<-closed
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	return seen
}
