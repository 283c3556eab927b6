package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

const echo = `{"protocol":1,"verb":"echo","args":[7]}` + "\n"

func TestAnswers(t *testing.T) {
	t.Run("one line each, in their order, on one connection", func(t *testing.T) {
		r := open(t).dial()
		r.send(strings.Repeat(echo, 3) + `{"protocol":1,"verb":"who"}` + "\n")
		for range 3 {
			if a := r.answer(); string(a.Result) != "[7]" || a.PID != os.Getpid() || a.Version != "v1" || a.Protocol != Protocol {
				t.Errorf("got %+v", a)
			}
		}
		if a := r.answer(); string(a.Result) != fmt.Sprintf(`{"UID":%d,"PID":%d}`, os.Geteuid(), os.Getpid()) {
			t.Errorf("the verb saw the peer %s", a.Result)
		}
	})
	t.Run("a request that comes in pieces", func(t *testing.T) {
		r := open(t).dial()
		for i := range len(echo) {
			r.send(echo[i : i+1])
		}
		if a := r.answer(); string(a.Result) != "[7]" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("a client that half-closes is answered, as nc does", func(t *testing.T) {
		r := open(t).dial()
		r.send(echo)
		_ = r.CloseWrite()
		if a := r.answer(); len(a.Faults) > 0 {
			t.Errorf("got %q", a.Faults)
		}
		r.ended()
	})
	for _, c := range []struct{ name, verb, args, want string }{
		{"an unknown verb has those that there are beside it", "upgrade", "", `knows no verb "upgrade", only bulk, deaf, echo, fail, huge, panic, stall, strict, who`},
		{"each of joined errors is a fault", "fail", "", "one|two"},
		{"a panic is a fault", "panic", "", "its log says where"},
		{"an answer over the limit is a fault", "huge", "", "more than 1048576"},
		{"an argument that is not known is a fault", "strict", `{"nmae":"x"}`, `unknown field "nmae"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := open(t)
			a := g.must(Request{Verb: c.verb, Args: json.RawMessage(c.args)})
			if got := strings.Join(a.Faults, "|"); !strings.Contains(got, c.want) || a.Result != nil {
				t.Errorf("faults %q and result %s, want %q", a.Faults, a.Result, c.want)
			}
			if a := g.must(Request{Verb: "strict", Args: json.RawMessage(`{"name":"mole"}`)}); string(a.Result) != `"mole"` {
				t.Errorf("and then %+v, want an answer as before", a)
			}
		})
	}
	t.Run("a verb that panicked is in the log with its stack", func(t *testing.T) {
		g := open(t)
		g.must(Request{Verb: "panic"})
		if log := g.log.text(); !strings.Contains(log, "a broken verb") || !strings.Contains(log, "fixture_test.go") {
			t.Errorf("the log says %s", log)
		}
	})
}

func TestRefusesWhatIsNoRequest(t *testing.T) {
	for _, c := range []struct {
		name, sent, want string
		goesOn           bool
	}{
		{"noise", "\x16\x03\x01\n", "no JSON object", true},
		{"an empty line", "\n", "no JSON object", true},
		{"an array", "[1]\n", "no JSON object", true},
		{"two objects", `{"protocol":1,"verb":"echo"}{}` + "\n", "no JSON object", true},
		{"an HTTP request", "GET / HTTP/1.1\n", "no JSON object", true},
		{"a protocol to come", `{"protocol":2,"verb":"echo"}` + "\n", "version 2 of the control protocol, this server version 1", true},
		{"no protocol", `{"verb":"echo"}` + "\n", "version 0", true},
		{"no verb", `{"protocol":1}` + "\n", "no verb", true},
		{"a line without an end", `{"protocol":1,"verb":"echo"}`, "does not end with a line feed", false},
		{"a line that is too long", strings.Repeat("a", RequestBytes+1), "longer than 16384 bytes", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t).dial()
			r.send(c.sent)
			if !c.goesOn {
				_ = r.CloseWrite()
			}
			if a := r.answer(); len(a.Faults) != 1 || !strings.Contains(a.Faults[0], c.want) || a.Result != nil {
				t.Errorf("got %+v, want %q", a, c.want)
			}
			if !c.goesOn {
				r.ended()
				return
			}
			r.send(echo)
			if a := r.answer(); string(a.Result) != "[7]" {
				t.Errorf("and then %+v", a)
			}
		})
	}
}

func TestPeers(t *testing.T) {
	t.Run("another user is sent away, told why, and logged", func(t *testing.T) {
		g := newStage(t, filepath.Join(shortDir(t), Name))
		g.server.who = func(*net.UnixConn) (Peer, error) { return Peer{UID: os.Geteuid() + 7, PID: 42}, nil }
		g.take()
		a := g.must(Request{Verb: "panic"})
		if want := fmt.Sprintf("uid %d may not speak to this server", os.Geteuid()+7); len(a.Faults) != 1 || !strings.HasPrefix(a.Faults[0], want) {
			t.Errorf("got %q, want %q", a.Faults, want)
		}
		if log := g.log.text(); !strings.Contains(log, "stranger") || !strings.Contains(log, "pid=42") || strings.Contains(log, "panic") {
			t.Errorf("the log says %s, and the verb must not have run", log)
		}
	})
	t.Run("nobody is heard whom the kernel does not name", func(t *testing.T) {
		g := newStage(t, filepath.Join(shortDir(t), Name))
		g.server.who = func(*net.UnixConn) (Peer, error) { return Peer{}, errors.New("no credentials") }
		g.take()
		if a := g.must(Request{Verb: "echo"}); !slices.Equal(a.Faults, []string{"no credentials"}) {
			t.Errorf("got %+v", a)
		}
	})
	for _, c := range []struct {
		uid, other        int // the other is a server's own user, and a state directory's owner
		mayAsk, mayAnswer bool
	}{
		{1000, 1000, true, true},
		{0, 1000, true, true},
		{1001, 1000, false, false},
		{1000, 0, false, false}, // where root's server is expected nobody else is believed
		{0, 0, true, true},
	} {
		t.Run(fmt.Sprintf("uid %d and %d", c.uid, c.other), func(t *testing.T) {
			p := Peer{UID: c.uid}
			if p.mayAsk(c.other) != c.mayAsk || p.mayAnswer(c.other) != c.mayAnswer {
				t.Errorf("may ask %t, may answer %t; want %t, %t", p.mayAsk(c.other), p.mayAnswer(c.other), c.mayAsk, c.mayAnswer)
			}
		})
	}
}

func TestName(t *testing.T) {
	t.Run("the socket is the owner's alone", func(t *testing.T) {
		g := open(t)
		if info, err := os.Lstat(g.path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("mode %v, error %v", info.Mode(), err)
		}
	})
	t.Run("what a dead server left is replaced", func(t *testing.T) {
		path := filepath.Join(shortDir(t), Name)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		_ = l.Close()
		g := newStage(t, path)
		g.take()
		g.must(Request{Verb: "echo"})
	})
	t.Run("something else at the path stays", func(t *testing.T) {
		path := filepath.Join(shortDir(t), Name)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := newStage(t, path).server.Take(context.Background()); !errors.Is(err, conn.ErrNoSocket) {
			t.Errorf("got %v", err)
		}
		if content, err := os.ReadFile(path); string(content) != "precious" {
			t.Errorf("it holds %q now (%v)", content, err)
		}
	})
	t.Run("of two servers the second is told the first's pid", func(t *testing.T) {
		g := open(t)
		err := newStage(t, g.path).server.Take(context.Background())
		var taken *TakenError
		if !errors.As(err, &taken) || taken.PID != os.Getpid() || !errors.Is(err, conn.ErrSocketLive) {
			t.Errorf("got %v (%+v)", err, taken)
		}
		g.must(Request{Verb: "echo"})
	})
	t.Run("to take it twice changes nothing", func(t *testing.T) {
		g := open(t)
		g.take()
		g.must(Request{Verb: "echo"})
	})
	t.Run("a failure of the place comes back", func(t *testing.T) {
		g := newStage(t, "")
		g.server.Place = func() (string, error) { return "", fs.ErrPermission }
		if err := g.server.Take(context.Background()); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nothing of it is left at the end", func(t *testing.T) {
		g := open(t)
		g.server.Close(nil)
		if left, err := os.ReadDir(filepath.Dir(g.path)); err != nil || len(left) > 0 {
			t.Errorf("%v is left (%v)", left, err)
		}
		if err := g.server.Take(context.Background()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed server takes the name: %v", err)
		}
		if _, err := g.ask(Request{Verb: "echo"}); !errors.Is(err, ErrNobody) {
			t.Errorf("a client is told %v", err)
		}
	})
}

func TestHandOver(t *testing.T) {
	g := open(t)
	under := g.dial()
	under.send(echo)
	under.answer()
	waiting := g.dial()
	waiting.send(`{"protocol":1,"verb":"who","wait":true}` + "\n")
	g.hears("who")

	next := newStage(t, g.path)
	next.server.Version = "v2"
	inherited := make(chan error, 1)
	go func() { inherited <- next.server.Inherit(context.Background(), time.Millisecond, time.Millisecond) }()
	if a := g.must(Request{Verb: "who"}); a.Version != "v1" {
		t.Fatalf("version %s answers before the release", a.Version)
	}
	g.server.Release()
	g.server.Release() // it may be said twice
	if err := <-inherited; err != nil {
		t.Fatal(err)
	}
	t.Run("the successor answers", func(t *testing.T) {
		if a := next.must(Request{Verb: "who"}); a.Version != "v2" {
			t.Errorf("version %s answers", a.Version)
		}
	})
	t.Run("who spoke to the leaving one goes on doing so", func(t *testing.T) {
		under.send(echo)
		if a := under.answer(); a.Version != "v1" || string(a.Result) != "[7]" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("the leaving one's end leaves the successor's socket alone", func(t *testing.T) {
		g.server.Close("over")
		if a := waiting.answer(); string(a.Result) != `"over"` {
			t.Errorf("who waited got %+v", a)
		}
		next.must(Request{Verb: "who"})
	})
	t.Run("who does not get the name in time is told", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := newStage(t, g.path).server.Inherit(ctx, time.Hour, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestManyAtATime(t *testing.T) {
	t.Run("one over the limit is told so, and a place is free again when one leaves", func(t *testing.T) {
		g := open(t)
		var all []*raw
		for range connectionsLimit {
			r := g.dial()
			r.send(echo)
			r.answer()
			all = append(all, r)
		}
		if a := g.dial().answer(); len(a.Faults) != 1 || !strings.Contains(a.Faults[0], "too many connections") {
			t.Errorf("got %+v", a)
		}
		_ = all[0].Close()
		eventually(t, "a place is free", func() bool { return g.connected() < connectionsLimit })
		g.must(Request{Verb: "echo"})
	})
	t.Run("those who wait hold no place once they are gone", func(t *testing.T) {
		g := open(t)
		for range connectionsLimit {
			r := g.dial()
			r.send(`{"protocol":1,"verb":"who","wait":true}` + "\n")
			_ = r.Close()
		}
		eventually(t, "all places are free", func() bool { return g.connected() == 0 })
	})
	t.Run("all clients get their own answers under load", func(t *testing.T) {
		g := open(t)
		var clients sync.WaitGroup
		for n := range connectionsLimit / 2 {
			clients.Go(func() {
				for i := range 50 {
					want := fmt.Sprintf(`{"client":%d,"i":%d}`, n, i)
					a, err := g.ask(Request{Verb: "echo", Args: json.RawMessage(want)})
					if err == nil && len(a.Faults) == 1 && strings.Contains(a.Faults[0], "too many") {
						continue // the last of this client's connections are still being closed
					}
					if err != nil || string(a.Result) != want {
						t.Errorf("asked for %s, got %+v and %v", want, a, err)
						return
					}
				}
			})
		}
		clients.Wait()
	})
}
