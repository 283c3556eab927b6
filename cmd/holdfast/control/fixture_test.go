package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// shortDir is a directory whose path leaves room for a socket's name, which t.TempDir's with
// the test's name in it does not.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// journal is a log that a test reads.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// testVerbs: echo returns its arguments, and the others do what they are named for.
func testVerbs(release <-chan struct{}) Verbs {
	return Verbs{
		"echo": func(_ context.Context, c Call) (any, error) { return c.Args, nil },
		"who":  func(_ context.Context, c Call) (any, error) { return c.Peer, nil },
		"fail": func(context.Context, Call) (any, error) {
			return nil, errors.Join(errors.New("one"), errors.New("two"))
		},
		"panic": func(context.Context, Call) (any, error) { panic("a broken verb") },
		"stall": func(ctx context.Context, _ Call) (any, error) { <-ctx.Done(); return "ended", nil },
		"deaf":  func(context.Context, Call) (any, error) { <-release; return nil, nil },
		"bulk":  func(context.Context, Call) (any, error) { return string(make([]byte, 100<<10)), nil },
		"huge":  func(context.Context, Call) (any, error) { return string(make([]byte, AnswerBytes)), nil },
		"strict": func(_ context.Context, c Call) (any, error) {
			var args struct{ Name string }
			err := c.Decode(&args)
			return args.Name, err
		},
	}
}

// stage is a server in this process with its socket taken.
type stage struct {
	t       testing.TB
	server  *Server
	path    string
	log     journal
	release chan struct{} // lets deaf verbs go
	once    sync.Once
}

// newStage makes a server at path, which has yet to take its name.
func newStage(t testing.TB, path string) *stage {
	t.Helper()
	g := &stage{t: t, path: path, release: make(chan struct{})}
	g.server = &Server{
		Place: func() (string, error) { return path, nil }, Verbs: testVerbs(g.release), Version: "v1",
		Log: slog.New(slog.NewTextHandler(&g.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	t.Cleanup(g.end)
	return g
}

// open is a stage that answers.
func open(t testing.TB) *stage {
	t.Helper()
	g := newStage(t, filepath.Join(shortDir(t), Name))
	g.take()
	return g
}

func (g *stage) take() {
	g.t.Helper()
	if err := g.server.Take(context.Background()); err != nil {
		g.t.Fatal(err)
	}
}

// end does what the end of the process does, and waits for all goroutines.
func (g *stage) end() {
	g.letGo()
	g.server.Close(nil)
	g.server.wg.Wait()
	g.server.mu.Lock()
	defer g.server.mu.Unlock()
	for _, c := range g.server.kept {
		_ = c.Close()
	}
}

func (g *stage) letGo() { g.once.Do(func() { close(g.release) }) }

// ask is a client's question.
func (g *stage) ask(q Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return Ask(ctx, ours(g.path), q)
}

// must is ask where an answer is due.
func (g *stage) must(q Request) Answer {
	g.t.Helper()
	a, err := g.ask(q)
	if err != nil {
		g.t.Fatalf("%s: %v", q.Verb, err)
	}
	return a
}

// raw is a connection whose bytes a test writes itself.
type raw struct {
	t testing.TB
	*net.UnixConn
	in *bufio.Reader
}

func (g *stage) dial() *raw {
	g.t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: g.path, Net: "unix"})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &raw{t: g.t, UnixConn: c, in: bufio.NewReader(c)}
}

func (r *raw) send(text string) {
	r.t.Helper()
	if _, err := r.Write([]byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

// answer reads one.
func (r *raw) answer() (a Answer) {
	r.t.Helper()
	line, err := r.in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err != nil {
		r.t.Fatalf("%q is no answer: %v", line, err)
	}
	return a
}

// ended expects the end of the connection, and nothing before it.
func (r *raw) ended() {
	r.t.Helper()
	if b, err := r.in.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Errorf("read %q and %v, want the end", b, err)
	}
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not in %v: %s", patience, what)
		case <-time.After(time.Millisecond):
		}
	}
}

// hears waits until the server has read a request with this verb.
func (g *stage) hears(verb string) {
	g.t.Helper()
	eventually(g.t, "the server hears "+verb, func() bool { return strings.Contains(g.log.text(), "verb="+verb) })
}

// connected is how many connections the server answers.
func (g *stage) connected() int {
	g.server.mu.Lock()
	defer g.server.mu.Unlock()
	return len(g.server.conns)
}
