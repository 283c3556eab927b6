package http1

import (
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// about is what a task's attributes say.
func about(attrs []slog.Attr) string {
	var words []string
	for _, a := range attrs {
		words = append(words, a.Key+"="+a.Value.String())
	}
	return strings.Join(words, " ")
}

// stopped announces the stop, and returns what the roll says of the one connection.
func (m *memory) stopped(t *testing.T) conn.Entry {
	t.Helper()
	synctest.Wait()
	m.conns.Announce()
	return m.only(t)
}

func (m *memory) only(t *testing.T) conn.Entry {
	t.Helper()
	r := m.conns.Roll()
	if r.Open != 1 || len(r.Entries) != 1 {
		t.Fatalf("%d open, entries %+v, want one", r.Open, r.Entries)
	}
	return r.Entries[0]
}

// rollRow is where a request stands when the stop is announced, and how it ends.
type rollRow struct {
	name   string
	sent   string
	reads  bool // the client does
	phase  conn.Phase
	task   string // what is under way, "-" for nothing
	finish string // what the client sends then
	end    string // of the task
	quits  string // the connection's end
}

var rollRows = []rollRow{
	{"a connection that never asked", "", true, conn.PhaseNew, "-", "", "", "quiet"},
	{"one that waits for its next request", get("/ok"), true, conn.PhaseIdle, "-", "", "", "quiet"},
	{"one that asks again", get("/ok"), true, conn.PhaseIdle, "-", get("/ok"), "", "quiet"},
	{"half a head that does not go on", "GET /ok HT", true, conn.PhaseHead, "", "", "refused", "quiet"},
	{"half a head that does", "GET /ok HT", true, conn.PhaseHead, "", "TP/1.1\r\nHost: a\r\n\r\n", "completed", "quiet"},
	{"an empty line that nothing follows", "\r\n", true, conn.PhaseHead, "", "", "nothing_asked", "quiet"},
	{"a handler at work", get("/slow?token=secret"), true, conn.PhaseHandler, "method=GET target=/slow", "", "completed", "quiet"},
	{"a handler that waits for content", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", true, conn.PhaseBody,
		"method=POST target=/body", "cde", "completed", "quiet"},
	{"content that does not go on", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", true, conn.PhaseBody,
		"method=POST target=/body", "", "refused", "quiet"},
	{"a response that nobody reads", get("/writing"), false, conn.PhaseWriting, "method=GET target=/writing", "", "aborted", "peer_left"},
	{"an upgraded stream", "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: tide\r\n\r\n", true, conn.PhaseDetached,
		"method=GET target=/upgrade", "", "completed", "quiet"},
	{"a handler that panics", get("/panic"), true, conn.PhaseHandler, "method=GET target=/panic", "", "completed", "quiet"},
	{"a handler that ends its goroutine", get("/goexit"), true, conn.PhaseHandler, "method=GET target=/goexit", "", "aborted", "forced"},
	{"a long target", get("http://a/" + strings.Repeat("x", 300)), true, conn.PhaseHandler, "method=GET target=/" +
		strings.Repeat("x", shownPathBytes-1) + "...", "", "completed", "quiet"},
}

// slowly is a handler for the rows.
var slowly = HandlerFunc(func(w *Response, r *Request) {
	switch path := r.Path(); path {
	case "/ok":
	case "/body":
		_, _ = io.Copy(io.Discard, r.Body())
	case "/writing":
		for piece := strings.Repeat("x", 64<<10); ; {
			if _, err := w.WriteString(piece); err != nil {
				return
			}
		}
	case "/upgrade":
		if stream, err := w.Upgrade("tide"); err == nil {
			<-stream.Announced()
		}
	default:
		time.Sleep(time.Second) // of virtual time
		switch path {
		case "/panic":
			panic("told to")
		case "/goexit":
			runtime.Goexit()
		}
	}
})

func TestRoll(t *testing.T) {
	for _, row := range rollRows {
		t.Run(row.name, func(t *testing.T) {
			inBubble(t, &Server{Handler: slowly}, conn.Limits{}, func(t *testing.T, m *memory) {
				send := row.start(t, m)
				row.checkBegin(t, m.stopped(t))
				send(row.finish)
				m.conns.CloseListeners(t.Context())
				<-m.conns.Drain()
				row.checkEnd(t, m.only(t))
			})
		})
	}
}

// start brings a client where the row wants it.
func (row *rollRow) start(t *testing.T, m *memory) (send func(string)) {
	if row.reads {
		p := m.meet(t)
		p.says(row.sent)
		return func(text string) { p.says(text) }
	}
	c := m.dial(t)
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, row.sent); err != nil {
		t.Fatal(err)
	}
	return func(string) {}
}

func (row *rollRow) checkBegin(t *testing.T, e conn.Entry) {
	t.Helper()
	if e.Phase != row.phase || e.End != "" || (e.Task == nil) != (row.task == "-") {
		t.Fatalf("phase %q, end %q, task %+v; want %q", e.Phase, e.End, e.Task, row.phase)
	}
	if e.Then.Received < int64(len(row.sent)) {
		t.Errorf("%d bytes received, and %d were sent", e.Then.Received, len(row.sent))
	}
	if e.Task == nil {
		return
	}
	if got := about(e.Task.About); got != row.task || e.Task.ID == "" || e.Task.Phase != row.phase {
		t.Errorf("task %q %q %q, want %q %q", e.Task.ID, got, e.Task.Phase, row.task, row.phase)
	}
	if e.Task.Then.Received != int64(len(row.sent)) {
		t.Errorf("the request has received %d bytes, want %d", e.Task.Then.Received, len(row.sent))
	}
}

