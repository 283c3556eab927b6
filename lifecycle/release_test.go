package lifecycle_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
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

func TestRelease(t *testing.T) {
	term := []event{{signal: syscall.SIGTERM}}
	// released is a stop that notes when it was released and for how long it may take.
	released := func(g *target) (stop *lifecycle.Stop, patience *time.Duration) {
		patience = new(time.Duration)
		*patience = -1
		stop = &lifecycle.Stop{Target: g, Timeout: second, Release: func(ctx context.Context) {
			g.note("release")
			end, _ := ctx.Deadline()
			*patience = time.Until(end)
		}}
		return stop, patience
	}
	t.Run("it comes last, with the report there", func(t *testing.T) {
		stop, patience := released(&target{busy: second / 2})
		then := stop.Release
		stop.Release = func(ctx context.Context) {
			then(ctx)
			if r := stop.Report(); r.Signal != syscall.SIGTERM || len(r.Phases) != 4 || stop.Phase() != lifecycle.Flushed {
				t.Errorf("at the release the report is %+v, the phase %s", r, stop.Phase())
			}
		}
		live(t, stop, term, "announce 0s", "close 0s", "drain 0s", "release 500ms")
		if *patience != 200*ms {
			t.Errorf("it has %v, want 200 ms", *patience)
		}
	})
	t.Run("a forced stop gives it no time", func(t *testing.T) {
		stop, patience := released(&target{busy: never})
		stop.Timeout = never
		live(t, stop, append(term, event{at: second, signal: syscall.SIGTERM}), "announce 0s", "close 0s", "drain 0s", "cut 1s", "release 1s")
		if *patience != 0 {
			t.Errorf("it has %v, want nothing", *patience)
		}
	})
	t.Run("nor does one whose handlers are stuck", func(t *testing.T) {
		stop, patience := released(&target{busy: never, deaf: true})
		o := live(t, stop, term, "announce 0s", "close 0s", "drain 0s", "overdue 800ms", "cut 1s", "release 1.5s")
		if *patience != 0 || o.ended != 1500*ms {
			t.Errorf("it has %v, want nothing; the stop ended after %v", *patience, o.ended)
		}
	})
	t.Run("it comes behind a drain that failed", func(t *testing.T) {
		stop, _ := released(&target{panics: "announce"})
		live(t, stop, term, "announce 0s", "close 0s", "cut 0s", "release 0s")
	})
	t.Run("its panic is told, and changes nothing", func(t *testing.T) {
		stop, _ := released(&target{panics: "release"})
		o := live(t, stop, term, "announce 0s", "close 0s", "drain 0s", "release 0s")
		if o.err != nil || o.report.ExitCode(nil) != 0 || !strings.Contains(o.log, "broken at release") {
			t.Errorf("returned %v, exit code %d, log %s", o.err, o.report.ExitCode(nil), o.log)
		}
	})
}

// phaseLog is a log that notes the phase at each line.
type phaseLog struct {
	stop  *lifecycle.Stop
	lines []string
}

func (l *phaseLog) Write(p []byte) (int, error) {
	l.lines = append(l.lines, l.stop.Phase().String()+": "+string(p))
	return len(p), nil
}

// Whoever has read that the process stops must not be told by a probe that all is well.
func TestPhaseTurnsBeforeItIsTold(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	g := &target{cut: make(chan struct{})}
	stop := &lifecycle.Stop{Target: g, Timeout: second, Signals: signals}
	log := &phaseLog{stop: stop}
	stop.Log = slog.New(slog.NewTextHandler(log, nil))
	execute, _ := stop.Actor()
	if err := execute(); err != nil {
		t.Fatal(err)
	}
	if len(log.lines) == 0 || !strings.HasPrefix(log.lines[0], "lame duck: ") || !strings.Contains(log.lines[0], "msg=stopping") {
		t.Errorf("%q", log.lines)
	}
}

// beside runs a process with a second server that answers until the very end, as an admin
// listener does.
func beside() (p *process, probes *conntest.Listener, side *conn.Server) {
	p = &process{signals: make(chan os.Signal, 4), release: make(chan struct{}), result: make(chan error, 1)}
	p.requests.Handler = http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) {
		<-p.release
		w.Text(200, "done")
	})
	answers := &http1.Server{Handler: http1.HandlerFunc(func(w *http1.Response, _ *http1.Request) { w.Text(200, p.stop.Phase().String()) })}
	p.listeners[0], probes, side = conntest.Listen(), conntest.Listen(), new(conn.Server)
	p.stop = lifecycle.Stop{Target: &p.connections, Signals: p.signals, Delay: 2 * time.Second, Timeout: 10 * time.Second, Release: func(ctx context.Context) {
		side.Announce()
		side.CloseListeners(ctx)
		<-side.Drain()
	}}
	var group run.Group
	for name, serve := range map[string]func() error{
		"http": func() error {
			return p.connections.Serve(&conn.Listener{Listener: p.listeners[0], Handler: &p.requests})
		},
		"admin": func() error { return side.Serve(&conn.Listener{Listener: probes, Handler: answers}) },
	} {
		group.Add(lifecycle.Serving(name, serve))
	}
	group.Add(p.stop.Actor())
	go func() { p.result <- group.Run() }()
	synctest.Wait()
	return p, probes, side
}

// phaseBy asks the second server for the phase.
func phaseBy(t *testing.T, probes *conntest.Listener) string {
	t.Helper()
	c, err := probes.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestGroupWithAnAdminListener(t *testing.T) {
	t.Run("it answers through the whole drain and is the last to close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, probes, side := beside()
			_, slow := p.asks(t, 0, "/slow")
			seen := []string{phaseBy(t, probes)}
			p.signals <- syscall.SIGTERM
			after(time.Second)
			seen = append(seen, phaseBy(t, probes))
			after(3 * time.Second)
			if _, err := p.listeners[0].Dial(); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial in the drain: %v, want a refusal", err)
			}
			seen = append(seen, phaseBy(t, probes))
			close(p.release)
			slow()
			if err := p.ends(t); err != nil {
				t.Errorf("Run returned %v", err)
			}
			if got := strings.Join(seen, ", "); got != "running, lame duck, draining" {
				t.Errorf("the phases were %s", got)
			}
			if _, err := probes.Dial(); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial after the end: %v, want a refusal", err)
			}
			if l := side.Ledger(); l.Quiet != 3 || l.Accepted != 3 || l.Open != 0 {
				t.Errorf("its own books: %+v", l)
			}
		})
	})
	t.Run("when it fails the process drains, and says that it was this", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, probes, _ := beside()
			_, slow := p.asks(t, 0, "/slow")
			probes.Fail(syscall.EBADF)
			after(time.Second)
			if p.stop.Phase() != lifecycle.LameDuck {
				t.Errorf("phase %s, want the lame duck", p.stop.Phase())
			}
			close(p.release)
			if res := slow(); res.StatusCode != 200 || !res.Close {
				t.Errorf("the request under way got %d, close %t", res.StatusCode, res.Close)
			}
			err := p.ends(t)
			if !errors.Is(err, syscall.EBADF) || !strings.HasPrefix(p.stop.Report().Cause(), "admin: ") || p.stop.Report().ExitCode(nil) != lifecycle.ExitActorDied {
				t.Errorf("Run returned %v, the cause is %q", err, p.stop.Report().Cause())
			}
		})
	})
}
