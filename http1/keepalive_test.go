package http1

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-server/holdfast/conn"
)

// What is advertised is always shorter than what is kept.
func TestKeepFor(t *testing.T) {
	for idle, want := range map[time.Duration]string{
		0:                        "",
		time.Second:              "",
		1999 * time.Millisecond:  "",
		2 * time.Second:          "timeout=1",
		3 * time.Second:          "timeout=1",
		4 * time.Second:          "timeout=2",
		9 * time.Second:          "timeout=4",
		10 * time.Second:         "timeout=5",
		10500 * time.Millisecond: "timeout=5",
		11 * time.Second:         "timeout=6",
		60 * time.Second:         "timeout=55",
		24 * time.Hour:           "timeout=86395",
	} {
		line := ""
		if want != "" {
			line = "Keep-Alive: " + want + "\r\n"
		}
		if got := keepFor(idle).timeout; got != line {
			t.Errorf("%v: got %q, want %q", idle, got, line)
		}
	}
}

// keepingsOf is what each response to message says of the connection.
func keepingsOf(t *testing.T, idle time.Duration, message string) (said []string) {
	t.Helper()
	s := open(t, "plain", demo, func(s *site) { s.conns.Limits.IdleTimeout = idle })
	c := s.ask(message)
	c.finish()
	for {
		if _, err := c.in.Peek(1); err == io.EOF {
			return said
		}
		a := c.answer("GET")
		if fields := append(a.Header.Values("Connection"), a.Header.Values("Keep-Alive")...); a.Close { // the reader takes that option out
			said = append(said, strings.Join(append(fields, "close"), " "))
		} else {
			said = append(said, strings.Join(fields, " "))
		}
	}
}

func TestKeepAlive(t *testing.T) {
	old := "GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	for _, c := range []struct {
		name, message string
		idle          time.Duration
		want          []string // of each response
	}{
		{"every response that keeps the connection says how long", get("/ok") + get("/stream"), 0, []string{"keep-alive timeout=55", "keep-alive timeout=55"}},
		{"an HTTP/1.0 client that asked to keep it is told as well", old, 0, []string{"keep-alive timeout=55"}},
		{"the last response says that it is the last, and no more", get("/ok") + get("/ok", "Connection: close"), 0, []string{"keep-alive timeout=55", "close"}},
		{"a handler that closes takes it back", get("/close"), 0, []string{"close"}},
		{"a refusal advertises nothing", "GET / HTTP/1.1\r\n\r\n", 0, []string{"close"}},
		{"a panic advertises nothing", get("/panic"), 0, []string{"close"}},
		{"a short idle timeout gives half of itself", get("/ok"), 4 * time.Second, []string{"keep-alive timeout=2"}},
		{"one below 2 s is not advertised", get("/ok"), 1900 * time.Millisecond, []string{""}},
		{"nor to HTTP/1.0, which still has to be told that it is kept", old, time.Second, []string{"keep-alive"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := keepingsOf(t, c.idle, c.message); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// A client that uses its connection up to what was advertised never meets its end.
func TestKeepAliveIsKept(t *testing.T) {
	inBubble(t, &Server{Handler: demo}, conn.Limits{IdleTimeout: 12 * time.Second}, func(t *testing.T, m *memory) {
		p := m.meet(t)
		for i := range 10 {
			if got := p.says(get("/ok")); strings.Count(got, "Keep-Alive: timeout=7\r\n") != i+1 {
				t.Fatalf("after %d requests: %q", i+1, got)
			}
			time.Sleep(7 * time.Second)
		}
	})
}

// Once the stop is announced nothing is advertised any more.
func TestKeepAliveWhileClosing(t *testing.T) {
	inBubble(t, &Server{Handler: demo}, conn.Limits{}, func(t *testing.T, m *memory) {
		p := m.meet(t)
		before := p.says(get("/ok"))
		m.conns.Announce()
		if got := p.says(get("/ok"))[len(before):]; strings.Contains(got, "eep-") || !strings.Contains(got, "Connection: close\r\n") {
			t.Errorf("got %q", got)
		}
	})
}

// Two kinds of connections on one server each hear of their own timeout.
func TestKeepingsOfTwoKinds(t *testing.T) {
	var k keepings
	for range 2 {
		for _, idle := range []time.Duration{time.Second, 60 * time.Second} {
			if got, want := k.of(idle), keepFor(idle); got != want {
				t.Errorf("%v: got %q, want %q", idle, got.timeout, want.timeout)
			}
		}
	}
}