func (row *rollRow) checkEnd(t *testing.T, e conn.Entry) {
	t.Helper()
	if e.End != row.quits {
		t.Errorf("the connection ended %q, want %q", e.End, row.quits)
	}
	if e.Task == nil {
		return
	}
	if e.Task.End != row.end || e.Task.After < 0 || e.Task.After > e.After {
		t.Errorf("the request ended %q after %v, want %q, before its connection's %v", e.Task.End, e.Task.After, row.end, e.After)
	}
	if want := int64(len(row.sent + row.finish)); e.Task.Carried.Received != want || row.end == "completed" && e.Task.Carried.Sent == 0 {
		t.Errorf("the request carried %+v, want %d bytes received, and its answer", e.Task.Carried, want)
	}
}

// Only what was under way at the announcement is the roll's: not the request that its
// connection begins afterwards.
func TestRollBetweenRequests(t *testing.T) {
	inBubble(t, &Server{Handler: slowly}, conn.Limits{}, func(t *testing.T, m *memory) {
		p := m.meet(t)
		p.says(get("/ok") + get("/ok") + get("/slow"))
		e := m.stopped(t)
		if e.Task == nil || !strings.HasSuffix(e.Task.ID, "-3") || e.Task.Then.Received != 0 {
			t.Errorf("task %+v, want the third request, which came with the first", e.Task)
		}
		p.says(get("/slow")) // behind it, and begun after the announcement
		m.conns.CloseListeners(t.Context())
		<-m.conns.Drain()
		if e := m.only(t); e.Task.End != "completed" || e.Task.After != time.Second {
			t.Errorf("%+v, want completed after 1 s", e.Task)
		}
	})
}

// The roll is called while requests begin and end as fast as they can; the race detector
// and the cleanup's look at the books are the judges of it.
func TestRollUnderLoad(t *testing.T) {
	overBoth(t, HandlerFunc(func(w *Response, r *Request) { _, _ = io.Copy(w, r.Body()) }), func(t *testing.T, s *site) {
		message := "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
		var clients sync.WaitGroup
		busy := make(chan struct{}, 8)
		for range cap(busy) {
			c := s.ask(message)
			clients.Go(func() {
				buf := make([]byte, 4096)
				for n := 0; ; n++ {
					if n == 20 {
						busy <- struct{}{}
					}
					if _, err := c.nc.Read(buf); err != nil {
						return
					}
					if _, err := io.WriteString(c.nc, message); err != nil {
						return
					}
				}
			})
		}
		for range cap(busy) {
			<-busy
			s.conns.Overdue() // asks, and leaves no trace
		}
		s.conns.Announce()
		clients.Wait()
		if err := s.drainOnce(); err != nil {
			t.Fatal(err)
		}
		r := s.conns.Roll()
		if r.Open != cap(busy) {
			t.Errorf("%d were open, want %d", r.Open, cap(busy))
		}
		for _, e := range r.Entries {
			if e.End != "quiet" && e.End != "peer_left" || e.Task != nil && e.Task.End == "" {
				t.Errorf("%+v, %+v", e, e.Task)
			}
		}
	})
}

// What is cut is named first, with the place where its handler stands.
func TestStandingNamesTheHandler(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var log safeBuffer
	s := open(t, "tls", HandlerFunc(func(_ *Response, r *Request) { stuckHere(entered, release) }), func(s *site) {
		s.conns.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	c := s.ask(get("/never?token=secret"))
	<-entered
	for !isStuck() {
		runtime.Gosched()
	}
	s.conns.Announce()
	s.conns.Overdue()
	s.conns.CloseListeners(t.Context())
	gone := s.conns.Drain()
	if n := s.conns.Cut(); n != 1 {
		t.Errorf("%d cut, want 1", n)
	}
	close(release)
	<-gone
	s.once.Do(func() { <-s.served })
	for _, what := range []string{`msg="still under way"`, "msg=cut"} {
		_, line, _ := strings.Cut(log.String(), what)
		line, _, _ = strings.Cut(line, "\n")
		for _, want := range []string{"request.method=GET", "request.target=/never ", "phase=handler", "chan receive", "http1.stuckHere (roll_test.go:", c.nc.LocalAddr().String()} {
			if !strings.Contains(line, want) {
				t.Errorf("the line %s lacks %q: %s", what, want, line)
			}
		}
		if strings.Contains(line, "secret") || strings.Contains(line, "0x") {
			t.Errorf("the line tells too much: %s", line)
		}
	}
	if e := s.conns.Roll().Entries; len(e) != 1 || e[0].End != "forced" || e[0].Task == nil || e[0].Task.End != "forced" {
		t.Errorf("the roll says %+v", e)
	}
}

// isStuck tells whether a handler waits in stuckHere by now.
func isStuck() bool {
	stacks := make([]byte, 1<<20)
	for goroutine := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(goroutine, "http1.stuckHere(") && strings.Contains(goroutine, "[chan receive") {
			return true
		}
	}
	return false
}

//go:noinline
func stuckHere(entered chan<- struct{}, release <-chan struct{}) {
	entered <- struct{}{}
	<-release
}

func TestShown(t *testing.T) {
	for _, row := range []struct {
		text       string
		limitBytes int
		want       string
	}{
		{"/quay", 16, "/quay"},
		{"", 16, ""},
		{"/a b\x1b[2J\r\n\x7f\xff", 64, "/a%20b%1B[2J%0D%0A%7F%FF"},
		{"/0123456789012345", 16, "/012345678901234..."},
	} {
		if got := shown([]byte(row.text), row.limitBytes); got != row.want {
			t.Errorf("%q is shown as %q, want %q", row.text, got, row.want)
		}
	}
}
