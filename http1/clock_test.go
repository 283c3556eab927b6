package http1

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// after lets virtual time pass and everybody react to it.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// trickles sends message a byte each interval until the server has had enough, and
// returns how long that took.
func (p *peer) trickles(message string, interval time.Duration) time.Duration {
	begun := time.Now()
	for i := range len(message) {
		if _, err := io.WriteString(p.Conn, message[i:i+1]); err != nil {
			break
		}
		after(interval)
		if p.isOver() {
			break
		}
	}
	return time.Since(begun)
}

// clocked runs a test of the clocks and compares how its last request ended: completed
// where none was left to end.
func clocked(t *testing.T, name string, ending Ending, code string, test func(t *testing.T, p *peer)) {
	t.Run(name, func(t *testing.T) {
		var records []Record
		s := &Server{Handler: demo, Observe: func(r *Record) { records = append(records, *r) }}
		inBubble(t, s, conn.DefaultLimits(), func(t *testing.T, m *memory) {
			p := m.meet(t)
			defer p.Close()
			test(t, p)
		})
		last := Record{Ending: Completed}
		if len(records) > 0 {
			last = records[len(records)-1]
		}
		if last.Ending != ending || (last.Reason == nil) != (code == "") || last.Reason != nil && last.Reason.Code != code {
			t.Errorf("ended %s for %v, want %s for %q", last.Ending, last.Reason, ending, code)
		}
	})
}

func TestHeadAndIdleClock(t *testing.T) {
	clocked(t, "a head a byte a second is refused after 10 s in all", Refused, "head-timeout", func(t *testing.T, p *peer) {
		if took := p.trickles(get("/ok", "X: "+strings.Repeat("x", 100)), time.Second); took > 12*time.Second {
			t.Errorf("held on for %s", took)
		}
		if got := p.heard.String(); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "head-timeout") {
			t.Errorf("heard %q", got)
		}
	})
	clocked(t, "a connection that never asks ends without a word", Completed, "", func(t *testing.T, p *peer) {
		after(11 * time.Second)
		if !p.isOver() || p.heard.String() != "" {
			t.Errorf("over %t, heard %q", p.isOver(), p.heard.String())
		}
	})
	clocked(t, "an idle one ends after its own time", Completed, "", func(t *testing.T, p *peer) {
		p.says(get("/ok"))
		if after(59 * time.Second); p.isOver() {
			t.Error("over too soon")
		}
		if after(2 * time.Second); !p.isOver() || strings.Count(p.heard.String(), "HTTP/1.1") != 1 {
			t.Errorf("over %t, heard %q", p.isOver(), p.heard.String())
		}
	})
	clocked(t, "an empty line behind a request asks for nothing", Completed, "", func(t *testing.T, p *peer) {
		p.says(get("/ok") + "\r\n")
		if after(61 * time.Second); !p.isOver() || strings.Contains(p.heard.String(), "408") {
			t.Errorf("over %t, heard %q", p.isOver(), p.heard.String())
		}
	})
}

