package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/run"

	"github.com/holdfast-server/holdfast/conn"
	"github.com/holdfast-server/holdfast/http1"
	"github.com/holdfast-server/holdfast/lifecycle"
)

// A harbour is a server in this process, wired as serve does it.
type harbour struct {
	t       *testing.T
	source  net.Listener
	conns   *conn.Server
	http    *http1.Server
	stop    *lifecycle.Stop
	signals chan os.Signal
	log     transcript
	ended   chan struct{} // closed when the group has
}

func openHarbour(t *testing.T, handler http1.HandlerFunc, timeout time.Duration, wrap func(net.Listener) net.Listener) *harbour {
	t.Helper()
	source, err := conn.Listen(context.Background(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &harbour{t: t, source: source, signals: make(chan os.Signal, 2), ended: make(chan struct{})}
	log := slog.New(slog.NewTextHandler(&h.log, nil))
	h.conns, h.http = &conn.Server{Log: log}, &http1.Server{Handler: handler, Log: log}
	h.stop = &lifecycle.Stop{Target: h.conns, Signals: h.signals, Timeout: timeout, Log: log}
	listener := &conn.Listener{Listener: wrap(source), Handler: h.http}
	var group run.Group
	group.Add(lifecycle.Serving("http", func() error { return h.conns.Serve(listener) }))
	group.Add(h.stop.Actor())
	go func() {
		defer close(h.ended)
		_ = group.Run()
	}()
	return h
}

func plainListener(l net.Listener) net.Listener { return l }

// ask sends a request.
func (h *harbour) ask(message string) *peer {
	p := dialTCP(h.t, h.source.Addr().String(), 0)
	p.send(message)
	return p
}

// report is the drain's, once it is over.
func (h *harbour) report() *drainReport {
	h.t.Helper()
	select {
	case <-h.ended:
	case <-time.After(patience):
		h.t.Fatal("the stop does not end")
	}
	return newDrainReport(h.stop.Report(), h.conns.Ledger(), h.conns.Roll(), h.http.Ledger(), h.http.Refusals())
}

// brokenListener accepts until it is told to fail for good.
type brokenListener struct {
	*net.TCPListener
	broken chan struct{}
}

func (l *brokenListener) Accept() (net.Conn, error) {
	nc, err := l.TCPListener.Accept()
	select {
	case <-l.broken:
		if err == nil {
			_ = nc.Close()
		}
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EBADF)}
	default:
		return nc, err
	}
}

func TestAcceptThatFailsForGoodDrains(t *testing.T) {
	entered, broken := make(chan struct{}), make(chan struct{})
	h := openHarbour(t, func(w *http1.Response, r *http1.Request) {
		entered <- struct{}{}
		<-http1.Announced(r.Context())
		w.Text(200, "home again")
	}, patience, func(l net.Listener) net.Listener { return &brokenListener{l.(*net.TCPListener), broken} })
	p := h.ask("GET /out HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	close(broken)
	if c, err := net.Dial("tcp", h.source.Addr().String()); err == nil { // wakes the accept
		defer c.Close()
	}
	if _, body := p.response(200); string(body) != "home again" {
		t.Errorf("%q", body)
	}
	p.ended()
	r := h.report()
	if r.exit != lifecycle.ExitActorDied || r.books != nil || !strings.Contains(r.stop.Cause(), "http: ") || !strings.Contains(r.stop.Cause(), "bad file descriptor") {
		t.Errorf("exit %d, cause %q, books %v; want 4 and the accept's error", r.exit, r.stop.Cause(), r.books)
	}
	if len(r.roll.Entries) != 1 || r.roll.Entries[0].Task == nil || r.roll.Entries[0].Task.End != "completed" {
		t.Errorf("%+v", r.roll.Entries)
	}
	if !strings.Contains(r.text(), "bad file descriptor, exit 4\n") {
		t.Errorf("%s", r.text())
	}
}

// An upgraded stream hears of the stop by its context's announcement and by its own, is
// waited for, and stands in the report as what it is.
func TestUpgradedStreamHearsOfTheStop(t *testing.T) {
	h := openHarbour(t, func(w *http1.Response, r *http1.Request) {
		stream, err := w.Upgrade("tide")
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(stream, "ready\n")
		<-stream.Announced()
		<-http1.Announced(r.Context())
		_, _ = io.WriteString(stream, "goodbye\n")
	}, patience, plainListener)
	p := h.ask("GET /tide HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: tide\r\n\r\n")
	res, err := http.ReadResponse(p.r, nil)
	if err != nil || res.StatusCode != 101 {
		t.Fatalf("%v, %v", res, err)
	}
	said := bufio.NewScanner(p.r)
	said.Scan()
	h.signals <- syscall.SIGTERM
	if said.Scan(); said.Text() != "goodbye" || said.Scan() {
		t.Errorf("heard %q, want the goodbye and the end", said.Text())
	}
	r := h.report()
	if len(r.roll.Entries) != 1 || r.exit != 0 {
		t.Fatalf("exit %d, %+v", r.exit, r.roll.Entries)
	}
	if e := r.roll.Entries[0]; e.Phase != conn.PhaseDetached || e.Task == nil || e.Task.End != "completed" || e.End != "quiet" {
		t.Errorf("%+v, %+v", e, e.Task)
	}
}

// A handler that never ends is left behind, and the report says that it has not.
func TestHandlerThatNeverEnds(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	var once sync.Once
	h := openHarbour(t, func(*http1.Response, *http1.Request) {
		once.Do(func() { close(entered) })
		<-release
	}, 50*time.Millisecond, plainListener)
	h.ask("GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	h.signals <- syscall.SIGTERM
	r := h.report()
	if r.exit != lifecycle.ExitCut || r.books != nil || !r.stop.Stuck {
		t.Errorf("exit %d, stuck %t, books %v", r.exit, r.stop.Stuck, r.books)
	}
	if len(r.roll.Entries) != 1 || r.roll.Entries[0].End != "" || r.roll.Entries[0].Task.End != "" {
		t.Errorf("%+v", r.roll.Entries)
	}
	if !strings.Contains(r.text(), "not yet  -      GET /never\n") {
		t.Errorf("%s", r.text())
	}
	for _, msg := range []string{"msg=cut", `msg="still under way"`} {
		_, line, _ := strings.Cut(h.log.text(), msg)
		if line, _, _ = strings.Cut(line, "\n"); !strings.Contains(line, "TestHandlerThatNeverEnds.func") {
			t.Errorf("%s: %q does not say where the handler stands", msg, line)
		}
	}
}
