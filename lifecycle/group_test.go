package lifecycle_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/run"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/conn/conntest"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// process is a whole server in memory: two listeners, the stop and one more actor.
type process struct {
	listeners   [2]*conntest.Listener
	connections conn.Server
	requests    http1.Server
	stop        lifecycle.Stop
	signals     chan os.Signal
	die         chan error // makes the other actor return this
	release     chan struct{}
	result      chan error
}

// launch runs a process whose handler answers /slow only when released. It is called in a
// synctest bubble.
func launch() *process {
	p := &process{signals: make(chan os.Signal, 4), die: make(chan error, 1), release: make(chan struct{}), result: make(chan error, 1)}
	p.requests.Handler = http1.HandlerFunc(func(w *http1.Response, r *http1.Request) {
		if r.Path() == "/slow" {
			<-p.release
		}
		w.Text(200, "done")
	})
	p.stop = lifecycle.Stop{Target: &p.connections, Signals: p.signals, Delay: 2 * time.Second, Timeout: 10 * time.Second}
	var group run.Group
	for i, name := range []string{"https", "http"} {
		p.listeners[i] = conntest.Listen()
		l := &conn.Listener{Listener: p.listeners[i], Handler: &p.requests}
		group.Add(lifecycle.Serving(name, func() error { return p.connections.Serve(l) }))
	}
	ended := make(chan struct{})
	group.Add(lifecycle.Guard("renewal", func() error {
		select {
		case err := <-p.die:
			return err
		case <-ended:
			return nil
		}
	}), func(error) { close(ended) })
	group.Add(p.stop.Actor())
	go func() { p.result <- group.Run() }()
	synctest.Wait()
	return p
}

// asks sends a request on a connection of its own and returns where its answer comes.
func (p *process) asks(t *testing.T, listener int, path string) (net *conntest.Conn, answer func() *http.Response) {
	t.Helper()
	c, err := p.listeners[listener].Dial()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	in := bufio.NewReader(c)
	return c, func() *http.Response {
		t.Helper()
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s was not answered: %v", path, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Errorf("%s was cut: %v", path, err)
		}
		return res
	}
}

// after lets virtual time pass and everybody react to it.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// ends waits for the group and checks the books.
func (p *process) ends(t *testing.T) error {
	t.Helper()
	err := <-p.result
	l, r := p.connections.Ledger(), p.requests.Ledger()
	if errors.Join(l.Balance(), r.Balance()) != nil || l.Open != 0 || r.Open != 0 {
		t.Errorf("books: %+v and %+v", l, r)
	}
	return err
}

func TestGroup(t *testing.T) {
	t.Run("a signal ends everything in order, and no request is lost", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := launch()
			idle, first := p.asks(t, 0, "/")
			if res := first(); res.Close {
				t.Error("the first response ends its connection although nothing stops")
			}
			_, slow := p.asks(t, 1, "/slow")
			p.signals <- syscall.SIGTERM
			after(time.Second)
			if p.stop.Phase() != lifecycle.LameDuck {
				t.Errorf("phase %s after 1 s, want the lame duck", p.stop.Phase())
			}
			_, late := p.asks(t, 0, "/")
			if res := late(); !res.Close {
				t.Error("a response in the lame duck does not announce the end")
			}
			after(2 * time.Second)
			if p.stop.Phase() != lifecycle.Draining {
				t.Errorf("phase %s after 3 s, want draining", p.stop.Phase())
			}
			if _, err := p.listeners[0].Dial(); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial in the drain: %v, want a refusal", err)
			}
			if n, err := idle.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("the idle connection got %d bytes and %v, want its end", n, err)
			}
			close(p.release)
			if res := slow(); !res.Close || res.StatusCode != 200 {
				t.Errorf("the request under way got %d, close %t", res.StatusCode, res.Close)
			}
			if err := p.ends(t); err != nil || p.stop.Report().ExitCode(nil) != 0 {
				t.Errorf("Run returned %v, exit code %d; want nil and 0", err, p.stop.Report().ExitCode(nil))
			}
		})
	})
}

func TestGroupWithADeadActor(t *testing.T) {
	t.Run("an actor's death drains and is what Run returns", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := launch()
			_, slow := p.asks(t, 0, "/slow")
			p.die <- errDied
			after(5 * time.Second)
			close(p.release)
			if res := slow(); res.StatusCode != 200 {
				t.Errorf("the request under way got %d", res.StatusCode)
			}
			if err := p.ends(t); !errors.Is(err, errDied) || p.stop.Report().ExitCode(nil) != lifecycle.ExitActorDied {
				t.Errorf("Run returned %v, exit code %d; want the death and 4", err, p.stop.Report().ExitCode(nil))
			}
		})
	})
	t.Run("a listener that fails is a death like any other", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := launch()
			_, slow := p.asks(t, 1, "/slow")
			p.listeners[0].Fail(syscall.EBADF)
			after(time.Second)
			close(p.release)
			slow()
			err := p.ends(t)
			if !errors.Is(err, syscall.EBADF) || !strings.HasPrefix(err.Error(), "https: ") {
				t.Errorf("Run returned %v, want the listener's error under its name", err)
			}
		})
	})
}

func TestGroupForced(t *testing.T) {
	t.Run("the deadline cuts what hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := launch()
			stuck, _ := p.asks(t, 0, "/slow")
			begun := time.Now()
			p.signals <- syscall.SIGTERM
			after(12 * time.Second)
			if _, err := stuck.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection ended with %v, want a reset", err)
			}
			close(p.release)
			if err := p.ends(t); err != nil {
				t.Errorf("Run returned %v", err)
			}
			r := p.stop.Report()
			if r.Cut != 1 || r.ExitCode(nil) != lifecycle.ExitCut || time.Since(begun) > 13*time.Second {
				t.Errorf("%d cut, exit code %d, after %s", r.Cut, r.ExitCode(nil), time.Since(begun))
			}
			if l := p.requests.Ledger(); l.Forced != 1 || l.Completed != 0 {
				t.Errorf("requests: %+v, want the one forced", l)
			}
		})
	})
	t.Run("a second signal cuts at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := launch()
			p.asks(t, 0, "/slow")
			p.signals <- syscall.SIGINT
			after(time.Second)
			p.signals <- syscall.SIGINT
			after(100 * time.Millisecond)
			close(p.release)
			if err := p.ends(t); err != nil || p.stop.Report().ExitCode(nil) != 130 {
				t.Errorf("Run returned %v, exit code %d; want nil and 130", err, p.stop.Report().ExitCode(nil))
			}
		})
	})
}