func TestContentClock(t *testing.T) {
	clocked(t, "content that stops coming is refused after 30 s", Refused, "body-timeout", func(t *testing.T, p *peer) {
		p.says(post("/echo", 5, "he"))
		if after(29 * time.Second); p.isOver() {
			t.Error("over too soon")
		}
		after(2 * time.Second)
		if got := p.heard.String(); !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "body-timeout") {
			t.Errorf("heard %q", got)
		}
	})
	clocked(t, "content below the minimum rate is refused", Refused, "body-timeout", func(t *testing.T, p *peer) {
		p.says(post("/echo", 1000, ""))
		if took := p.trickles(strings.Repeat("x", 1000), 100*time.Millisecond); took > 12*time.Second {
			t.Errorf("held on for %s", took)
		}
		if !strings.HasPrefix(p.heard.String(), "HTTP/1.1 408 ") {
			t.Errorf("heard %q", p.heard.String())
		}
	})
	clocked(t, "chunks below the minimum rate are refused", Refused, "body-timeout", func(t *testing.T, p *peer) {
		p.says(chunked("/echo", ""))
		if took := p.trickles(strings.Repeat("1\r\nx\r\n", 200), 100*time.Millisecond); took > 12*time.Second {
			t.Errorf("held on for %s", took)
		}
		if !strings.HasPrefix(p.heard.String(), "HTTP/1.1 408 ") {
			t.Errorf("heard %q", p.heard.String())
		}
	})
	clocked(t, "a handler that reads a byte at a time is no excuse for a slow sender", Refused, "body-timeout", func(t *testing.T, p *peer) {
		p.says(post("/echo-slowly", 1000, ""))
		if took := p.trickles(strings.Repeat("x", 1000), 100*time.Millisecond); took > 12*time.Second {
			t.Errorf("held on for %s", took)
		}
	})
	clocked(t, "the last bytes of slow content count", Completed, "", func(t *testing.T, p *peer) {
		p.says(post("/echo", 2, "h"))
		after(10 * time.Second)
		if got := p.says("i"); !strings.HasSuffix(got, "\r\n\r\nhi") {
			t.Errorf("heard %q", got)
		}
		if got := p.says(get("/ok")); strings.Count(got, "200 OK") != 2 {
			t.Errorf("heard %q, want the connection to go on", got)
		}
	})
	clocked(t, "content that stalls behind a committed response cuts it", Refused, "body-timeout", func(t *testing.T, p *peer) {
		p.says(post("/answer-first", 5, "he"))
		after(31 * time.Second)
		if got := p.heard.String(); !p.isOver() || strings.Contains(got, "408") || strings.HasSuffix(got, "0\r\n\r\n") {
			t.Errorf("over %t, heard %q: want neither an end nor a second response", p.isOver(), got)
		}
	})
}

// readResult is what a Read returned.
type readResult struct {
	n   int
	err error
}

// A goroutine that reads from a stalled client when the handler returns.
func TestReaderLeftBehind(t *testing.T) {
	t.Run("it blocks nobody and gets nothing more", func(t *testing.T) {
		results := make(chan readResult, 1)
		h := HandlerFunc(func(w *Response, r *Request) {
			body := r.Body()
			go func() {
				n, err := body.Read(make([]byte, 100))
				results <- readResult{n, err}
			}()
			<-time.After(time.Second) // until it blocks
			_, _ = w.WriteString("done")
		})
		inBubble(t, &Server{Handler: h}, conn.Limits{}, func(t *testing.T, m *memory) {
			p := m.meet(t)
			defer p.Close()
			p.says("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
			after(time.Second)
			if got := p.heard.String(); !strings.HasSuffix(got, "done") || !strings.Contains(got, "Connection: close") {
				t.Fatalf("heard %q as soon as the handler returned", got)
			}
			p.says("hello" + get("/secret"))
			if r := <-results; r.n != 0 || r.err == nil {
				t.Errorf("the goroutine got %d bytes and %v, want none and an error", r.n, r.err)
			}
		})
	})
}

func TestReads(t *testing.T) {
	t.Run("a read after the handler returned gets an error and never bytes", func(t *testing.T) {
		bodies := make(chan io.Reader, 1)
		h := HandlerFunc(func(w *Response, r *Request) {
			select {
			case bodies <- r.Body():
			default:
			}
		})
		inBubble(t, &Server{Handler: h}, conn.Limits{}, func(t *testing.T, m *memory) {
			p := m.meet(t)
			defer p.Close()
			p.says(post("/", 5, "hello") + post("/", 7, "another"))
			body := <-bodies
			var b [16]byte
			for range 2 {
				if n, err := body.Read(b[:]); n != 0 || err == nil || errors.Is(err, io.EOF) {
					t.Errorf("read %d bytes and %v", n, err)
				}
			}
			if got := p.says(get("/")); strings.Count(got, "200 OK") != 3 {
				t.Errorf("heard %q: the late read disturbed the connection", got)
			}
		})
	})
	t.Run("a client that resets ends it", func(t *testing.T) {
		results := make(chan readResult, 1)
		h := HandlerFunc(func(w *Response, r *Request) {
			n, err := io.Copy(io.Discard, r.Body())
			results <- readResult{int(n), err}
			_, _ = w.WriteString("for nobody")
		})
		inBubble(t, &Server{Handler: h}, conn.Limits{}, func(t *testing.T, m *memory) {
			p := m.meet(t)
			p.says("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
			_ = p.SetLinger(0)
			_ = p.Close()
			var reason *Reason
			if r := <-results; r.n != 2 || r.err == nil || errors.As(r.err, &reason) {
				t.Errorf("got %d bytes and %v, want 2 and the connection's error", r.n, r.err)
			}
		})
	})
}
